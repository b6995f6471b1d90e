"""The routes of a server, and the one that a request is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from urllib.parse import parse_qs

from muxi.transport import Request
from muxi_transports.memory.world import Answer, Pause

if TYPE_CHECKING:
    from muxi_transports.memory.server.app import EmbeddedServer

__all__ = ["Handler", "Route", "Visit", "find_route"]


class Visit(NamedTuple):
    """A request on its route.

    Args:
        server: where.
        request: as it came.
        formation_id: the variable of the path; empty where it has none.
        query: as it came.
    """

    server: EmbeddedServer
    request: Request
    formation_id: str
    query: str

    def value(self, name: str) -> str:
        """A value of the query, the first of its name; empty where there is none."""
        return parse_qs(self.query, keep_blank_values=True).get(name, [""])[0]


#: Called with the state held. What waits, or reads a body, is a generator, and runs without it.
Handler: TypeAlias = "Callable[[Visit], Answer | Generator[Pause, None, Answer]]"


class Route(NamedTuple):
    """A route; ``{id}`` stands for one segment of the path."""

    method: str
    path: str
    handler: Handler
    signed: bool = True


def find_route(method: str, path: str) -> tuple[Route | None, str] | None:
    """The route of a request, and the id in its path.

    Returns:
        None where there is no such path; no route where it does not have the method.
    """
    for pattern, routes in _patterns():
        if match := pattern.fullmatch(path):
            return routes.get(method), match[1] if pattern.groups else ""
    return None


@cache
def _patterns() -> list[tuple[re.Pattern[str], dict[str, Route]]]:
    # The routes know the server they are for, so they are loaded when one is asked.
    from muxi_transports.memory.server.routes import ROUTES

    by_path: dict[str, dict[str, Route]] = {}
    for route in ROUTES:
        by_path.setdefault(route.path, {})[route.method] = route
    return [(re.compile(re.escape(path).replace(r"\{id\}", "([^/]+)")), routes) for path, routes in by_path.items()]
