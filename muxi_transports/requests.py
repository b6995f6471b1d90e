"""The default transport: requests, by its adapter alone, or by a session of the user's own."""

from __future__ import annotations

import os
import ssl
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import requests
import requests.adapters
import urllib3
import urllib3.util
from urllib3.connectionpool import HTTPConnectionPool

from muxi.errors import ConfigurationError
from muxi.transport import BytesBody, Request, Response, Transport
from muxi_transports._attempt import Attempt, invalid_request
from muxi_transports._urllib3_connection import POOL_CLASSES, Order, as_bytes, refuse_fork
from muxi_transports._urllib3_response import Urllib3Response, translated
from muxi_transports._wire import (
    parse_origin,
    proxy_address,
    proxy_for,
    sendable_headers,
    split_url,
    tls_context,
)

if TYPE_CHECKING:
    from requests.structures import CaseInsensitiveDict
    from urllib3.response import BaseHTTPResponse

__all__ = ["RequestsTransport"]


class RequestsTransport(Transport):
    """Sends over requests, whose connections it keeps and shares between threads.

    Without a session of yours it takes the short path: the adapter of requests without what its sessions look
    up anew for every request. Proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificate
    authorities (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE) of the environment are looked up once per host;
    ``.netrc`` is never read, cookies are not kept.

    Args:
        session: a session of your own, with its authentication, cookies, adapters and proxies; requests go
            through all of it. It is never closed here. Set it up before you give it: the other arguments do
            not apply to it.
        verify: whether TLS certificates are verified, or the path of the authorities to trust instead.
        cert: a client certificate: the path of a file with certificate and key, or of one for each.
        proxies: proxy URLs by ``scheme://host``, by scheme, or for ``all``; they go before the environment's.
        trust_env: whether the environment is asked at all.
        pool_size: how many idle connections are kept per host; there may be more at work.

    Raises:
        ConfigurationError: the session comes with settings that are its own business, or urllib3 is not the
            real one.
    """

    def __init__(
        self,
        *,
        session: requests.Session | None = None,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        trust_env: bool = True,
        pool_size: int = 100,
    ) -> None:
        refuse_fork()
        if session is not None and (verify is not True or cert is not None or proxies is not None or not trust_env):
            raise ConfigurationError(
                "verify=, cert=, proxies= and trust_env= are set on the session itself, not beside it"
            )
        self._session = session
        self._verify = verify
        self._cert = cert
        self._proxies = dict(proxies or {})
        self._trust_env = trust_env
        self._pool_size = pool_size
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._adapter = _Adapter(self._pool_size)
        self._routes: dict[str, _Route] = {}
        self._open: weakref.WeakSet[Urllib3Response] = weakref.WeakSet()

    def send(self, request: Request) -> Response:
        """Send and return with the head of the answer; see :meth:`muxi.transport.Transport.send`.

        Raises:
            ConnectionError: ``CONNECTION_REFUSED``, ``DNS_ERROR``, ``TLS_ERROR``, ``PROXY_ERROR`` or
                ``CONNECTION_FAILED`` where no connection was made, else ``CONNECTION_LOST`` or ``INVALID_RESPONSE``.
            TimeoutError: ``CONNECT_TIMEOUT``, ``READ_TIMEOUT`` or ``TIMEOUT``.
            ConfigurationError: the URL or the proxy is not one.
        """
        if self._pid != os.getpid():
            self._start_in_child()
        response = self._send(request) if self._session is None else self._send_with(self._session, request)
        with self._lock:
            self._open.add(response)
        return response

    def close(self) -> None:
        """Free all connections, those at work too: who reads from one gets a ``ConnectionError``."""
        with self._lock:
            adapter, self._adapter = self._adapter, _Adapter(self._pool_size)
            routes, self._routes = self._routes, {}
            responses = list(self._open)
        for response in responses:
            response.end("transport")
        for route in routes.values():
            route.pool.close()
        adapter.close()

    def _start_in_child(self) -> None:
        """Forget what was inherited by a fork: a connection that two processes use serves neither."""
        if self._session is not None:
            for adapter in self._session.adapters.values():
                adapter.close()  # closes this process's copies; the parent's connections and the session live on
        self._start()

    # -- the short path ----------------------------------------------------------------------------------------

    def _send(self, request: Request) -> Urllib3Response:
        base, target = split_url(request.url)
        route = self._routes.get(base) or self._open_route(base)
        attempt = Attempt(request, route.where)
        attempt.proxy = route.proxy
        headers = sendable_headers(request.headers, request.body, route.authorization)
        order = Order(headers, route.prefix + target, attempt)
        prepared = _Prepared(request, order, route.pool)
        times = cast("tuple[float, float]", _connect_and_read(attempt))  # the stubs know no None in it
        with translated(attempt, foreign=route.foreign):
            received = self._adapter.send(prepared, stream=True, timeout=times)
        attempt.connected = True
        return Urllib3Response(received.raw, attempt, order.answer)

    def _open_route(self, base: str) -> _Route:
        origin = parse_origin(base)
        proxy = proxy_for(origin, self._proxies, self._trust_env)
        context = None
        if origin.scheme == "https" or (proxy or "").startswith("https:"):
            context = tls_context(self._verify, self._cert, self._trust_env)
        with self._lock:
            if base not in self._routes:
                pool = self._adapter.open_pool(origin.scheme, origin.host, origin.port, proxy, context)
                forwarded = proxy is not None and origin.scheme == "http" and not proxy.startswith("socks")
                self._routes[base] = _Route(
                    pool,
                    where=origin.where,
                    prefix=f"http://{base.rpartition('//')[2].rpartition('@')[2]}" if forwarded else "",
                    proxy=None if proxy is None else proxy_address(proxy),
                    authorization=origin.authorization,
                    foreign=not isinstance(pool, tuple(POOL_CLASSES.values())),
                )
            return self._routes[base]

    # -- a session of the user's -------------------------------------------------------------------------------

    def _send_with(self, session: requests.Session, request: Request) -> Urllib3Response:
        base, _ = split_url(request.url)
        attempt = Attempt(request, parse_origin(base).where)
        # requests works the framing out by itself: stated twice, it would send both kinds.
        headers = sendable_headers(request.headers, request.body)
        for name in ("Content-Length", "Accept-Encoding"):
            if name not in request.headers or name == "Content-Length":
                headers.pop(name, None)
        attempt.await_head()  # as far as one can know from outside
        with translated(attempt, foreign=True):
            try:
                received = session.request(
                    request.method,
                    request.url,
                    data=_for_session(attempt),
                    headers=cast("dict[str, str]", as_bytes(headers)),
                    stream=True,
                    allow_redirects=False,
                    timeout=_connect_and_read(attempt),
                )
            except (
                requests.exceptions.InvalidURL,
                requests.exceptions.InvalidSchema,
                requests.exceptions.MissingSchema,
                requests.exceptions.InvalidHeader,
            ) as error:
                raise invalid_request(error) from error
        attempt.connected = True
        # A hook of the session may have read the body already (to log it); then requests has kept it.
        content = received.content if getattr(received, "_content_consumed", False) else None
        return Urllib3Response(received.raw, attempt, content=content)


