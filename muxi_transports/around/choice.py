"""Transports that hold other transports: what they were given for each, and what they made of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic, TypeAlias, TypeVar

from muxi.clock import Clock
from muxi.registry import DEFAULT_TRANSPORT, TransportRegistry
from muxi.transport import AsyncTransport, Transport
from muxi.transport.contract import refuse_wrong_colour

__all__ = ["DEFAULT_TRANSPORT", "AsyncChoice", "Choice", "Slot", "async_slot", "common_clock", "sync_slot"]

#: What stands for a transport: a name, a function that makes one, or the transport itself.
Choice: TypeAlias = str | Transport | Callable[[], Transport]
AsyncChoice: TypeAlias = str | AsyncTransport | Callable[[], AsyncTransport]

T = TypeVar("T", bound=Transport | AsyncTransport)


class Slot(Generic[T]):
    """One transport, made when it is first needed unless it was given.

    Args:
        make: makes the transport; asked again after :meth:`take`.
        given: the transport, where it was given; it is then the giver's to close.
        shown: how it is called in messages.
    """

    def __init__(self, make: Callable[[], T], given: T | None, shown: str) -> None:
        self.given: T | None = given
        self.shown: str = shown
        self._make = make
        self._made: T | None = None
        self._lock = threading.Lock()

    def get(self) -> T:
        """The transport.

        Raises:
            ConfigurationError: it cannot be made, or is of the other colour.
        """
        if self.given is not None:
            return self.given
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def take(self) -> T | None:
        """What was made here and is to be closed now."""
        with self._lock:
            made, self._made = self._made, None
            return made


def sync_slot(choice: Choice) -> Slot[Transport]:
    """The slot for what a caller gave.

    Raises:
        ConfigurationError: there is no transport of that name, or it is of the other colour.
    """
    registry = TransportRegistry()
    if not _is_made_later(choice):
        refuse_wrong_colour(choice, Transport)
    if isinstance(choice, str):
        registry.factory(choice, asynchronous=False)  # says so now if there is none
    given = registry.make_sync(choice)[0] if isinstance(choice, Transport) else None
    return Slot(lambda: registry.make_sync(choice)[0], given, _shown(choice))


def async_slot(choice: AsyncChoice) -> Slot[AsyncTransport]:
    """As :func:`sync_slot`, for async clients."""
    registry = TransportRegistry()
    if not _is_made_later(choice):
        refuse_wrong_colour(choice, AsyncTransport)
    if isinstance(choice, str):
        registry.factory(choice, asynchronous=True)
    given = registry.make_async(choice)[0] if isinstance(choice, AsyncTransport) else None
    return Slot(lambda: registry.make_async(choice)[0], given, _shown(choice))


def common_clock(transports: Iterable[Transport | AsyncTransport | None]) -> Clock | None:
    """The clock that all these transports share; None where they do not, or where one is not made yet."""
    clocks = [None if transport is None else transport.clock for transport in transports]
    first = clocks[0] if clocks else None
    return first if all(clock is first for clock in clocks) else None


def _is_made_later(choice: object) -> bool:
    return isinstance(choice, str) or (callable(choice) and not isinstance(choice, Transport | AsyncTransport))


def _shown(choice: object) -> str:
    if isinstance(choice, str):
        return choice
    if isinstance(choice, Transport | AsyncTransport):
        return type(choice).__name__
    return getattr(choice, "__name__", type(choice).__name__)
