"""The running of calls for a client: exchanges, streams, procedures and iterations, in either colour.

Loaded by the first client that is made, with all that a call needs: importing the SDK does without.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from muxi.call import Call, Key, Pages, Procedure
from muxi.client.core import Core
from muxi.config import CallOptions
from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MuxiError
from muxi.exchange.drivers import drive, drive_async, items, items_async
from muxi.exchange.life import exchange, finish
from muxi.exchange.procedures import iterate_pages, run_procedure
from muxi.exchange.steps import ExchangeResult, ExchangeSteps
from muxi.result import RawResponse, Result
from muxi.streaming.call import StreamCall
from muxi.streaming.chat import EventReader, reader_for
from muxi.streaming.progress import AsyncOpened, Opened
from muxi.streaming.streams import AsyncEventStream, EventStream
from muxi.transport import AsyncTransport, BufferedResponse, Transport, replayed, replayed_async
from muxi.transport.causes import seal

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AsyncRunner", "Runner", "SyncRunner", "raw_response", "runner_of"]

T = TypeVar("T")
E = TypeVar("E")

logger: logging.Logger = logging.getLogger("muxi")

_AS_ANSWERED: Any = object()

#: Seconds that the cancel of a chat that was left early may take; it is best effort.
CANCEL_TIMEOUT = 5.0


class Runner:
    """Runs the calls of one client, with its options.

    Args:
        core: the state that the client shares with its copies.
        options: the options of its calls.
    """

    def __init__(self, core: Core, options: CallOptions) -> None:
        self._core = core
        self._options = options

    def with_options(self, options: CallOptions) -> Self:
        """Return a runner of the same client with other options."""
        return type(self)(self._core, options)

    def _for_cancelling(self) -> Self:
        """Return the same with the short time limits of a cancel."""
        return self.with_options(self._options.replaced(timeout=CANCEL_TIMEOUT, deadline=CANCEL_TIMEOUT, max_retries=0))


class SyncRunner(Runner):
    """Runs exchanges, blocking."""

    def _transport(self) -> Transport:
        return cast(Transport, self._core.transport)

    def drive(self, steps: ExchangeSteps[T]) -> T:
        """Run an exchange, or a part of one, to its end."""
        if self._core.dropped_streams:
            self.finish_dropped_streams()
        try:
            return drive(steps, self._transport, self._core)
        except BaseException as error:
            seal(error)
            raise

    def exchange(self, call: Call[T]) -> ExchangeResult[T]:
        """Run a call."""
        return self.drive(exchange(call, self._core.settings(self._options)))

    def exchange_raw(self, call: Call[T]) -> RawResponse[T]:
        """Run a call, and return its result with the HTTP answer."""
        return raw_response(self.exchange(call))

    def finish_dropped_streams(self) -> None:
        """Call ``muxi_call_finished`` for streams that were garbage-collected before their end."""
        finishers = []
        with suppress(IndexError):  # another thread may take the last
            while True:
                finishers.append(self._core.dropped_streams.popleft())
        # All are taken first: each makes exchanges, which must not come here again for the next.
        for finish_stream in finishers:
            finish_stream()

    def open_raw(self, call: StreamCall[E]) -> RawResponse[EventStream[E]]:
        """Open a stream, and return it with the head of its HTTP answer."""
        stream, answer = self.open_stream(call)
        return raw_response(answer, data=stream)

    def open_stream(self, call: StreamCall[E]) -> tuple[EventStream[E], ExchangeResult[E]]:
        """Open a stream, and return it with the result of the exchange that did."""
        answer = self.exchange(call)
        response = answer.response
        if isinstance(response, BufferedResponse):
            response = replayed(response)
        reader: EventReader[E] = reader_for(call.events)
        hooks, context = self._core.hooks, answer.context

        def on_event(event: E) -> None:
            self.drive(hooks.observe("muxi_event_received", event=event, context=context))

        # Without the body: what a dropped stream leaves to be done must not keep its connection.
        head = BufferedResponse(
            response.status, response.headers, reason=response.reason, http_version=response.http_version
        )

        def on_end(error: BaseException | None, left: bool) -> None:
            outcome = Outcome(error=error, response=head, left=error is None and not reader.over)
            self.drive(finish(hooks, context, outcome))
            if left and (cancel := cancel_of(context)):
                try:
                    self._for_cancelling().exchange(cancel)
                except MuxiError as failed:
                    logger.info("the turn of a stream closed early could not be cancelled: %s", failed)

        opened = Opened(
            cast(Any, response),
            reader,
            context,
            on_event if hooks.has("muxi_event_received") else None,
            on_end,
            partial(self._core.dropped_streams.append, partial(on_end, None, False)),
        )
        return EventStream(opened), answer

    def conclude(self, steps: Procedure[T]) -> tuple[T, ExchangeResult[Any] | None]:
        """Run a procedure, and return its result with its last answer."""
        return self.drive(run_procedure(steps, self._core.settings(self._options)))

    def conclude_raw(self, steps: Procedure[T]) -> RawResponse[T]:
        """Run a procedure, and return its result with its last HTTP answer."""
        data, answer = self.conclude(steps)
        return raw_response(answer, data=data)

    def iterate(self, steps: Pages[T]) -> Iterator[T]:
        """Run an iteration over pages, and yield its items."""
        stepped = iterate_pages(steps, self._core.settings(self._options))
        try:
            yield from items(stepped, self._transport, self._core)
        except BaseException as error:
            seal(error)
            raise


class AsyncRunner(Runner):
    """Runs exchanges, awaiting. It belongs to the event loop that first used it."""

    def _transport(self) -> AsyncTransport:
        return cast(AsyncTransport, self._core.transport)

    async def drive(self, steps: ExchangeSteps[T]) -> T:
        """As :meth:`SyncRunner.drive`."""
        self.claim_loop()
        try:
            return await drive_async(steps, self._transport, self._core)
        except BaseException as error:
            seal(error)
            raise

    def claim_loop(self) -> None:
        """Refuse another event loop than that which first used the client."""
        import asyncio

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError(
                "an async client needs a running asyncio loop, and there is none. Below trio use the sync client in a "
                "thread: await anyio.to_thread.run_sync(formation.health); outside of coroutines use asyncio.run()"
            ) from None
        owner: object = self._core.__dict__.setdefault("loop", loop)
        if owner is not loop:
            raise ConfigurationError(
                "this async client belongs to the event loop that first used it, and this is another one; "
                "make a client inside the loop that uses it"
            )

    async def exchange(self, call: Call[T]) -> ExchangeResult[T]:
        """Run a call."""
        self.claim_loop()
        return await self.drive(exchange(call, self._core.settings(self._options)))

    async def exchange_raw(self, call: Call[T]) -> RawResponse[T]:
        """As :meth:`SyncRunner.exchange_raw`."""
        return raw_response(await self.exchange(call))

    def stream(self, call: StreamCall[E] | Callable[[], Awaitable[StreamCall[E]]]) -> AsyncEventStream[E]:
        """Return a stream that is opened when it is first awaited or iterated.

        Args:
            call: the call, or a function that makes it then.
        """

        async def open_stream() -> AsyncOpened[E]:
            self.claim_loop()
            described = call if isinstance(call, StreamCall) else await call()
            return (await self.open_stream(described))[0]

        return AsyncEventStream(open_stream)

    async def open_raw(self, call: StreamCall[E]) -> RawResponse[AsyncEventStream[E]]:
        """As :meth:`SyncRunner.open_raw`."""
        opened, answer = await self.open_stream(call)

        async def already_open() -> AsyncOpened[E]:
            return opened

        return raw_response(answer, data=await AsyncEventStream(already_open))

    async def open_stream(self, call: StreamCall[E]) -> tuple[AsyncOpened[E], ExchangeResult[E]]:
        """Open a stream, and return its parts with the result of the exchange that did."""
        answer = await self.exchange(call)
        response = answer.response
        if isinstance(response, BufferedResponse):
            response = replayed_async(response)
        reader: EventReader[E] = reader_for(call.events)
        hooks, context = self._core.hooks, answer.context

        async def on_event(event: E) -> None:
            await self.drive(hooks.observe("muxi_event_received", event=event, context=context))

        async def on_end(error: BaseException | None, left: bool) -> None:
            outcome = Outcome(error=error, response=answer.response, left=error is None and not reader.over)
            await self.drive(finish(hooks, context, outcome))
            if left and (cancel := cancel_of(context)):
                try:
                    await self._for_cancelling().exchange(cancel)
                except MuxiError as failed:
                    logger.info("the turn of a stream closed early could not be cancelled: %s", failed)

        opened = AsyncOpened(
            cast(Any, response), reader, context, on_event if hooks.has("muxi_event_received") else None, on_end
        )
        return opened, answer

    async def conclude(self, steps: Procedure[T]) -> tuple[T, ExchangeResult[Any] | None]:
        """As :meth:`SyncRunner.conclude`."""
        return await self.drive(run_procedure(steps, self._core.settings(self._options)))

    async def conclude_raw(self, steps: Procedure[T]) -> RawResponse[T]:
        """As :meth:`SyncRunner.conclude_raw`."""
        data, answer = await self.conclude(steps)
        return raw_response(answer, data=data)

    async def iterate(self, steps: Pages[T]) -> AsyncIterator[T]:
        """As :meth:`SyncRunner.iterate`."""
        self.claim_loop()
        stepped = iterate_pages(steps, self._core.settings(self._options))
        try:
            async for item in items_async(stepped, self._transport, self._core):
                yield item
        except BaseException as error:
            seal(error)
            raise


def raw_response(answer: ExchangeResult[Any] | None, *, data: Any = _AS_ANSWERED) -> RawResponse[Any]:
    """Return a result with its HTTP answer.

    Raises:
        TypeError: a procedure made no call at all, so that there is no answer.
    """
    if answer is None:
        raise TypeError("no call was made, so there is no response to look at")
    response, context = answer.response, answer.context
    result = answer.data if data is _AS_ANSWERED else data
    return RawResponse(
        data=result,
        status_code=response.status,
        headers=response.headers,
        attempts=context.attempt,
        elapsed=context.elapsed,
        request_id=result.meta.request_id if isinstance(result, Result) else context.request_id,
        content=response.content if isinstance(response, BufferedResponse) else b"",
    )


def runner_of(core: Core, options: CallOptions) -> Runner:
    """Return the runner of the core's colour."""
    return (AsyncRunner if core.hooks.asynchronous else SyncRunner)(core, options)


def cancel_of(context: Context) -> Call[Any] | None:
    """Return the call that cancels the turn of a stream closed early, or None if none is to be sent."""
    call = context.call
    if not (isinstance(call, StreamCall) and call.cancel and context.request_id and context.options.cancel_on_close):
        return None
    return Call.delete(
        call.cancel,
        params={"request_id": context.request_id},
        key=Key.EITHER,
        # A chat without a user is user "0" on the wire, and so are its requests.
        user_id=call.user_id or "0",
        operation="cancel_request",
    )
