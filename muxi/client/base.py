"""The base of all clients: runs calls, streams, procedures and iterations, in each colour."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from muxi.call import Call, Key, Pages, Procedure
from muxi.client.colours import AsyncCaller, AsyncRawCaller, Caller, RawCaller
from muxi.client.core import Core
from muxi.client.endpoints import install
from muxi.client.keywords import takes_fields_of
from muxi.clock import Clock
from muxi.config import CallOptions, FormationConfig, ServerConfig
from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MuxiError
from muxi.exchange.drivers import drive, drive_async, items, items_async
from muxi.exchange.life import exchange, finish
from muxi.exchange.procedures import iterate_pages, run_procedure
from muxi.exchange.steps import ExchangeResult, ExchangeSteps
from muxi.result import RawResponse, Result
from muxi.streaming.call import AsyncSendable, Sendable, StreamCall
from muxi.streaming.chat import EventReader, reader_for
from muxi.streaming.progress import AsyncOpened, Opened
from muxi.streaming.streams import AsyncEventStream, EventStream
from muxi.transport import AsyncTransport, BufferedResponse, Transport, replayed, replayed_async
from muxi.transport.causes import seal

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from muxi.client.arguments import OptionChanges

__all__ = ["AsyncClient", "AsyncRawClient", "Client", "RawClient"]

T = TypeVar("T")
E = TypeVar("E")
C = TypeVar("C", bound="BaseClient")

logger: logging.Logger = logging.getLogger("muxi")

_AS_ANSWERED: Any = object()

#: Seconds that the cancel of a chat that was left early may take; it is best effort.
CANCEL_TIMEOUT = 5.0


class BaseClient:
    """A client of either colour: a core, and the options of its calls."""

    _asynchronous: ClassVar[bool] = False
    _core: Core
    _options: CallOptions

    def _set_up(
        self, config: FormationConfig | ServerConfig, builtin: list[tuple[str, object]], options: CallOptions
    ) -> None:
        from muxi.client.environment import report_conflicts

        report_conflicts(stacklevel=5)  # the line that makes the client
        self._core = Core(config, builtin, asynchronous=self._asynchronous)
        self._options = options
        self._core.hooks.announce("muxi_client_created", client=self)

    @property
    def clock(self) -> Clock:
        """The clock of this client's waits and timestamps."""
        return self._core.clock

    @takes_fields_of(CallOptions, unchanged=True)
    def with_options(self: C, **changes: Unpack[OptionChanges]) -> C:
        """Return the same client with other options for its calls; connections, plugins and budget are shared.

        Args:
            changes: ``timeout``, ``connect_timeout``, ``deadline``, ``idle_timeout`` and ``stall_timeout`` in
                seconds, ``max_retries``, ``headers`` (added to those there are), ``idempotency_key``,
                ``cancel_on_close``, ``validate_responses``, ``max_answer_bytes``.

        Raises:
            ConfigurationError: an option is unknown or invalid.
        """
        clone = object.__new__(type(self))
        clone.__dict__.update(self.__dict__)
        clone._options = self._options.replaced(**changes)
        return clone

    def _for_cancelling(self) -> Self:
        """Return the same client with the short time limits of a cancel."""
        return self.with_options(timeout=CANCEL_TIMEOUT, deadline=CANCEL_TIMEOUT, max_retries=0)

    def _raw(self, cls: type[C]) -> C:
        raw = object.__new__(cls)
        raw._core = self._core
        raw._options = self._options
        return raw

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            f"a {type(self).__name__} does not pickle: it holds connections and keys. Send a call instead "
            f"(FormationClient.chat.call(…) pickles), or build one client per worker, e.g. in the pool's initializer"
        )

    def __repr__(self) -> str:
        core = self.__dict__.get("_core")  # there is none while the constructor runs
        state = f" {core.address.base_url}{' closed' if core.closed else ''}" if core else ""
        return f"<{type(self).__name__}{state}>"


