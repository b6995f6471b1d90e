"""Transports that send each request by the transport of the first rule that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from muxi.clock import Clock
from muxi.errors import ConfigurationError
from muxi.redact import redact_text
from muxi.transport import AsyncResponse, AsyncTransport, Request, Response, Transport
from muxi_transports.around.choice import AsyncChoice, Choice, Slot, async_slot, common_clock, sync_slot
from muxi_transports.routing.rule import Rule, parse_rule, place_of

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["AsyncRoutingTransport", "RoutingTransport"]

T = TypeVar("T", bound=Transport | AsyncTransport)


class _Table(Generic[T]):
    """The rules in their order, and what each leads to."""

    def __init__(self, routes: list[tuple[Rule, Slot[T]]], default: Slot[T] | None) -> None:
        if not routes and default is None:
            raise ConfigurationError("a routing transport needs a rule or a default=")
        self._routes = routes
        self._default = default

    def choose(self, request: Request) -> T:
        place = place_of(request)
        for rule, slot in self._routes:
            if rule.fits(place):
                return slot.get()
        if self._default is not None:
            return self._default.get()
        rules = ", ".join(repr(rule.text) for rule, _ in self._routes)
        raise ConfigurationError(
            redact_text(f"no rule of the routing transport fits {request.method} {request.url}; ")
            + f"the rules are {rules}, and there is no default="
        )

    def slots(self) -> list[Slot[T]]:
        return [slot for _, slot in self._routes] + ([self._default] if self._default else [])

    def __repr__(self) -> str:
        shown = [f"{rule.text!r}: {slot.shown}" for rule, slot in self._routes]
        return ", ".join(shown + ([f"default={self._default.shown}"] if self._default else []))


class RoutingTransport(Transport):
    """Sends each request by a transport of its own: that of the first rule that fits.

    Args:
        rules: from a rule, ``[methods] [scheme://][host[:port]][/path]``, to a name, a function that makes a
            transport, or a transport. The order counts.
        default: for what fits no rule.
        clock: the time that a client of this goes by; else the clock that all the given transports share, if they do.

    Raises:
        ConfigurationError: a rule is not one, a name is unknown, or a transport is an async one.
    """

    def __init__(
        self, rules: Mapping[str, Choice], *, default: Choice | None = None, clock: Clock | None = None
    ) -> None:
        self._table = _Table(
            [(parse_rule(text), sync_slot(choice)) for text, choice in rules.items()],
            None if default is None else sync_slot(default),
        )
        self.clock: Clock | None = clock or common_clock(slot.given for slot in self._table.slots())

    def send(self, request: Request) -> Response:
        """Send by the transport of the first rule that fits; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConfigurationError: no rule fits.
        """
        return self._table.choose(request).send(request)

    def close(self) -> None:
        """Close the transports that were made here, out of names and functions."""
        for slot in self._table.slots():
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
        return f"RoutingTransport({self._table!r})"


class AsyncRoutingTransport(AsyncTransport):
    """As :class:`RoutingTransport`, for async clients.

    Args:
        rules: from a rule to a name, a function that makes an async transport, or an async transport.
        default: for what fits no rule.
        clock: the time that a client of this goes by; else the clock that all the given transports share, if they do.

    Raises:
        ConfigurationError: a rule is not one, a name is unknown, or a transport is a sync one.
    """

    def __init__(
        self, rules: Mapping[str, AsyncChoice], *, default: AsyncChoice | None = None, clock: Clock | None = None
    ) -> None:
        self._table = _Table(
            [(parse_rule(text), async_slot(choice)) for text, choice in rules.items()],
            None if default is None else async_slot(default),
        )
        self.clock: Clock | None = clock or common_clock(slot.given for slot in self._table.slots())

    async def send(self, request: Request) -> AsyncResponse:
        """As :meth:`RoutingTransport.send`."""
        return await self._table.choose(request).send(request)

    async def close(self) -> None:
        """As :meth:`RoutingTransport.close`."""
        for slot in self._table.slots():
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
        return f"AsyncRoutingTransport({self._table!r})"
