"""Transports by name: the shipped ones, those of entry points, and those a user registers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from muxi.errors import ConfigurationError
from muxi.installed import announced
from muxi.records import Record, field
from muxi.transport import AsyncTransport, Transport
from muxi.transport.arguments import check_arguments
from muxi.transport.contract import refuse_wrong_colour

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "DEFAULT_TRANSPORT",
    "ENTRY_POINT_GROUP",
    "TransportPair",
    "TransportRegistry",
    "interpose",
    "register_transport",
]

#: Used where neither ``transport=`` nor ``MUXI_TRANSPORT`` names another.
DEFAULT_TRANSPORT = "requests"

#: Where other distributions announce transports: an entry point names a :class:`TransportPair`, or a
#: transport class of one colour.
ENTRY_POINT_GROUP = "muxi.transports"

SyncFactory = Callable[[], Transport]
AsyncFactory = Callable[[], AsyncTransport]


class TransportPair(Record, frozen=True):
    """The factories of a named transport, one per colour; None if it has no such colour."""

    sync: SyncFactory | None = None
    asynchronous: AsyncFactory | None = None
    #: The ``defaults`` of its transports, which are not made before they are used.
    defaults: Mapping[str, str] = field(default_factory=dict)


def _lazy_factory(module: str, name: str) -> Callable[[], object]:
    """Return a factory that imports its module when it is called, so that unused transports cost nothing."""

    def make() -> object:
        return getattr(import_module(f"muxi_transports.{module}"), name)()

    return make


_SHIPPED: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "requests": (("requests", "RequestsTransport"), ("aiohttp", "AiohttpTransport")),
    "urllib3": (("urllib3", "Urllib3Transport"), ("aiohttp", "AiohttpTransport")),
    "aiohttp": (("requests", "RequestsTransport"), ("aiohttp", "AiohttpTransport")),
    "memory": (("memory", "MemoryTransport"), ("memory", "AsyncMemoryTransport")),
}

#: Where the defaults of shipped transports are, by module and name.
_SHIPPED_DEFAULTS: dict[str, tuple[str, str]] = {"memory": ("memory.transport", "DEFAULTS")}

_registered: dict[str, TransportPair] = {}

#: What stands between clients and their transports.
Interposed = Callable[[Transport | AsyncTransport], Transport | AsyncTransport]
_interposed: list[Interposed] = []


@check_arguments()
def register_transport(
    name: str,
    sync: SyncFactory | None = None,
    asynchronous: AsyncFactory | None = None,
    *,
    defaults: Mapping[str, str] | None = None,
) -> None:
    """Register a transport by name for every client of this process.

    Args:
        name: what ``transport=`` and ``MUXI_TRANSPORT`` will say.
        sync: returns a new transport for sync clients, called without arguments.
        asynchronous: the same for async clients.
        defaults: settings of clients that are given none, as :attr:`muxi.transport.Transport.defaults`.
    """
    _registered[name] = TransportPair(sync, asynchronous, defaults or {})


@check_arguments()
def interpose(function: Interposed) -> Callable[[], None]:
    """Pass every transport that clients of this process take from now on through a function.

    For tools that look after a whole run, such as one that keeps tests off the network. Transports that hold other
    transports pass those through it too.

    Args:
        function: returns the transport, or one of the same colour around it.

    Returns:
        A function that ends it; transports that were taken before stay as they are.
    """
    _interposed.append(function)
    return lambda: _interposed.remove(function)


class TransportRegistry:
    """The transports of one client by name: those of the process, and those its plugins add."""

    def __init__(self) -> None:
        self._own: dict[str, TransportPair] = {}

    @check_arguments()
    def register(self, name: str, sync: SyncFactory | None = None, asynchronous: AsyncFactory | None = None) -> None:
        """As :func:`register_transport`, for one client."""
        self._own[name] = TransportPair(sync, asynchronous)

    def names(self) -> list[str]:
        """All names that are known, sorted."""
        return sorted({*_SHIPPED, *_registered, *self._own, *_entry_points()})

    def make_sync(self, choice: str | Transport | SyncFactory | object) -> tuple[Transport, bool]:
        """Return the transport for the argument, and whether the client owns (and so closes) it."""
        made, owned = self._make(choice, asynchronous=False)
        refuse_wrong_colour(made, Transport)
        assert isinstance(made, Transport)  # noqa: S101  told to the type checker; refused above otherwise
        return made, owned

    def make_async(self, choice: str | AsyncTransport | AsyncFactory | object) -> tuple[AsyncTransport, bool]:
        """As :meth:`make_sync`, for async clients."""
        made, owned = self._make(choice, asynchronous=True)
        refuse_wrong_colour(made, AsyncTransport)
        assert isinstance(made, AsyncTransport)  # noqa: S101  as above
        return made, owned

    def _make(self, choice: object, *, asynchronous: bool) -> tuple[object, bool]:
        made, owned = choice, False
        if isinstance(choice, str):
            made, owned = self.factory(choice, asynchronous=asynchronous)(), True
        elif isinstance(choice, type) and not issubclass(choice, Transport | AsyncTransport):
            raise ConfigurationError(f"transport= takes a transport or a function that returns one, got {choice!r}")
        elif callable(choice) and not isinstance(choice, Transport | AsyncTransport):
            made, owned = choice(), True
        for function in _interposed:
            if isinstance(made, Transport | AsyncTransport):
                made = function(made)
        return made, owned

    def factory(self, name: str, *, asynchronous: bool) -> Callable[[], object]:
        """Return the factory of a named transport; nothing is imported yet, except an entry point's.

        Raises:
            ConfigurationError: the name is unknown, or has no transport of this colour.
        """
        pair = self._own.get(name) or _registered.get(name)
        if pair is None and name in _SHIPPED:
            return _lazy_factory(*_SHIPPED[name][asynchronous])
        if pair is None and name in _entry_points():
            pair = _load_transport(_entry_points()[name])
        if pair is None:
            raise ConfigurationError(
                f"there is no transport named {name!r}; known are {', '.join(self.names())}. "
                "Register it with muxi.register_transport(), by a plugin, or by an entry point of the group "
                f"{ENTRY_POINT_GROUP!r}; the name comes from transport= or MUXI_TRANSPORT"
            )
        factory = pair.asynchronous if asynchronous else pair.sync
        if factory is None:
            raise ConfigurationError(
                f"the transport {name!r} has no {'async' if asynchronous else 'sync'} form; "
                f"use it with {'a sync' if asynchronous else 'an async'} client, or choose another"
            )
        return factory


@lru_cache(maxsize=1)
def _entry_points() -> dict[str, EntryPoint]:
    """Return the transports that installed distributions announce."""
    return {point.name: point for point in announced(ENTRY_POINT_GROUP)}


def _load_transport(point: EntryPoint) -> TransportPair:
    try:
        loaded = point.load()
    except Exception as error:
        raise ConfigurationError(
            f"the installed transport {point.name!r} ({point.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if isinstance(loaded, TransportPair):
        return loaded
    if isinstance(loaded, type) and issubclass(loaded, AsyncTransport):
        return TransportPair(asynchronous=loaded)
    return TransportPair(sync=loaded)


def transport_defaults(choice: object) -> Mapping[str, str]:
    """Return the settings that a transport has for clients that are given none.

    Args:
        choice: a name, or a transport. A function that makes one is not called for it.
    """
    if isinstance(choice, str):
        pair = _registered.get(choice)
        if pair is None and choice in _SHIPPED_DEFAULTS:
            module, name = _SHIPPED_DEFAULTS[choice]
            found: Mapping[str, str] = getattr(import_module(f"muxi_transports.{module}"), name)
            return found
        return pair.defaults if pair is not None else {}
    return choice.defaults if isinstance(choice, Transport | AsyncTransport) else {}


def chosen_transport(choice: object | None) -> object:
    """Return the caller's choice, else the environment's, else the default."""
    if choice is not None:
        return choice
    return os.environ.get("MUXI_TRANSPORT", "").strip() or DEFAULT_TRANSPORT
