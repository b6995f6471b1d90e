"""A request as the direct lane sends it: plain values, worked out once."""

from __future__ import annotations

from muxi.transport import Request
from muxi_transports.http.attempt import Attempt, invalid_request
from muxi_transports.http.wire import sendable_headers
from muxi_transports.http1 import framing_field, request_head
from muxi_transports.pooled.routes import Route

__all__ = ["Order", "headers_on", "refuse_unsendable"]


class Order:
    """A request out of which only bytes remain to be sent.

    Args:
        request: what is sent.
        route: how its origin is reached.
        target: the request target, sent exactly as it is.

    Raises:
        ValueError: the method, the target or a header cannot be sent.
    """

    __slots__ = ("attempt", "head", "method")

    def __init__(self, request: Request, route: Route, target: str) -> None:
        headers = headers_on(request, route)
        if route.proxy_authorization is not None:
            headers.setdefault("Proxy-Authorization", route.proxy_authorization)
        self.method: str = request.method
        self.attempt: Attempt = Attempt(request, route.where, route.proxy, route.trust)
        self.head: bytes = request_head(request.method, route.prefix + target, route.host_header, headers)


def refuse_unsendable(request: Request, host: str, target: str) -> None:
    """Refuse for a session what the other lanes refuse, before the session sees it.

    Raises:
        ConfigurationError: the method, the target or a header cannot be sent.
    """
    try:
        request_head(request.method, target, host, sendable_headers(request.headers, request.body))
    except ValueError as error:
        failure = invalid_request(error)
    else:
        return
    raise failure  # out here it is not chained to the other, whose frames hold the headers


def headers_on(request: Request, route: Route) -> dict[str, str]:
    """The headers of a request, with its framing complete."""
    body = request.body
    headers = sendable_headers(request.headers, body, route.authorization)
    framing = framing_field(request.method, body=body is not None, length=None if body is None else body.length)
    if framing is not None:
        headers.setdefault(*framing)
    return headers
