"""The two lanes of the transports over urllib3's connections; threads, forks and closing."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from muxi.transport import Request, Response, Transport
from muxi_transports.http.attempt import invalid_request
from muxi_transports.http.settings import HttpSettings, Way
from muxi_transports.http.unix import rebased
from muxi_transports.http.wire import split_url
from muxi_transports.pooled.answer import PooledAnswer, exchange
from muxi_transports.pooled.direct import open_direct_pool
from muxi_transports.pooled.failures import translated
from muxi_transports.pooled.idle import DirectPool
from muxi_transports.pooled.lease import ConnectionLease
from muxi_transports.pooled.order import Order
from muxi_transports.pooled.response import DirectResponse, EndableResponse
from muxi_transports.pooled.routes import Route, refuse_fork, route_of
from muxi_transports.pooled.watch import Watch, WatchState

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool

    from muxi_transports.pooled.full import FullLease

__all__ = ["PooledTransport"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PROXY_AUTHENTICATION_REQUIRED = 407


class _Origin:
    """The route to an origin and its pools, each opened when its lane is first used."""

    __slots__ = ("_settings", "_way", "direct", "full", "route")

    def __init__(self, way: Way, settings: HttpSettings) -> None:
        self._way = way
        self._settings = settings
        self.route: Route = route_of(way)
        self.direct: DirectPool | None = None
        self.full: HTTPConnectionPool | None = None

    def open_direct(self) -> DirectPool:
        pool = self.direct = open_direct_pool(self._way, self._settings)
        return pool

    def open_full(self) -> HTTPConnectionPool:
        from muxi_transports.pooled.full import open_full_pool  # it imports urllib3

        pool = self.full = open_full_pool(self._way, self._settings)
        return pool

    def drop_idle(self) -> None:
        """Close the idle connections of both lanes; those at work are closed when their answers end."""
        pools, self.direct, self.full = (self.direct, self.full), None, None
        for pool in pools:
            if pool is not None:
                pool.close()


class _State(NamedTuple):
    """Everything that is made anew after a fork."""

    pid: int
    lock: threading.Lock
    origins: dict[str, _Origin]
    #: The requests that wait for their answers, and the answers that are not read to their end.
    live: set[ConnectionLease]


class PooledTransport(Transport):
    """A transport that keeps urllib3's connections and shares them between threads.

    Args:
        settings: the options of the transport.
        watch: looks whether the direct lane may be taken; None never takes it.
    """

    def __init__(self, settings: HttpSettings, watch: Watch | None) -> None:
        refuse_fork()
        self._settings = settings
        self._watch = watch
        self._seen_state: object = None
        self._start()

    def _start(self) -> None:
        self._state = _State(os.getpid(), threading.Lock(), {}, set())

    def send(self, request: Request) -> Response:
        """Send and return with the head of the answer; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConnectionError: ``CONNECTION_REFUSED``, ``DNS_ERROR``, ``TLS_ERROR``, ``PROXY_ERROR``,
                ``PROXY_AUTHENTICATION`` or ``CONNECTION_FAILED`` where no connection was made, else
                ``CONNECTION_LOST`` or ``INVALID_RESPONSE``.
            TimeoutError: ``CONNECT_TIMEOUT``, ``POOL_TIMEOUT``, ``READ_TIMEOUT`` or ``TIMEOUT``.
            ConfigurationError: the URL, the proxy or a certificate cannot be used.
        """
        if self._state.pid != os.getpid():
            self._start_in_child()
        base, target = split_url(request.url)
        if self._reason_against_direct(request.url) is not None:
            return self._finish_response(self._send_full(request, base, target), base, target)
        return self._finish_response(self._send_direct(request, base, target), base, target)

    def explain(self, url: str) -> str:
        """Describe the route to a URL, the trusted certificate authorities, and the lane of the next request.

        Nothing is sent, and nothing secret is shown::

            print(transport.explain("https://formation.example.org"))

        Raises:
            ConfigurationError: the URL, the proxy or a certificate cannot be used.
        """
        reason = self._reason_against_direct(url)
        return f"{self._settings.explain(url)}; lane: {'direct' if reason is None else f'full: {reason}'}"

    def close(self) -> None:
        """Free all connections, those at work too: a caller who waits for an answer gets a ``ConnectionError``."""
        state = self._state
        with state.lock:
            origins = list(state.origins.values())
            state.origins.clear()
        for lease in list(state.live):
            lease.end("transport")
        for origin in origins:
            origin.drop_idle()
        self._settings.forget()

    def _start_in_child(self) -> None:
        """Forget what was inherited by a fork: a connection that two processes use serves neither."""
        self._start()

    # -- lanes -------------------------------------------------------------------------------------------------

    def _reason_against_direct(self, url: str) -> str | None:
        """Why the next request takes the full lane; None where it takes the direct one."""
        if self._watch is None:
            return "direct=False"
        verdict = self._watch.look()
        if verdict.state is not self._seen_state:
            self._note_change(verdict)
        return verdict.reason

    def _note_change(self, verdict: WatchState) -> None:
        """Drop idle connections and TLS contexts: they were made by what has been replaced, or by what replaced it."""
        state = self._state
        with state.lock:
            self._seen_state, known = verdict.state, self._seen_state
            if known is None:
                return
            origins = list(state.origins.values())
            state.origins.clear()
            self._settings.forget()
        for origin in origins:
            origin.drop_idle()

    def _send_direct(self, request: Request, base: str, target: str) -> EndableResponse:
        origin = self._state.origins.get(base) or self._find_origin(base)
        live = self._state.live
        order = _prepare(request, origin.route, target)

        def carry() -> PooledAnswer:
            pool = origin.direct or origin.open_direct()
            lease = pool.take(order.attempt, live, is_tunnelled=origin.route.is_tunnelled)
            return exchange(lease, order.head, order.method)

        return DirectResponse(translated(carry, order.attempt))

    def _send_full(self, request: Request, base: str, target: str) -> EndableResponse:
        """Send through the library from its outermost function on."""
        from muxi_transports.pooled.full import FullLease, carrying  # it imports urllib3

        origin = self._state.origins.get(base) or self._find_origin(base)
        route = origin.route
        order = _prepare(request, route, target)  # refuses what the direct lane refuses
        lease = FullLease(order.attempt, self._state.live, route.prefix + target, request.method)
        token = carrying.set(lease)
        try:
            return translated(lambda: self._receive(request, route, lease), lease.attempt)
        except BaseException:
            lease.close()
            raise
        finally:
            carrying.reset(token)

    @abstractmethod
    def _receive(self, request: Request, route: Route, lease: FullLease) -> EndableResponse:
        """Send a request by the library, and read the head of its answer."""

    def _pool_for(self, url: str) -> HTTPConnectionPool:
        """The pool of the full lane for a URL."""
        base, _ = split_url(url)
        origin = self._state.origins.get(base) or self._find_origin(base)
        return origin.full or origin.open_full()

    def _find_origin(self, base: str) -> _Origin:
        origin = _Origin(self._settings.way_to(base), self._settings)
        with self._state.lock:
            return self._state.origins.setdefault(base, origin)

    def _finish_response(self, response: EndableResponse, base: str, target: str) -> EndableResponse:
        """An answer with the target of its redirect as it is reached; that of a proxy for itself is refused."""
        status = response.status
        if status < 300:
            return response
        route = self._find_route(base)
        if status in _REDIRECTS and route.socket is not None and "location" in response.headers:
            response.headers["Location"] = rebased(response.headers["location"], base, target)
        elif status == _PROXY_AUTHENTICATION_REQUIRED and self._is_forwarded(route, response):
            response.close()
            raise response.attempt.refused_by_proxy(f"{status} {response.reason}".rstrip())
        return response

    def _is_forwarded(self, route: Route, response: EndableResponse) -> bool:
        """Return whether an answer may be that of a forwarding proxy."""
        return route.is_forwarded

    def _find_route(self, base: str) -> Route:
        origin = self._state.origins.get(base) or self._find_origin(base)
        return origin.route


def _prepare(request: Request, route: Route, target: str) -> Order:
    """A request ready to be sent.

    Raises:
        ConfigurationError: the method, the target or a header cannot be sent.
    """
    try:
        return Order(request, route, target)
    except ValueError as error:
        failure = invalid_request(error)
    raise failure  # out here it is not chained to the other, whose frames hold the headers
