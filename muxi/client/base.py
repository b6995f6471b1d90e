"""The base of all clients, in each colour: what their methods do is in :mod:`muxi.client.runner`.

That module is loaded by the first client that is made, because it needs nearly everything else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from muxi.call import Call, Pages, Procedure
from muxi.client.colours import AsyncCaller, AsyncRawCaller, Caller, RawCaller
from muxi.client.endpoints import install
from muxi.client.keywords import takes_fields_of
from muxi.clock import Clock
from muxi.config import CallOptions, FormationConfig, ServerConfig
from muxi.result import RawResponse
from muxi.streaming.call import AsyncSendable, Sendable, StreamCall
from muxi.transport import AsyncTransport, Transport

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from muxi.client.arguments import OptionChanges
    from muxi.client.core import Core
    from muxi.client.runner import AsyncRunner, SyncRunner
    from muxi.streaming.streams import AsyncEventStream, EventStream

__all__ = ["AsyncClient", "AsyncRawClient", "Client", "RawClient"]

T = TypeVar("T")
E = TypeVar("E")
C = TypeVar("C", bound="BaseClient")


def _check_call(call: object) -> None:
    from muxi.client.handmade import check_call

    check_call(call)


class BaseClient:
    """A client of either colour: a core, the options of its calls, and what runs them."""

    _asynchronous: ClassVar[bool] = False
    if TYPE_CHECKING:  # their modules are loaded with the first client
        _core: Core
        _options: CallOptions
        _runner: Any  # the runner of the colour: each subclass says which

    def _set_up(
        self, config: FormationConfig | ServerConfig, builtin: list[tuple[str, object]], options: CallOptions
    ) -> None:
        from muxi.client.core import Core
        from muxi.client.environment import report_conflicts
        from muxi.client.runner import runner_of

        report_conflicts()
        self._core = Core(config, builtin, asynchronous=self._asynchronous)
        self._options = options
        self._runner = runner_of(self._core, options)
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
        clone._runner = self._runner.with_options(clone._options)
        return clone

    def _raw(self, cls: type[C]) -> C:
        raw = object.__new__(cls)
        raw._core = self._core
        raw._options = self._options
        raw._runner = self._runner
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


class Client(BaseClient, Caller):
    """The sync client that :class:`muxi.FormationClient` and :class:`muxi.ServerClient` are."""

    if TYPE_CHECKING:
        _runner: SyncRunner

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        install(cls, cls._colour)

    def send(self, call: Sendable[T]) -> T:
        """Run a call that was made as a value.

        Raises:
            MuxiError: the call failed.
        """
        given: Any = call
        _check_call(given)
        return cast(T, self._open(given) if isinstance(given, StreamCall) else self._run(given))

    def close(self) -> None:
        """Close the connections. Open streams break; using the client afterwards is an error."""
        if not self._core.begin_closing():
            return
        try:
            self._runner.finish_dropped_streams()
            self._runner.drive(self._core.hooks.observe("muxi_client_closed", client=self))
        finally:
            transport = self._core.take_transport()
            if transport is not None:
                cast(Transport, transport).close()

    def _run(self, call: Call[T]) -> T:
        return self._runner.exchange(call).data

    def _open(self, call: StreamCall[E]) -> EventStream[E]:
        return self._runner.open_stream(call)[0]

    def _proceed(self, steps: Procedure[T]) -> T:
        return self._runner.conclude(steps)[0]

    def _iterate(self, steps: Pages[T]) -> Iterator[T]:
        return self._runner.iterate(steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RawClient(BaseClient, RawCaller):
    """``with_raw_response`` of a sync client: the same methods, each returning the HTTP answer too."""

    if TYPE_CHECKING:
        _runner: SyncRunner

    def _run(self, call: Call[T]) -> RawResponse[T]:
        return self._runner.exchange_raw(call)

    def _open(self, call: StreamCall[E]) -> RawResponse[EventStream[E]]:
        return self._runner.open_raw(call)

    def _proceed(self, steps: Procedure[T]) -> RawResponse[T]:
        return self._runner.conclude_raw(steps)

    def _iterate(self, steps: Pages[T]) -> Iterator[T]:
        return self._runner.iterate(steps)


class AsyncClient(BaseClient, AsyncCaller):
    """The async client that :class:`muxi.AsyncFormationClient` and :class:`muxi.AsyncServerClient` are."""

    _asynchronous: ClassVar[bool] = True
    if TYPE_CHECKING:
        _runner: AsyncRunner

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        install(cls, cls._colour)

    async def send(self, call: AsyncSendable[T]) -> T:
        """As :meth:`Client.send`."""
        given: Any = call
        _check_call(given)
        return cast(T, await (self._open(given) if isinstance(given, StreamCall) else self._run(given)))

    async def close(self) -> None:
        """As :meth:`Client.close`."""
        self._runner.claim_loop()
        if not self._core.begin_closing():
            return
        try:
            await self._runner.drive(self._core.hooks.observe("muxi_client_closed", client=self))
        finally:
            transport = self._core.take_transport()
            if transport is not None:
                await cast(AsyncTransport, transport).close()

    async def aclose(self) -> None:
        """The same as :meth:`close`, under the name that the official SDK's transports have."""
        await self.close()

    async def _run(self, call: Call[T]) -> T:
        return (await self._runner.exchange(call)).data

    def _open(self, call: StreamCall[E] | Callable[[], Awaitable[StreamCall[E]]]) -> AsyncEventStream[E]:
        return self._runner.stream(call)

    async def _proceed(self, steps: Procedure[T]) -> T:
        return (await self._runner.conclude(steps))[0]

    def _iterate(self, steps: Pages[T]) -> AsyncIterator[T]:
        return self._runner.iterate(steps)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncRawClient(BaseClient, AsyncRawCaller):
    """``with_raw_response`` of an async client: the same methods, each returning the HTTP answer too."""

    _asynchronous: ClassVar[bool] = True
    if TYPE_CHECKING:
        _runner: AsyncRunner

    async def _run(self, call: Call[T]) -> RawResponse[T]:
        return await self._runner.exchange_raw(call)

    async def _open(self, call: StreamCall[E]) -> RawResponse[AsyncEventStream[E]]:
        return await self._runner.open_raw(call)

    async def _proceed(self, steps: Procedure[T]) -> RawResponse[T]:
        return await self._runner.conclude_raw(steps)

    def _iterate(self, steps: Pages[T]) -> AsyncIterator[T]:
        return self._runner.iterate(steps)
