"""Calls by method and path, for routes that the platform has and the SDK has no method for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from muxi.call import Call, Key, Repeat, Scalar, invalid_parameter
from muxi.client.endpoints import operation
from muxi.client.handmade import METHODS, check_path
from muxi.redact import show_value

__all__ = ["FormationRequestOperations", "ServerRequestOperations"]

M = TypeVar("M", Key, Repeat)
V = TypeVar("V")

#: What a repetition does, as the caller declares it.
Safety = Literal["safe", "removal", "keyed", "never"]


class FormationRequestOperations:
    """Calls of a formation by method and path."""

    @operation
    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        query: Mapping[str, Scalar] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        key: Literal["client", "admin", "either", "none"] = "either",
        user_id: str | None = None,
        repeat: Safety | None = None,
        timeout: float | None = None,
    ) -> Call[Any]:
        """Call a route of the formation that the SDK has no method for.

        The call has everything that other calls have: hooks, keys, retries, typed errors, request ids. As a value it
        is ``FormationClient.request.call(…)``; :class:`muxi.Call` has more settings, and
        :class:`muxi.StreamCall` is for routes that answer by a stream.

        ::

            agents = formation.request("GET", "/agents", key="admin")
            agent = formation.request("GET", "/agents/{agent_id}", params={"agent_id": "desk"}, key="admin")

        Args:
            method: ``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
            path: the route below the version path, such as ``/agents/{agent_id}``, without a query.
            params: values for the names in braces; each is percent-encoded as one segment.
            query: the query parameters; None is left out.
            body: what is sent as JSON; None is no body.
            headers: headers of this call alone.
            key: the key that the route takes: ``client``, ``admin``, ``either`` (the client key if there is one) or
                ``none``.
            user_id: the user whom the call is for.
            repeat: what a second time would do: ``safe`` (nothing new; the default of GET), ``removal`` (a DELETE that
                may find nothing then), ``keyed`` (the platform joins it to the first by the idempotency key) or
                ``never`` (the work is done twice; the default of all other methods). It decides whether the call is
                repeated after a connection died or a gateway failed.
            timeout: seconds for one attempt, where it needs more than the client's.

        Returns:
            The data of the answer, unchanged.

        Raises:
            ValidationError: method, path, ``key`` or ``repeat`` are no such thing; nothing has been sent.
            MuxiError: the formation refused, or there is no answer.
        """
        return Call(
            *_checked(method, path),
            params=_mapping("params", params),
            query=_mapping("query", query),
            body=body,
            headers=_mapping("headers", headers),
            key=_member("key", Key, key, ("client", "admin", "either", "none")),
            user_id=user_id,
            repeat=_safety(method, repeat),
            timeout=timeout,
        )


class ServerRequestOperations:
    """Calls of a server by method and path."""

    @operation
    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        query: Mapping[str, Scalar] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
        repeat: Safety | None = None,
        timeout: float | None = None,
    ) -> Call[Any]:
        """Call a route of the server that the SDK has no method for, as :meth:`muxi.FormationClient.request`.

        ::

            status = server.request("GET", "/rpc/server/status")

        Args:
            method: as there.
            path: the whole path, such as ``/rpc/formations/{formation_id}``, without a query.
            params: as there.
            query: as there.
            body: as there.
            headers: as there.
            signed: whether the route wants the signature; ``/health`` and ``/ping`` do not.
            repeat: as there.
            timeout: as there.

        Returns:
            The data of the answer, unchanged.

        Raises:
            ValidationError: method, path or ``repeat`` are no such thing; nothing has been sent.
            MuxiError: the server refused, or there is no answer.
        """
        return Call(
            *_checked(method, path),
            params=_mapping("params", params),
            query=_mapping("query", query),
            body=body,
            headers=_mapping("headers", headers),
            key=Key.SIGNATURE if signed else Key.NONE,
            repeat=_safety(method, repeat),
            timeout=timeout,
        )


def _checked(method: object, path: object) -> tuple[str, str]:
    """Return the method in capitals and the path.

    Raises:
        ValidationError: either cannot be sent.
    """
    if not isinstance(method, str) or method.upper() not in METHODS:
        raise invalid_parameter("method", f"is one of {', '.join(METHODS)}, got {show_value(method)}")
    check_path(path)
    return method.upper(), str(path)


def _mapping(argument: str, value: Mapping[str, V] | None) -> dict[str, V]:
    given: object = value
    if given is not None and not isinstance(given, Mapping):
        raise invalid_parameter(argument, f"takes a mapping, got {type(given).__name__}")
    return dict(value or {})


def _safety(method: str, repeat: Safety | None) -> Repeat:
    if repeat is None:
        return Repeat.SAFE if method.upper() == "GET" else Repeat.NEVER
    return _member("repeat", Repeat, repeat, tuple(one.value for one in Repeat))


def _member(argument: str, kind: Callable[[object], M], value: object, allowed: tuple[str, ...]) -> M:
    if value not in allowed:
        raise invalid_parameter(argument, f"is one of {', '.join(allowed)}, got {show_value(value)}")
    return kind(value)
