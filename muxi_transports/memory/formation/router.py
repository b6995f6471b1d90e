"""The routes of a formation, and the route of a request."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import SplitResult, unquote, urlunsplit

from muxi.transport import Request
from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.core import FormationCore
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.validation import Check, Field, Fields
from muxi_transports.memory.world import Answer, Pause

__all__ = ["FormationRoute", "Incoming", "Router"]


@dataclass
class Incoming:
    """A request that is authorized and valid.

    Args:
        formation: who is asked.
        request: the request as it came.
        is_admin: whether it came with the admin key.
        user: the user of the header; None where there is none.
        params: the variables of the path, decoded.
        query: the checked query.
        body: the checked body.
    """

    formation: FormationCore
    request: Request
    is_admin: bool
    user: str | None
    params: dict[str, str] = field(default_factory=dict)
    query: Fields = field(default_factory=Fields)
    body: Fields = field(default_factory=Fields)

    @property
    def owner(self) -> str:
        """The user, on a route that requires one."""
        if self.user is None:
            raise LookupError("the route does not require a user")
        return self.user


#: A route's work. One that returns a generator is run step by step, and may wait; the others run at once,
#: with the formation locked.
FormationHandler: TypeAlias = Callable[[Incoming], Success | Answer | Generator[Pause, None, Answer]]


@dataclass(frozen=True)
class FormationRoute:
    """One method of one path.

    Args:
        method: ``GET``, …
        path: ``/v1/sessions/{session_id}``; a variable is one whole segment.
        handler: what it does.
        level: the key it asks for.
        user: whether it needs the user header.
        query: the fields of its query.
        body: the check of its body; None where it reads none.
        body_optional: whether the body may be left out.
    """

    method: str
    path: str
    handler: FormationHandler
    level: Level = Level.EITHER
    user: UserRule = UserRule.ALWAYS
    query: tuple[Field, ...] = ()
    body: Check | None = None
    body_optional: bool = False

    def match(self, path: str) -> dict[str, str] | None:
        """The variables of a decoded path; None where it is not this one's."""
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given):
            return None
        params: dict[str, str] = {}
        for pattern, segment in zip(wanted, given, strict=True):
            if pattern.startswith("{"):
                if not segment:
                    return None
                params[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return params


class Router:
    """All routes; the first that matches is taken."""

    def __init__(self, routes: Iterable[FormationRoute]) -> None:
        self._routes = tuple(routes)

    def find(self, method: str, url: SplitResult) -> tuple[FormationRoute, dict[str, str]] | str:
        """The route of a request.

        A path is decoded before it is cut, so that an id with ``%2F`` in it matches nothing (the wire).

        Returns:
            The route and its variables; or where to go instead, for a path with a slash too many.

        Raises:
            ApiError: 404 for an unknown path, 405 for a wrong method.
        """
        path = unquote(url.path or "/", errors="surrogateescape")
        matches = [(route, params) for route in self._routes if (params := route.match(path)) is not None]
        for route, params in matches:
            if route.method == method:
                return route, params
        if matches:
            raise ApiError(405, "METHOD_NOT_ALLOWED", "Method Not Allowed")
        shorter = path.rstrip("/")
        if shorter != path and any(route.match(shorter) is not None for route in self._routes):
            return urlunsplit(url._replace(path=url.path.rstrip("/"), fragment=""))
        raise ApiError(404, "RESOURCE_NOT_FOUND", "Not Found")
