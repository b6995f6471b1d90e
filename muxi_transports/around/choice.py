"""The transports that a wrapping transport holds: what was given for each, and what was made of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeAlias, TypeVar, cast

from muxi.clock import Clock
from muxi.registry import DEFAULT_TRANSPORT, TransportRegistry, transport_defaults
from muxi.transport import AsyncTransport, Close, CloseSteps, Stepped, Transport
from muxi.transport.contract import refuse_wrong_colour

__all__ = ["DEFAULT_TRANSPORT", "Choice", "Slot", "Wrapping", "common_clock", "make_slot"]

T = TypeVar("T", bound=Transport | AsyncTransport)

#: What stands for a transport: a name, the transport itself, or a function that makes one.
Choice: TypeAlias = str | T | Callable[[], T]


class Slot(Generic[T]):
    """One transport, made when it is first needed unless it was given.

    Args:
        make: makes the transport; called again after :meth:`take`.
        given: the transport, where it was given; whoever gave it closes it.
        shown: how it is called in messages.
    """

    def __init__(self, make: Callable[[], T], given: T | None, shown: str) -> None:
        self.given: T | None = given
        self.shown: str = shown
        self._make = make
        self._made: T | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def get(self) -> T:
        """The transport.

        Raises:
            ConfigurationError: it cannot be made, or is of the other colour.
        """
        if self.given is not None:
            return self.given
        with self._own_lock():
            if self._made is None:
                self._made = self._make()
            return self._made

    @property
    def private(self) -> bool:
        """True if the transport keeps requests in this process; judged by its name until it is made."""
        transport = self.given or self._made
        return transport.private if transport is not None else self.shown.strip("'") == "memory"

    @property
    def defaults(self) -> Mapping[str, str]:
        """The settings that the transport has for clients that are given none; by its name until it is made."""
        return transport_defaults(self.given or self._made or self.shown.strip("'"))

    def take(self) -> T | None:
        """Empty the slot; return the transport that was made here and is to be closed now."""
        with self._own_lock():
            made, self._made = self._made, None
            return made

    def _own_lock(self) -> threading.Lock:
        # Making a transport imports libraries. A process forked meanwhile inherits a lock that is never released.
        if self._pid != os.getpid():
            self._lock, self._pid = threading.Lock(), os.getpid()
        return self._lock


class Wrapping(Stepped[T]):
    """A stepped transport that holds other transports: opens them when they are needed, and closes what it has opened.

    ::

        class Tagged(Wrapping[T]):
            def __init__(self, transport: Choice[T] = "requests") -> None:
                self.inner = self.slot(transport)

            def steps(self, request: Request) -> SendSteps:
                request.headers["X-Tag"] = "blue"
                return (yield from Forward(self.inner.get(), request))
    """

    _slots: tuple[Slot[T], ...] = ()

    @property
    def private(self) -> bool:
        """True if all its transports keep requests in this process, as far as that is known before they are made."""
        return bool(self._slots) and all(slot.private for slot in self._slots)

    @property
    def defaults(self) -> Mapping[str, str]:
        """The defaults of the first transport, if all keep requests in this process."""
        return self._slots[0].defaults if self.private else {}

    def slot(self, choice: Choice[T]) -> Slot[T]:
        """The slot for what a caller gave: a name, a function that makes a transport, or a transport.

        Raises:
            ConfigurationError: there is no transport of that name, or it is of the other colour.
        """
        made = make_slot(choice, cast("type[T]", self.colour))
        self._slots = (*self._slots, made)
        return made

    def close_steps(self) -> CloseSteps:
        """Close the transports that were made here, out of names and functions; each, also where one fails."""
        failure: Exception | None = None
        for slot in self._slots:
            made = slot.take()
            if made is not None:
                try:
                    yield from Close(made)
                except Exception as error:
                    failure = failure or error
        if failure is not None:
            raise failure


def make_slot(choice: Choice[T], colour: type[T]) -> Slot[T]:
    """The slot for what a caller gave.

    Args:
        choice: a name, a function that makes a transport, or a transport.
        colour: :class:`~muxi.transport.Transport` or :class:`~muxi.transport.AsyncTransport`.

    Raises:
        ConfigurationError: there is no transport of that name, or it is of the other colour.
    """
    registry = TransportRegistry()
    asynchronous = issubclass(colour, AsyncTransport)

    def make() -> T:
        made, _ = registry.make_async(choice) if asynchronous else registry.make_sync(choice)
        return cast(T, made)

    if not _is_made_later(choice):
        refuse_wrong_colour(choice, AsyncTransport if asynchronous else Transport)
    if isinstance(choice, str):
        registry.factory(choice, asynchronous=asynchronous)  # an unknown name is an error now, not at the first request
    given = make() if isinstance(choice, Transport | AsyncTransport) else None
    return Slot(make, given, _describe(choice))


def common_clock(transports: Iterable[Transport | AsyncTransport | None]) -> Clock | None:
    """The clock that all these transports share; None where they do not, or where one is not made yet."""
    clocks = [None if transport is None else transport.clock for transport in transports]
    first = clocks[0] if clocks else None
    return first if all(clock is first for clock in clocks) else None


def _is_made_later(choice: object) -> bool:
    return isinstance(choice, str) or (callable(choice) and not isinstance(choice, Transport | AsyncTransport))


def _describe(choice: object) -> str:
    if isinstance(choice, str):
        return choice
    if isinstance(choice, Transport | AsyncTransport):
        return type(choice).__name__
    return getattr(choice, "__name__", type(choice).__name__)
