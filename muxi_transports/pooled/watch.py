"""Detection of tools that patch requests, urllib3, http.client or sockets; the direct lane is used only without them.

Mocks, recorders and monitors replace functions and classes of these libraries. The direct lane does not call them, so
that it would hide a request from the tool. A :class:`Watch` compares everything that the direct lane leaves out with
what the libraries themselves had, by identity, which takes about a microsecond.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, NamedTuple

from muxi.forks import renew_after_fork
from muxi_transports.pooled.tools import is_genuine, tool_behind

__all__ = ["Watch", "WatchState"]

_POOL = ("urlopen", "_make_request", "_get_conn", "_put_conn", "_new_conn", "ConnectionCls")
_CONNECTION = ("request", "putrequest", "putheader", "endheaders", "send", "connect", "getresponse")

# Finders on sys.meta_path that replace nothing in HTTP libraries, by the first part of their module's name; the last
# two are Python's own.
_HARMLESS_FINDERS = frozenset({"_distutils_hack", "_pytest", "six", "_frozen_importlib", "_frozen_importlib_external"})

_urllib3_log = logging.getLogger("urllib3.connectionpool")


class WatchState(NamedTuple):
    """The result of an inspection."""

    #: Why the full lane is taken; None where the direct one may be.
    reason: str | None
    #: The same object as long as nothing has been replaced: idle connections of another state are dropped.
    state: object


class _Part(NamedTuple):
    """An attribute of a library that tools replace."""

    #: As the reason names its owner.
    label: str
    owner: Any
    name: str


class _Inspected(NamedTuple):
    """The attributes as last inspected."""

    is_unchanged: Callable[[], bool]
    verdict: WatchState


class Watch:
    """Looks at everything that the direct lane leaves out.

    What has not been imported has not been replaced; so the libraries are not imported for the look. They come under
    it as soon as they are there.

    Args:
        library: the one by which the full lane sends. What is on top of it does not count.
    """

    def __init__(self, library: Literal["requests", "urllib3"]) -> None:
        self._library = library
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        #: urllib3 and requests as they were found, or None.
        self._urllib3: ModuleType | None = None
        self._requests: ModuleType | None = None
        self._finders: list[object] = []
        self._inspected = _inspect(self._parts())

    def look(self) -> WatchState:
        """Inspect the libraries and return the current state."""
        modules = sys.modules
        if modules.get(self._library) is None and sys.meta_path != self._finders:
            self._look_at_finders()
        inspected = self._inspected
        if modules.get("urllib3") is not self._urllib3 or (
            self._library == "requests" and modules.get("requests") is not self._requests
        ):
            inspected = self._find_libraries()
        if not inspected.is_unchanged():
            inspected = self._inspect_again()
        verdict = inspected.verdict
        if verdict.reason is None and _urllib3_log.isEnabledFor(logging.DEBUG) and _is_handled(_urllib3_log):
            return WatchState("the debug log of urllib3 has a handler", verdict.state)
        return verdict

    def _inspect_again(self) -> _Inspected:
        with self._lock:
            self._inspected = _inspect(self._parts())
            return self._inspected

    def _parts(self) -> list[_Part]:
        """Return the attributes to watch; a recorder at work changes the classes behind the names."""
        parts = (_base_parts() if self._urllib3 is None else _urllib3_parts()) + _python_parts()
        return parts if self._requests is None else parts + _requests_parts(self._requests)

    def _look_at_finders(self) -> None:
        """Import the library where an import hook may be waiting for it, so that a tool gets at it before the look."""
        finders: list[object] = list(sys.meta_path)
        if any(map(_may_wait_for_imports, finders)):
            import_module(self._library)
        else:
            self._finders = finders

    def _find_libraries(self) -> _Inspected:
        """Take into the watch what has been imported of the libraries, and leave out what is gone."""
        found: dict[str, ModuleType | None] = {"urllib3": sys.modules.get("urllib3"), "requests": None}
        if self._library == "requests":
            found["requests"] = sys.modules.get("requests")
        for name, module in found.items():
            if module is not None and _is_incomplete(module):
                return _Inspected(lambda: True, WatchState(f"{name} is being imported by another thread", None))
        with self._lock:
            known = self._inspected
            self._urllib3, self._requests = found["urllib3"], found["requests"]
            inspected = _inspect(self._parts())
            if inspected.verdict.reason is None and known.verdict.reason is None and known.is_unchanged():
                # A library more, as it is by itself: connections that were made without it are as good as before.
                inspected = _Inspected(inspected.is_unchanged, known.verdict)
            self._inspected = inspected
            return inspected


def _is_incomplete(module: ModuleType) -> bool:
    """Return whether another thread is half through importing urllib3 or requests."""
    specification = getattr(module, "__spec__", None)
    return bool(getattr(specification, "_initializing", False)) or not (
        hasattr(module, "Session") or hasattr(module, "PoolManager")
    )


def _python_parts() -> list[_Part]:
    """The attributes of what is below the libraries."""
    found = [
        _Part(label, owner, name)
        for label, owner, names in (
            ("http.client's HTTPConnection", _python_connection(), (*_CONNECTION, "_send_request")),
            ("http.client's HTTPResponse", _own_class(http.client.HTTPResponse, "http.client"), ("read", "close")),
        )
        for name in names
        if hasattr(owner, name)
    ]
    found += [
        _Part("socket", socket, "socket"),
        _Part("socket", socket, "create_connection"),
        _Part("ssl", ssl, "SSLContext"),
    ]
    return found


def _base_parts() -> list[_Part]:
    """The attributes that urllib3 would take over if it were imported now."""
    connection = _python_connection()
    found = [_Part("http.client", http.client, "HTTPConnection")]
    if hasattr(connection, "debuglevel"):
        found.append(_Part("HTTPConnection", connection, "debuglevel"))
    return found


def _python_connection() -> Any:  # Any: as below
    """http.client's class of connections; what is in its place where a recorder has put a class of its own there."""
    library = sys.modules.get("urllib3.connection")
    derived = getattr(library, "HTTPConnection", None)
    own = _own_class(derived, "http.client")
    return _own_class(http.client.HTTPConnection, "http.client") if own is derived else own


