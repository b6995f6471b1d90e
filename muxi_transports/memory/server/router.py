"""The routes of a server, and the one that a request is for."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qs

from muxi.transport import Request
from muxi_transports.memory.server.core import ServerCore
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ServerHandler", "ServerRoute", "ServerRouter", "ServerVisit"]


class ServerVisit(NamedTuple):
    """A request on its route.

    Args:
        server: where.
        request: as it came.
        formation_id: the variable of the path; empty where it has none.
        query: as it came.
    """

    server: ServerCore
    request: Request
    formation_id: str
    query: str

    def value(self, name: str) -> str:
        """A value of the query, the first of its name; empty where there is none."""
        return parse_qs(self.query, keep_blank_values=True).get(name, [""])[0]


#: Called with the state held. What waits, or reads a body, is a generator, and runs without it.
ServerHandler: TypeAlias = Callable[[ServerVisit], Answer | Generator[Pause, None, Answer]]


class ServerRoute(NamedTuple):
    """A route; ``{id}`` stands for one segment of the path."""

    method: str
    path: str
    handler: ServerHandler
    signed: bool = True


class ServerRouter:
    """Finds the route of a request.

    Args:
        routes: all of them.
    """

    def __init__(self, routes: Iterable[ServerRoute]) -> None:
        by_path: dict[str, dict[str, ServerRoute]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        self._patterns = [
            (re.compile(re.escape(path).replace(r"\{id\}", "([^/]+)")), methods) for path, methods in by_path.items()
        ]

    def find(self, method: str, path: str) -> tuple[ServerRoute | None, str] | None:
        """Find the route of a request, and the id in its path.

        Returns:
            None where there is no such path; no route where the path lacks the method.
        """
        for pattern, methods in self._patterns:
            if match := pattern.fullmatch(path):
                return methods.get(method), match[1] if pattern.groups else ""
        return None