class _SyncBase(BaseClient):
    """Runs exchanges, blocking."""

    def _transport(self) -> Transport:
        return cast(Transport, self._core.transport)

    def _drive(self, steps: ExchangeSteps[T]) -> T:
        if self._core.dropped_streams:
            self._finish_dropped_streams()
        try:
            return drive(steps, self._transport, self._core)
        except BaseException as error:
            seal(error)
            raise

    def _exchange(self, call: Call[T]) -> ExchangeResult[T]:
        return self._drive(exchange(call, self._core.settings(self._options)))

    def _finish_dropped_streams(self) -> None:
        """Call ``muxi_call_finished`` for streams that were garbage-collected before their end."""
        finishers = []
        with suppress(IndexError):  # another thread may take the last
            while True:
                finishers.append(self._core.dropped_streams.popleft())
        # All are taken first: each makes exchanges, which must not come here again for the next.
        for finish_stream in finishers:
            finish_stream()

    def _open_stream(self, call: StreamCall[E]) -> tuple[EventStream[E], ExchangeResult[E]]:
        answer = self._exchange(call)
        response = answer.response
        if isinstance(response, BufferedResponse):
            response = replayed(response)
        reader: EventReader[E] = reader_for(call.events)
        hooks, context = self._core.hooks, answer.context

        def on_event(event: E) -> None:
            self._drive(hooks.observe("muxi_event_received", event=event, context=context))

        # Without the body: what a dropped stream leaves to be done must not keep its connection.
        head = BufferedResponse(
            response.status, response.headers, reason=response.reason, http_version=response.http_version
        )

        def on_end(error: BaseException | None, left: bool) -> None:
            outcome = Outcome(error=error, response=head, left=error is None and not reader.over)
            self._drive(finish(hooks, context, outcome))
            if left and (cancel := cancel_of(context)):
                try:
                    self._for_cancelling()._exchange(cancel)
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

    def _conclude(self, steps: Procedure[T]) -> tuple[T, ExchangeResult[Any] | None]:
        return self._drive(run_procedure(steps, self._core.settings(self._options)))

    def _iterate(self, steps: Pages[T]) -> Iterator[T]:
        stepped = iterate_pages(steps, self._core.settings(self._options))
        try:
            yield from items(stepped, self._transport, self._core)
        except BaseException as error:
            seal(error)
            raise


