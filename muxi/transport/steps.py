"""The steps of transports that are written once for both colours: each can be done blocking, or awaited."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, cast

from muxi.transport.contract import AsyncResponse, AsyncTransport, Request, Response, Transport, UnreadResponse

__all__ = [
    "BlockingCall",
    "BodySteps",
    "Close",
    "CloseSteps",
    "Forward",
    "NextChunk",
    "ReadBody",
    "Step",
    "perform",
    "perform_async",
]


Outcome = TypeVar("Outcome", covariant=True)
Value = TypeVar("Value")


class Step(ABC, Generic[Outcome]):
    """One thing that a transport does, blocking in a sync transport and awaiting in an async one.

    A generator that is driven gets its outcome by ``outcome = yield from step``. Derive from it for a step of your own:
    a wait, a semaphore, a call of a library with two interfaces.
    """

    # Any: a generator is sent what its last step had for an outcome.
    def __iter__(self) -> Generator[Step[Any], Any, Outcome]:
        return cast(Outcome, (yield self))

    @abstractmethod
    def do(self) -> Outcome:
        """Do it, blocking, and return its outcome."""

    @abstractmethod
    async def do_async(self) -> Outcome:
        """Do it in an event loop, and return its outcome."""

    def interrupt(self) -> None:
        """End the step early, because the response or the transport is being closed; the default does nothing.

        May be called more than once, and before the step begins: for :meth:`do` by any thread, for :meth:`do_async` by
        another task of the loop.
        """
        return


#: The body of a response: yields the chunks that the reader gets, and the steps between them.
BodySteps: TypeAlias = Generator[bytes | Step[Any], Any, None]
#: Steps that end without a result.
CloseSteps: TypeAlias = Generator[Step[Any], Any, None]


@dataclass(frozen=True)
class Forward(Step[UnreadResponse]):
    """Send a request by another transport. The outcome is a response of that transport's colour, not yet read.

    Args:
        transport: a transport of the same colour.
        request: the request.
    """

    transport: Transport | AsyncTransport
    request: Request

    def do(self) -> UnreadResponse:
        return cast(Transport, self.transport).send(self.request)

    async def do_async(self) -> UnreadResponse:
        return await cast(AsyncTransport, self.transport).send(self.request)


@dataclass(frozen=True)
class ReadBody(Step[bytes]):
    """Read a response to its end. The outcome is its body.

    Args:
        response: a response that :class:`Forward` had for an outcome.
    """

    response: UnreadResponse

    def do(self) -> bytes:
        return cast(Response, self.response).read()

    async def do_async(self) -> bytes:
        return await cast(AsyncResponse, self.response).read()


@dataclass(frozen=True)
class Close(Step[None]):
    """Close a response or a transport. There is no outcome.

    Args:
        target: what to close.
    """

    target: UnreadResponse | Transport | AsyncTransport

    def do(self) -> None:
        cast(Response, self.target).close()

    async def do_async(self) -> None:
        await cast(AsyncResponse, self.target).close()


@dataclass(frozen=True)
class BlockingCall(Step[Value]):
    """Call a function that blocks: reads a file, computes for long. An async transport calls it in a thread.

    Args:
        function: the function. The outcome is what it returns.
    """

    function: Callable[[], Value]

    def do(self) -> Value:
        return self.function()

    async def do_async(self) -> Value:
        import asyncio  # a sync program need not load it

        return await asyncio.to_thread(self.function)


@dataclass(frozen=True)
class NextChunk(Step["bytes | None"]):
    """Read the next chunk of the response that is wrapped; the outcome is None at its end.

    Only for the body of a :class:`~muxi.transport.SteppedResponse` that wraps another response.
    """

    def do(self) -> bytes | None:
        raise TypeError("NextChunk is a step of the body of a SteppedResponse that wraps another response")

    async def do_async(self) -> bytes | None:
        return self.do()


def perform(step: Step[Any]) -> object:
    """Do a step, blocking."""
    return step.do()


async def perform_async(step: Step[Any]) -> object:
    """Do a step, awaiting."""
    return await step.do_async()
