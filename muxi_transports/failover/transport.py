"""Transports over several addresses of one server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.transport import AsyncResponse, AsyncTransport, Request, Response, Transport
from muxi_transports.around.choice import (
    DEFAULT_TRANSPORT,
    AsyncChoice,
    Choice,
    Slot,
    async_slot,
    common_clock,
    sync_slot,
)
from muxi_transports.failover.addresses import Address, Addresses, AddressStatus, Order, parse_address
from muxi_transports.failover.steps import Policy, send_somewhere

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["AsyncFailoverTransport", "FailoverTransport"]

T = TypeVar("T", bound=Transport | AsyncTransport)
C = TypeVar("C")

#: By what a gateway says that the server behind it does not work.
DOWN_STATUSES = (502, 503, 504)


class FailoverTransport(Transport):
    """Sends to one of several addresses of the same server, to one that works.

    Args:
        addresses: origins (``scheme://host[:port]``) that share ``transport``; or a mapping from each to a name, a
            function that makes a transport, or a transport.
        transport: what sends to all addresses: a name, a function that makes one, or a transport.
        order: ``"given"``, the first that is up, or ``"round-robin"``, each request beginning with the next one.
        cooldown: how long a failed address is set aside, in seconds.
        health_path: what is asked for (``GET``) before an address that has failed is used again; without one, the
            next request finds out.
        health_timeout: how long that may take, in seconds.
        down_statuses: the statuses by which an address says that it does not work.
        clock: the time that this and a client of this go by; else the clock that all the given transports share, if
            they do.
        on_change: called with the :class:`AddressStatus` of each address that goes down or comes back, by the thread
            that noticed. What it raises is logged.

    Raises:
        ConfigurationError: an address is not one, a name is unknown, or a transport is an async one.
    """

    def __init__(
        self,
        addresses: Iterable[str] | Mapping[str, Choice],
        *,
        transport: Choice = DEFAULT_TRANSPORT,
        order: Order = "given",
        cooldown: float = 30.0,
        health_path: str | None = None,
        health_timeout: float = 2.0,
        down_statuses: Collection[int] = DOWN_STATUSES,
        clock: Clock | None = None,
        on_change: Callable[[AddressStatus], object] | None = None,
    ) -> None:
        entries = _entries(addresses, transport, sync_slot)
        self.clock: Clock | None = clock or common_clock(entry.slot.given for entry in entries)
        self._policy = _policy(order, cooldown, health_path, health_timeout, down_statuses)
        self._addresses = Addresses(entries, order, cooldown, self.clock or SystemClock(), on_change)

    def status(self) -> tuple[AddressStatus, ...]:
        """What is known of each address, in the order given."""
        return self._addresses.status()

    def send(self, request: Request) -> Response:
        """Send to an address that can be connected to; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConnectionError: ``CONNECTION_FAILED``: there was no connection to any of them; ``details["addresses"]``
                lists them. Else what the transport of the address raises, with ``details["address"]``.
        """
        steps = send_somewhere(request, self._addresses, self._policy)
        try:
            step = next(steps)
            while True:
                try:
                    response = step.transport.send(step.request)
                    if step.probe:
                        response.close()
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as stop:
            return cast(Response, stop.value)

    def close(self) -> None:
        """Close the transports that were made here. What is known of the addresses is kept."""
        for slot in _slots(self._addresses):
            made = slot.take()
            if made is not None:
                made.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FailoverTransport({[entry.url for entry in self._addresses.entries]})"


class AsyncFailoverTransport(AsyncTransport):
    """As :class:`FailoverTransport`, for async clients.

    Args:
        addresses: origins, or a mapping from each to a name, a function that makes an async transport, or an async
            transport.
        transport: what sends to all addresses.
        order: as for :class:`FailoverTransport`, and so are the others.
        cooldown: in seconds.
        health_path: a path.
        health_timeout: in seconds.
        down_statuses: the statuses by which an address says that it does not work.
        clock: the time to go by.
        on_change: called with each address that goes down or comes back, in the event loop.

    Raises:
        ConfigurationError: an address is not one, a name is unknown, or a transport is a sync one.
    """

    def __init__(
        self,
        addresses: Iterable[str] | Mapping[str, AsyncChoice],
        *,
        transport: AsyncChoice = DEFAULT_TRANSPORT,
        order: Order = "given",
        cooldown: float = 30.0,
        health_path: str | None = None,
        health_timeout: float = 2.0,
        down_statuses: Collection[int] = DOWN_STATUSES,
        clock: Clock | None = None,
        on_change: Callable[[AddressStatus], object] | None = None,
    ) -> None:
        entries = _entries(addresses, transport, async_slot)
        self.clock: Clock | None = clock or common_clock(entry.slot.given for entry in entries)
        self._policy = _policy(order, cooldown, health_path, health_timeout, down_statuses)
        self._addresses = Addresses(entries, order, cooldown, self.clock or SystemClock(), on_change)

    def status(self) -> tuple[AddressStatus, ...]:
        """What is known of each address, in the order given."""
        return self._addresses.status()

    async def send(self, request: Request) -> AsyncResponse:
        """As :meth:`FailoverTransport.send`."""
        steps = send_somewhere(request, self._addresses, self._policy)
        try:
            step = next(steps)
            while True:
                try:
                    response = await step.transport.send(step.request)
                    if step.probe:
                        await response.close()
                except BaseException as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as stop:
            return cast(AsyncResponse, stop.value)

    async def close(self) -> None:
        """As :meth:`FailoverTransport.close`."""
        for slot in _slots(self._addresses):
            made = slot.take()
            if made is not None:
                await made.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncFailoverTransport({[entry.url for entry in self._addresses.entries]})"


def _entries(
    addresses: Iterable[str] | Mapping[str, C], shared: C, slot_for: Callable[[C], Slot[T]]
) -> list[Address[T]]:
    if isinstance(addresses, str):
        raise ConfigurationError("addresses takes several origins, as a list or a mapping; got one text")
    entries: list[Address[T]] = []
    if isinstance(addresses, Mapping):
        chosen = cast("Mapping[str, C]", addresses)
        entries += [Address(*parse_address(text), slot_for(choice)) for text, choice in chosen.items()]
    else:
        slot = slot_for(shared)
        entries += [Address(*parse_address(text), slot) for text in addresses]
    if not entries:
        raise ConfigurationError("a failover transport needs at least one address")
    urls = [entry.url for entry in entries]
    if len(set(urls)) < len(urls):
        raise ConfigurationError(f"an address is given twice: {', '.join(urls)}")
    return entries


def _policy(
    order: str, cooldown: float, health_path: str | None, health_timeout: float, down_statuses: Collection[int]
) -> Policy:
    if order not in ("given", "round-robin"):
        raise ConfigurationError(f"order takes 'given' or 'round-robin'; got {order!r}")
    if cooldown < 0 or health_timeout <= 0:
        raise ConfigurationError("cooldown and health_timeout are seconds, and cannot be negative")
    if health_path is not None and not health_path.startswith("/"):
        raise ConfigurationError(f"health_path takes a path, such as '/health'; got {health_path!r}")
    return Policy(health_path, health_timeout, frozenset(down_statuses))


def _slots(addresses: Addresses[T]) -> list[Slot[T]]:
    """The slots of all addresses, each once."""
    return list({id(entry.slot): entry.slot for entry in addresses.entries}.values())