class Client(_SyncBase, Caller):
    """The sync client that :class:`muxi.FormationClient` and :class:`muxi.ServerClient` are."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        install(cls, cls._colour)

    def send(self, call: Sendable[T]) -> T:
        """Run a call that was made as a value.

        Raises:
            MuxiError: the call failed.
        """
        given: Any = call
        return cast(T, self._open(given) if isinstance(given, StreamCall) else self._run(given))

    def close(self) -> None:
        """Close the connections. Open streams break; using the client afterwards is an error."""
        if not self._core.begin_closing():
            return
        try:
            self._finish_dropped_streams()
            self._drive(self._core.hooks.observe("muxi_client_closed", client=self))
        finally:
            transport = self._core.take_transport()
            if transport is not None:
                cast(Transport, transport).close()

    def _run(self, call: Call[T]) -> T:
        return self._exchange(call).data

    def _open(self, call: StreamCall[E]) -> EventStream[E]:
        return self._open_stream(call)[0]

    def _proceed(self, steps: Procedure[T]) -> T:
        return self._conclude(steps)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RawClient(_SyncBase, RawCaller):
    """``with_raw_response`` of a sync client: the same methods, each returning the HTTP answer too."""

    def _run(self, call: Call[T]) -> RawResponse[T]:
        return raw_response(self._exchange(call))

    def _open(self, call: StreamCall[E]) -> RawResponse[EventStream[E]]:
        stream, answer = self._open_stream(call)
        return raw_response(answer, data=stream)

    def _proceed(self, steps: Procedure[T]) -> RawResponse[T]:
        data, answer = self._conclude(steps)
        return raw_response(answer, data=data)


class _AsyncBase(BaseClient):
    """Runs exchanges, awaiting. It belongs to the event loop that first used it."""

    _asynchronous: ClassVar[bool] = True

    def _transport(self) -> AsyncTransport:
        return cast(AsyncTransport, self._core.transport)

    async def _drive(self, steps: ExchangeSteps[T]) -> T:
        self._claim_loop()
        try:
            return await drive_async(steps, self._transport, self._core)
        except BaseException as error:
            seal(error)
            raise

    def _claim_loop(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        owner: object = self._core.__dict__.setdefault("loop", loop)
        if owner is not loop:
            raise ConfigurationError(
                "this async client belongs to the event loop that first used it, and this is another one; "
                "make a client inside the loop that uses it"
            )

    async def _exchange(self, call: Call[T]) -> ExchangeResult[T]:
        self._claim_loop()
        return await self._drive(exchange(call, self._core.settings(self._options)))

    async def _open_stream(self, call: StreamCall[E]) -> tuple[AsyncOpened[E], ExchangeResult[E]]:
        answer = await self._exchange(call)
        response = answer.response
        if isinstance(response, BufferedResponse):
            response = replayed_async(response)
        reader: EventReader[E] = reader_for(call.events)
        hooks, context = self._core.hooks, answer.context

        async def on_event(event: E) -> None:
            await self._drive(hooks.observe("muxi_event_received", event=event, context=context))

        async def on_end(error: BaseException | None, left: bool) -> None:
            outcome = Outcome(error=error, response=answer.response, left=error is None and not reader.over)
            await self._drive(finish(hooks, context, outcome))
            if left and (cancel := cancel_of(context)):
                try:
                    await self._for_cancelling()._exchange(cancel)
                except MuxiError as failed:
                    logger.info("the turn of a stream closed early could not be cancelled: %s", failed)

        opened = AsyncOpened(
            cast(Any, response), reader, context, on_event if hooks.has("muxi_event_received") else None, on_end
        )
        return opened, answer

    async def _conclude(self, steps: Procedure[T]) -> tuple[T, ExchangeResult[Any] | None]:
        return await self._drive(run_procedure(steps, self._core.settings(self._options)))

    async def _iterate(self, steps: Pages[T]) -> AsyncIterator[T]:
        self._claim_loop()
        stepped = iterate_pages(steps, self._core.settings(self._options))
        try:
            async for item in items_async(stepped, self._transport, self._core):
                yield item
        except BaseException as error:
            seal(error)
            raise


class AsyncClient(_AsyncBase, AsyncCaller):
    """The async client that :class:`muxi.AsyncFormationClient` and :class:`muxi.AsyncServerClient` are."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        install(cls, cls._colour)

    async def send(self, call: AsyncSendable[T]) -> T:
        """As :meth:`Client.send`."""
        given: Any = call
        return cast(T, await (self._open(given) if isinstance(given, StreamCall) else self._run(given)))

    async def close(self) -> None:
        """As :meth:`Client.close`."""
        self._claim_loop()
        if not self._core.begin_closing():
            return
        try:
            await self._drive(self._core.hooks.observe("muxi_client_closed", client=self))
        finally:
            transport = self._core.take_transport()
            if transport is not None:
                await cast(AsyncTransport, transport).close()

    async def aclose(self) -> None:
        """The same as :meth:`close`, under the name that the official SDK's transports have."""
        await self.close()

    async def _run(self, call: Call[T]) -> T:
        return (await self._exchange(call)).data

    def _open(self, call: StreamCall[E] | Callable[[], Awaitable[StreamCall[E]]]) -> AsyncEventStream[E]:
        async def open_stream() -> AsyncOpened[E]:
            described = call if isinstance(call, StreamCall) else await call()
            return (await self._open_stream(described))[0]

        return AsyncEventStream(open_stream)

    async def _proceed(self, steps: Procedure[T]) -> T:
        return (await self._conclude(steps))[0]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncRawClient(_AsyncBase, AsyncRawCaller):
    """``with_raw_response`` of an async client: the same methods, each returning the HTTP answer too."""

    async def _run(self, call: Call[T]) -> RawResponse[T]:
        return raw_response(await self._exchange(call))

    async def _open(self, call: StreamCall[E]) -> RawResponse[AsyncEventStream[E]]:
        opened, answer = await self._open_stream(call)

        async def already_open() -> AsyncOpened[E]:
            return opened

        return raw_response(answer, data=await AsyncEventStream(already_open))

    async def _proceed(self, steps: Procedure[T]) -> RawResponse[T]:
        data, answer = await self._conclude(steps)
        return raw_response(answer, data=data)


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
