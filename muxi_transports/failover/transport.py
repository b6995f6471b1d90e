"""Transports over several addresses of one server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar, cast

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.redact import show_value
from muxi.transport import AsyncSteppedTransport, AsyncTransport, Request, SendSteps, SteppedTransport, Transport
from muxi.transport.arguments import check_arguments
from muxi_transports.around.choice import DEFAULT_TRANSPORT, Choice, Wrapping, common_clock
from muxi_transports.failover.addresses import Addresses, AddressStatus, FailoverAddress, Order, parse_address
from muxi_transports.failover.steps import FailoverPolicy, send_somewhere

__all__ = ["AsyncFailoverTransport", "Failover", "FailoverTransport"]

T = TypeVar("T", bound=Transport | AsyncTransport)

#: The statuses of gateways for a server behind them that does not work.
DOWN_STATUSES = (502, 503, 504)


@check_arguments("addresses")
class Failover(Wrapping[T]):
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
        ConfigurationError: an address is not one, a name is unknown, or a transport is of the other colour.
    """

    def __init__(
        self,
        addresses: Iterable[str] | Mapping[str, Choice[T]],
        *,
        transport: Choice[T] = DEFAULT_TRANSPORT,
        order: Order = "given",
        cooldown: float = 30.0,
        health_path: str | None = None,
        health_timeout: float = 2.0,
        down_statuses: Collection[int] = DOWN_STATUSES,
        clock: Clock | None = None,
        on_change: Callable[[AddressStatus], object] | None = None,
    ) -> None:
        entries = self._entries(addresses, transport)
        self.clock: Clock | None = clock or common_clock(slot.given for slot in self._slots)
        self._policy = _check_policy(order, cooldown, health_path, health_timeout, down_statuses)
        self._addresses = Addresses(entries, order, cooldown, self.clock or SystemClock(), on_change)

    def status(self) -> tuple[AddressStatus, ...]:
        """The state of each address, in the order given."""
        return self._addresses.status()

    def steps(self, request: Request) -> SendSteps:
        """Send to an address that can be connected to; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConnectionError: ``CONNECTION_FAILED``: there was no connection to any of them; ``details["addresses"]``
                lists them. Else what the transport of the address raises, with ``details["address"]``.
        """
        return send_somewhere(request, self._addresses, self._policy)

    def _entries(
        self, addresses: Iterable[str] | Mapping[str, Choice[T]], shared: Choice[T]
    ) -> list[FailoverAddress[T]]:
        given: object = addresses
        if not isinstance(given, Iterable) or isinstance(given, bytes):
            raise ConfigurationError(f"addresses= takes several origins, got {type(given).__name__}")
        if isinstance(addresses, str):
            raise ConfigurationError("addresses takes several origins, as a list or a mapping; got one text")
        entries: list[FailoverAddress[T]] = []
        if isinstance(addresses, Mapping):
            chosen = cast("Mapping[str, Choice[T]]", addresses)
            entries += [FailoverAddress(*parse_address(text), self.slot(choice)) for text, choice in chosen.items()]
        else:
            slot = self.slot(shared)
            entries += [FailoverAddress(*parse_address(text), slot) for text in addresses]
        if not entries:
            raise ConfigurationError("a failover transport needs at least one address")
        urls = [entry.url for entry in entries]
        if len(set(urls)) < len(urls):
            raise ConfigurationError(f"an address is given twice: {', '.join(urls)}")
        return entries

    def __repr__(self) -> str:
        return f"{type(self).__name__}({[entry.url for entry in self._addresses.entries]})"


class FailoverTransport(Failover[Transport], SteppedTransport):
    """:class:`Failover` for sync clients, by sync transports."""


class AsyncFailoverTransport(Failover[AsyncTransport], AsyncSteppedTransport):
    """:class:`Failover` for async clients, by async transports."""


def _check_policy(
    order: str, cooldown: float, health_path: str | None, health_timeout: float, down_statuses: Collection[int]
) -> FailoverPolicy:
    if order not in ("given", "round-robin"):
        raise ConfigurationError(f"order takes 'given' or 'round-robin'; got {show_value(order)}")
    if cooldown < 0 or health_timeout <= 0:
        raise ConfigurationError("cooldown and health_timeout are seconds, and cannot be negative")
    if health_path is not None and not health_path.startswith("/"):
        raise ConfigurationError(f"health_path takes a path, such as '/health'; got {show_value(health_path)}")
    return FailoverPolicy(health_path, health_timeout, frozenset(down_statuses))
