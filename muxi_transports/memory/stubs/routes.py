"""The routes of the platform, to refuse stubs that no request of a client can meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import cache

from muxi.errors import ConfigurationError
from muxi_transports.memory.formation.routes import ROUTES as FORMATION_ROUTES
from muxi_transports.memory.server.routes import ROUTES as SERVER_ROUTES
from muxi_transports.memory.stubs.matching import PathPattern

__all__ = ["check_route", "has_route", "nearest_route"]

#: Where the proxy of a server has the routes of its formations.
_PROXIES = ("/api/{formation_id}", "/draft/{formation_id}")


def check_route(method: str, path: str, what: str = "stub") -> None:
    """Refuse a stub for a route that the platform does not have, or a check of one.

    Args:
        method: ``GET``, …; ``*`` is any.
        path: a pattern of paths.
        what: what is refused, for the message.

    Raises:
        ConfigurationError: no route fits; the message names the nearest one.
    """
    if not has_route(method, path):
        raise ConfigurationError(
            f"the platform has no route {method.upper()} {path}, so no request would meet this {what}; the nearest is "
            f"{nearest_route(method, path)}. A {what} for a route of another service takes unlisted=True"
        )


def has_route(method: str, path: str) -> bool:
    """True if some route of the platform has this method, and a path that the pattern fits."""
    wanted, pattern = method.upper(), PathPattern(path)
    return any(
        (wanted in ("*", "OPTIONS", known) or known == "*") and pattern.overlaps(route) for known, route in _routes()
    )


def nearest_route(method: str, path: str) -> str:
    """Return the route that is most like a method and a pattern."""
    pattern, likeness = PathPattern(path), _likeness(f"{method.upper()} {path}")
    # A route of this path with another method is nearer than all others.
    ranked = {f"{known} {route.text}": pattern.overlaps(route) for known, route in _routes() if known != "*"}
    return max(ranked, key=lambda other: (ranked[other], likeness(other)))


def _likeness(line: str) -> Callable[[str], float]:
    """Return a function that ranks lines by their likeness to one."""
    return lambda other: SequenceMatcher(None, other, line).ratio()


@cache
def _routes() -> tuple[tuple[str, PathPattern], ...]:
    return tuple((method, PathPattern(path)) for method, path in _lines())


def _lines() -> Iterator[tuple[str, str]]:
    for route in FORMATION_ROUTES:
        yield route.method, route.path
    for server_route in SERVER_ROUTES:
        yield server_route.method, server_route.path
    for prefix in _PROXIES:
        for route in FORMATION_ROUTES:
            yield route.method, prefix + route.path
    yield "*", "/mcp/{formation_id}"
    yield "*", "/mcp/{formation_id}/**"