def _urllib3_parts() -> list[_Part]:
    """The attributes of urllib3."""
    pools, connections = import_module("urllib3.connectionpool"), import_module("urllib3.connection")
    of_pools = [_own_class(kind, pools.__name__) for kind in (pools.HTTPConnectionPool, pools.HTTPSConnectionPool)]
    found = [_Part(pool.__name__, pool, name) for pool in of_pools for name in _POOL]
    for kind, names in (
        (connections.HTTPConnection, (*_CONNECTION, "debuglevel")),
        (connections.HTTPSConnection, ("connect", "endheaders")),
    ):
        own = _own_class(kind, connections.__name__)
        found += [_Part(f"urllib3's {own.__name__}", own, name) for name in names]
    found += [
        _Part("urllib3.connectionpool", pools, "HTTPConnectionPool"),
        _Part("urllib3.connectionpool", pools, "HTTPSConnectionPool"),
    ]
    return found


def _own_class(found: Any, module: str) -> Any:  # Any: a class, or whatever a recorder has put into its place
    """A class of a library itself: recorders put a class derived from it into its place."""
    return next((kind for kind in getattr(found, "__mro__", ()) if kind.__module__ == module), found)


def _requests_parts(module: Any) -> list[_Part]:  # Any: the module
    sessions, adapters = sys.modules["requests.sessions"], sys.modules["requests.adapters"]
    session = next(kind for kind in sessions.Session.__mro__ if kind.__module__ == "requests.sessions")
    return [
        _Part("requests", module, "Session"),
        _Part("requests.sessions", sessions, "Session"),
        *(_Part("Session", session, name) for name in ("request", "prepare_request", "send", "get_adapter")),
        _Part("HTTPAdapter", adapters.HTTPAdapter, "send"),
    ]


def _inspect(parts: Sequence[_Part]) -> _Inspected:
    """Look at each attribute closely: whether it is the library's own."""
    values = [_value_of(part) for part in parts]
    reason = None
    for part, value in zip(parts, values, strict=True):
        if part.name == "SSLContext":
            continue  # both lanes use it; what was made with another class is dropped, and nothing is hidden
        if part.name == "debuglevel":
            reason = "http.client prints its debug output (debuglevel)" if value else None
        elif not is_genuine(value, _home_of(part)):
            reason = f"{part.label}.{part.name} has been replaced by {tool_behind(value)}"
        if reason is not None:
            break
    return _Inspected(_comparison(parts, values), WatchState(reason, object()))


def _holder_of(part: _Part) -> Any:  # Any: a class or a module
    """The class or module in whose namespace an attribute is."""
    if isinstance(part.owner, type):
        return next((kind for kind in part.owner.__mro__ if part.name in vars(kind)), part.owner)
    return part.owner


def _value_of(part: _Part) -> Any:
    """Return an attribute's raw value from its namespace; wrapt's wrappers make a new object for each access."""
    return vars(_holder_of(part)).get(part.name)


def _home_of(part: _Part) -> str:
    """The module that defines an attribute."""
    if part.name == "ConnectionCls":
        return "urllib3.connection"
    if isinstance(part.owner, type):
        return str(_holder_of(part).__module__)
    if part.label == "requests":
        return "requests.sessions"
    return str(part.owner.__name__)


def _comparison(parts: Sequence[_Part], values: Sequence[Any]) -> Callable[[], bool]:
    """A function that says whether each attribute is the same object as it was, with the same code.

    It is compiled out of the list, because a loop over it would take as long as half a request. Equality does not do:
    proxies of wrapt are equal to what they wrap. Some tools leave a function and exchange its code.
    """
    names: dict[str, Any] = {}
    terms: list[str] = []
    for index, (part, value) in enumerate(zip(parts, values, strict=True)):
        owner = next((name for name, known in names.items() if known is part.owner), None)
        if owner is None:
            owner = f"owner{index}"
            names[owner] = part.owner
        names[f"value{index}"] = value
        if getattr(part.owner, part.name) is value:
            terms.append(f"{owner}.{part.name} is value{index}")
        else:
            names[f"held{index}"] = vars(_holder_of(part))
            terms.append(f"held{index}.get('{part.name}') is value{index}")
        if hasattr(value, "__code__") and not any(value is earlier for earlier in values[:index]):
            names[f"code{index}"] = value.__code__
            terms.append(f"value{index}.__code__ is code{index}")
    same: Callable[[], bool] = eval(f"lambda: {' and '.join(terms)}", names)  # noqa: S307  of the list above alone
    return same


def _may_wait_for_imports(finder: object) -> bool:
    """Return whether a finder may be a tool's, which replaces parts of a module as soon as it is imported."""
    kind = finder if isinstance(finder, type) else type(finder)
    root = kind.__module__.partition(".")[0]
    return (
        root not in _HARMLESS_FINDERS
        and not root.startswith("__editable__")
        and kind.__name__ != "_SixMetaPathImporter"
    )


def _is_handled(logger: logging.Logger) -> bool:
    """Return whether a debug message would reach a handler."""
    handlers: list[logging.Handler] = []
    log: logging.Logger | None = logger
    while log is not None:
        handlers += log.handlers
        log = log.parent if log.propagate else None
    return any(handler.level <= logging.DEBUG and not isinstance(handler, logging.NullHandler) for handler in handlers)