class _Route(NamedTuple):
    """How an origin is reached: looked up once, used for every request to it."""

    pool: HTTPConnectionPool
    where: str
    #: What stands before the path in a request to a forwarding proxy.
    prefix: str
    proxy: str | None
    authorization: str | None
    #: Whether its connections are not ours (a SOCKS proxy's), so that they keep time bounds less strictly.
    foreign: bool


class _Prepared(requests.PreparedRequest):
    """A request that needs no more preparation."""

    def __init__(self, request: Request, order: Order, pool: HTTPConnectionPool) -> None:
        super().__init__()
        self.method = request.method
        self.url = order.target
        # requests and urllib3 only look names up and hand the mapping on.
        self.headers = cast("CaseInsensitiveDict[str]", order)
        body = request.body
        # typeshed wants bytes here; requests and urllib3 take any iterable of them.
        self.body = body.content if isinstance(body, BytesBody) else cast(Any, body and order.attempt.pieces())
        self.pool = pool


class _Adapter(requests.adapters.HTTPAdapter):
    """The adapter of requests, told beforehand what it would work out for each request."""

    def __init__(self, pool_size: int) -> None:
        # No retries at all: whether a request may be repeated is not for a library to guess.
        super().__init__(pool_connections=100, pool_maxsize=pool_size, max_retries=urllib3.util.Retry(False))
        self.poolmanager.pool_classes_by_scheme = POOL_CLASSES

    def open_pool(
        self, scheme: str, host: str, port: int, proxy: str | None, context: ssl.SSLContext | None
    ) -> HTTPConnectionPool:
        """The pool for an origin, with what its connections need for TLS.

        Raises:
            ConfigurationError: the proxy's URL is of no use, or SOCKS support is not installed.
        """
        manager: urllib3.PoolManager = self.poolmanager
        try:
            if proxy is not None:
                manager = self.proxy_manager_for(proxy, **({"proxy_ssl_context": context} if context else {}))
                if not proxy.startswith("socks"):
                    manager.pool_classes_by_scheme = POOL_CLASSES
            return manager.connection_from_host(
                host, port, scheme, pool_kwargs={"ssl_context": context} if scheme == "https" else None
            )
        except (ValueError, requests.exceptions.InvalidSchema) as error:
            hint = " (pip install 'requests[socks]')" if (proxy or "").startswith("socks") else ""
            raise ConfigurationError(f"{invalid_request(error).message}{hint}") from error

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *args: object, **kwargs: object
    ) -> HTTPConnectionPool:
        """The pool that the request was prepared with."""
        return cast(_Prepared, request).pool

    #: The name of the same in requests 2.32.0 and 2.32.1.
    _get_connection = get_connection_with_tls_context

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Nothing: the pool has its TLS context."""

    def request_url(self, request: requests.PreparedRequest, proxies: object) -> str:
        """The target as it is; urllib3 tidies it up, and the connection puts the true one in its place."""
        return cast(str, request.url)

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """Only what is asked of it here: the answer itself."""
        response = requests.Response()
        response.raw = resp
        return response


class _Sized:
    """A body of known length, as requests wants it: something with a length that can be iterated."""

    def __init__(self, pieces: Iterator[bytes], length: int) -> None:
        self._pieces = pieces
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def _for_session(attempt: Attempt) -> Any:  # Any: requests documents "a file-like object" and takes more
    body = attempt.body
    if body is None or isinstance(body, BytesBody):
        return None if body is None else body.content
    if body.length is None:
        return attempt.pieces()
    return _Sized(attempt.pieces(), body.length) if body.length else b""


def _connect_and_read(attempt: Attempt) -> tuple[float | None, float | None]:
    """The two bounds that requests and urllib3 know, neither longer than the whole attempt may take."""
    connect, read, total = attempt.timeouts.connect, attempt.longest_silence, attempt.timeouts.total
    if total is None:
        return connect, read
    return total if connect is None else min(connect, total), total if read is None else min(read, total)
