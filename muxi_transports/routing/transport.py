"""Transports that send each request by the transport of the first rule that fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from muxi.clock import Clock
from muxi.errors import ConfigurationError
from muxi.redact import redact_text
from muxi.transport import (
    AsyncSteppedTransport,
    AsyncTransport,
    Forward,
    Request,
    SendSteps,
    SteppedTransport,
    Transport,
)
from muxi.transport.arguments import check_arguments
from muxi_transports.around.choice import Choice, Slot, Wrapping, common_clock
from muxi_transports.routing.rule import parse_rule, place_of

__all__ = ["AsyncRoutingTransport", "Routing", "RoutingTransport"]

T = TypeVar("T", bound=Transport | AsyncTransport)


@check_arguments()
class Routing(Wrapping[T]):
    """Sends each request by the transport of the first rule that fits.

    Args:
        rules: from a rule, ``[methods] [scheme://][host[:port]][/path]``, to a name, a function that makes a
            transport, or a transport. The order counts.
        default: for what fits no rule.
        clock: the time that a client of this goes by; else the clock that all the given transports share, if they do.

    Raises:
        ConfigurationError: a rule is not one, a name is unknown, or a transport is of the other colour.
    """

    def __init__(
        self, rules: Mapping[str, Choice[T]], *, default: Choice[T] | None = None, clock: Clock | None = None
    ) -> None:
        if not rules and default is None:
            raise ConfigurationError("a routing transport needs a rule or a default=")
        self._routes = [(parse_rule(text), self.slot(choice)) for text, choice in rules.items()]
        self._default = None if default is None else self.slot(default)
        self.clock: Clock | None = clock or common_clock(slot.given for slot in self._slots)

    def steps(self, request: Request) -> SendSteps:
        """Send by the transport of the first rule that fits; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConfigurationError: no rule fits.
        """
        return (yield from Forward(self._choose(request).get(), request))

    def _choose(self, request: Request) -> Slot[T]:
        place = place_of(request)
        for rule, slot in self._routes:
            if rule.fits(place):
                return slot
        if self._default is not None:
            return self._default
        rules = ", ".join(repr(rule.text) for rule, _ in self._routes)
        raise ConfigurationError(
            redact_text(f"no rule of the routing transport fits {request.method} {request.url}; ")
            + f"the rules are {rules}, and there is no default="
        )

    def __repr__(self) -> str:
        entries = [f"{rule.text!r}: {slot.shown}" for rule, slot in self._routes]
        entries += [f"default={self._default.shown}"] if self._default else []
        return f"{type(self).__name__}({', '.join(entries)})"


class RoutingTransport(Routing[Transport], SteppedTransport):
    """:class:`Routing` for sync clients, by sync transports."""


class AsyncRoutingTransport(Routing[AsyncTransport], AsyncSteppedTransport):
    """:class:`Routing` for async clients, by async transports."""
