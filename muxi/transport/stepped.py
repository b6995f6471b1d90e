"""Transports that are written once: the steps of a request in one generator, and both colours made of it."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar, cast

from muxi.clock import Clock
from muxi.transport.contract import (
    AsyncResponse,
    AsyncTransport,
    BufferedResponse,
    Request,
    Response,
    Transport,
    UnreadResponse,
    replayed,
    replayed_async,
)
from muxi.transport.loop import iterate, iterate_async, run, run_async
from muxi.transport.stepped_response import AsyncSteppedResponse, SteppedResponse, SyncSteppedResponse
from muxi.transport.steps import CloseSteps, Forward, Step, perform, perform_async

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = [
    "AsyncSteppedTransport",
    "SendSteps",
    "Stepped",
    "SteppedTransport",
    "iterate",
    "iterate_async",
    "run",
    "run_async",
]

T = TypeVar("T", bound=Transport | AsyncTransport)

_Colour: TypeAlias = SyncSteppedResponse | AsyncSteppedResponse
R = TypeVar("R", SyncSteppedResponse, AsyncSteppedResponse)

# Any: a generator is sent what its last step had for an outcome.
#: One request, step by step; returns a response of another transport, one in memory, or one whose body has steps too.
SendSteps: TypeAlias = Generator[Step[Any], Any, UnreadResponse | BufferedResponse | SteppedResponse]

S = TypeVar("S", bound="Stepped[Any]")


class Stepped(ABC, Generic[T]):
    """A transport for clients of both colours, in one class. Each colour is declared in a class of its own::

        class Counting(Stepped[T]):
            def __init__(self, inner: T) -> None:
                self.inner = inner
                self.clock = inner.clock
                self.sent = 0

            def steps(self, request: Request) -> SendSteps:
                self.sent += 1
                return (yield from Forward(self.inner, request))


        class CountingTransport(Counting[Transport], SteppedTransport): ...


        class AsyncCountingTransport(Counting[AsyncTransport], AsyncSteppedTransport): ...

    ``T`` is the class of the transports that it holds.
    """

    #: :class:`~muxi.transport.Transport` or :class:`~muxi.transport.AsyncTransport`.
    colour: ClassVar[type[Transport] | type[AsyncTransport]]

    #: The clock of the world this transport lives in; None is the machine's own time.
    clock: Clock | None = None

    _open: _OpenWork

    # Not in __init__, which a subclass need not call.
    def __new__(cls: type[S], *args: object, **options: object) -> S:
        self = object.__new__(cls)
        self._open = _OpenWork()
        return self

    @abstractmethod
    def steps(self, request: Request) -> SendSteps:
        """The steps of one request: yields each, is sent its outcome or thrown its error, and returns the response.

        A response that was forwarded is closed for you where this raises.
        """

    def close_steps(self) -> CloseSteps:
        """The steps of :meth:`close`, after the responses that are still being read have been closed."""
        yield from ()


class SteppedTransport(Stepped[Transport], Transport):
    """The sync colour of a :class:`Stepped` transport."""

    colour: ClassVar[type[Transport] | type[AsyncTransport]] = Transport

    def send(self, request: Request) -> Response:
        """Send, blocking; see :meth:`muxi.transport.Transport.send`."""
        with self._open.sending() as sending:
            try:
                made = run(self.steps(request), sending.do)
            except BaseException:
                for response in sending.forwarded:
                    cast(Response, response).close()
                raise
        if isinstance(made, SteppedResponse):
            return self._open.keep(SyncSteppedResponse(made))
        if isinstance(made, BufferedResponse):
            return replayed(made)
        return cast(Response, made)

    def close(self) -> None:
        """Close the responses that are still being read, and what this transport has opened."""
        for response in self._open.interrupt():
            cast(SyncSteppedResponse, response).end("transport")
        run(self.close_steps(), perform)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncSteppedTransport(Stepped[AsyncTransport], AsyncTransport):
    """The async colour of a :class:`Stepped` transport."""

    colour: ClassVar[type[Transport] | type[AsyncTransport]] = AsyncTransport

    async def send(self, request: Request) -> AsyncResponse:
        """Send, awaiting; see :meth:`muxi.transport.AsyncTransport.send`."""
        with self._open.sending() as sending:
            try:
                made = await run_async(self.steps(request), sending.do_async)
            except BaseException:
                for response in sending.forwarded:
                    await cast(AsyncResponse, response).close()
                raise
        if isinstance(made, SteppedResponse):
            return self._open.keep(AsyncSteppedResponse(made))
        if isinstance(made, BufferedResponse):
            return replayed_async(made)
        return cast(AsyncResponse, made)

    async def close(self) -> None:
        """Close the responses that are still being read, and what this transport has opened."""
        for response in self._open.interrupt():
            await cast(AsyncSteppedResponse, response).end("transport")
        await run_async(self.close_steps(), perform_async)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Sending:
    """One request on its way: the step that is being done, and the responses that were forwarded."""

    def __init__(self) -> None:
        self.forwarded: list[UnreadResponse] = []
        self._step: Step[Any] | None = None
        self._interrupted = False

    def do(self, step: Step[Any]) -> object:
        self._begin(step)
        return self._note(step, step.do())

    async def do_async(self, step: Step[Any]) -> object:
        self._begin(step)
        return self._note(step, await step.do_async())

    def _begin(self, step: Step[Any]) -> None:
        self._step = step
        if self._interrupted:
            step.interrupt()

    def _note(self, step: Step[Any], outcome: object) -> object:
        if isinstance(step, Forward):
            self.forwarded.append(cast(UnreadResponse, outcome))
        return outcome

    def interrupt(self) -> None:
        self._interrupted = True
        step = self._step
        if step is not None:
            step.interrupt()


class _OpenWork:
    """The requests on their way and the responses being read, which close() of their transport ends.

    It has no lock: each operation is atomic, so that a finalizer may come in between, and a fork at any time.
    """

    def __init__(self) -> None:
        self._sendings: set[_Sending] = set()
        self._responses: dict[int, weakref.ref[_Colour]] = {}

    @contextmanager
    def sending(self) -> Iterator[_Sending]:
        sending = _Sending()
        self._sendings.add(sending)
        try:
            yield sending
        finally:
            self._sendings.discard(sending)

    def keep(self, response: R) -> R:
        """Remember a response for as long as it is referenced elsewhere."""
        key, responses = id(response), self._responses
        responses[key] = weakref.ref(response, lambda _: responses.pop(key, None))
        return response

    def interrupt(self) -> list[_Colour]:
        """Interrupt the requests; return the responses, to be closed."""
        for sending in list(self._sendings):
            sending.interrupt()
        return [response for kept in list(self._responses.values()) if (response := kept()) is not None]
