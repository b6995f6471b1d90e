"""What the transports over urllib3's connections have in common: routes, threads, forks, closing."""

from __future__ import annotations

import os
import threading
import weakref
from abc import abstractmethod

from muxi.transport import Request, Response, Transport
from muxi_transports.http.attempt import invalid_request
from muxi_transports.http.settings import HttpSettings
from muxi_transports.http.unix import rebased
from muxi_transports.http.wire import split_url
from muxi_transports.pooled.answer import Answer
from muxi_transports.pooled.connection import Order, refuse_fork
from muxi_transports.pooled.failures import translated
from muxi_transports.pooled.response import EndableResponse, PooledResponse
from muxi_transports.pooled.routes import Route, open_route

__all__ = ["PooledTransport"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PROXY_AUTHENTICATION_REQUIRED = 407


class PooledTransport(Transport):
    """A transport that keeps urllib3's connections and shares them between threads."""

    def __init__(self, settings: HttpSettings) -> None:
        refuse_fork()
        self._settings = settings
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._routes: dict[str, Route] = {}
        self._open: weakref.WeakSet[EndableResponse] = weakref.WeakSet()

    @abstractmethod
    def _carry(self, order: Order) -> Answer:
        """Send over the pool of the order's route."""

    def send(self, request: Request) -> Response:
        """Send and return with the head of the answer; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConnectionError: ``CONNECTION_REFUSED``, ``DNS_ERROR``, ``TLS_ERROR``, ``PROXY_ERROR``,
                ``PROXY_AUTHENTICATION`` or ``CONNECTION_FAILED`` where no connection was made, else
                ``CONNECTION_LOST`` or ``INVALID_RESPONSE``.
            TimeoutError: ``CONNECT_TIMEOUT``, ``POOL_TIMEOUT``, ``READ_TIMEOUT`` or ``TIMEOUT``.
            ConfigurationError: the URL, the proxy or a certificate is of no use.
        """
        if self._pid != os.getpid():
            self._start_in_child()
        response = self._send(request)
        with self._lock:
            self._open.add(response)
        return response

    def _send(self, request: Request) -> EndableResponse:
        base, target = split_url(request.url)
        route = self._routes.get(base) or self._open_route(base)
        try:
            order = Order(request, route, target)
        except ValueError as error:
            raise invalid_request(error) from error
        with translated(order.attempt):
            answer = self._carry(order)
        response = PooledResponse(answer, order.attempt)
        if response.status in _REDIRECTS and route.socket is not None and "location" in response.headers:
            response.headers["Location"] = rebased(response.headers["location"], base, target)
        elif response.status == _PROXY_AUTHENTICATION_REQUIRED and route.is_forwarded:
            response.close()
            raise order.attempt.refused_by_proxy(f"{response.status} {response.reason}".rstrip())
        return response

    def explain(self, url: str) -> str:
        """How a URL is reached: directly or through which proxy, and which certificate authorities are trusted.

        Nothing is sent, and nothing secret is shown::

            print(transport.explain("https://formation.example.org"))

        Raises:
            ConfigurationError: the URL, the proxy or a certificate is of no use.
        """
        return self._settings.explain(url)

    def close(self) -> None:
        """Free all connections, those at work too: who reads from one gets a ``ConnectionError``."""
        with self._lock:
            routes, self._routes = self._routes, {}
            responses = list(self._open)
        for response in responses:
            response.end("transport")
        for route in routes.values():
            route.pool.close()
        self._settings.forget()

    def _start_in_child(self) -> None:
        """Forget what was inherited by a fork: a connection that two processes use serves neither."""
        self._start()

    def _open_route(self, base: str) -> Route:
        route = open_route(base, self._settings)
        with self._lock:
            return self._routes.setdefault(base, route)
