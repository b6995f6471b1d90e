"""The default transport: requests, by its adapter alone, by adapters of the user's own, or by a session of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import requests
import requests.adapters
import urllib3
import urllib3.util
from urllib3.connectionpool import HTTPConnectionPool

from muxi.errors import ConfigurationError
from muxi.transport import BytesBody, Request
from muxi_transports.http.attempt import Attempt, invalid_request
from muxi_transports.http.settings import HttpSettings, SourceAddress
from muxi_transports.http.tls import Cert, Verify
from muxi_transports.http.wire import parse_origin, sendable_headers, split_url
from muxi_transports.pooled.answer import Answer
from muxi_transports.pooled.connection import Order
from muxi_transports.pooled.failures import translated
from muxi_transports.pooled.response import EndableResponse, SessionResponse
from muxi_transports.pooled.transport import PooledTransport

if TYPE_CHECKING:
    from requests.structures import CaseInsensitiveDict
    from urllib3.response import BaseHTTPResponse

__all__ = ["RequestsTransport"]

# What requests' own exceptions say of a URL or a header that cannot be sent.
_INVALID = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
)


class RequestsTransport(PooledTransport):
    """Sends over requests, whose connections it keeps and shares between threads.

    Without a session of yours it takes the short path: the adapter of requests without what its sessions look
    up anew for every request. Proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificate
    authorities (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR) of the environment are looked
    up once per host; ``.netrc`` is never read, cookies are not kept.

    Args:
        session: a session of your own, with its authentication, cookies, adapters and proxies; requests go
            through all of it. It is never closed here. Set it up before you give it: the other arguments do
            not apply to it.
        adapters: adapters of requests by the beginning of the URLs that they serve; the longest that fits is
            taken. Other URLs take the short path. They are closed with the transport.
        verify: whether TLS certificates are verified, or the path of the authorities to trust instead (a file
            or a folder), or an ``ssl.SSLContext``.
        cert: a client certificate: the path of a file with certificate and key, ``(certificate, key)``, or
            ``(certificate, key, password of the key)``.
        proxies: proxy URLs (http, https; socks4, socks4a, socks5, socks5h with the extra ``[socks]``) by
            ``scheme://host``, by scheme, or for ``all``; ``no_proxy`` lists the hosts that are gone to directly.
            They go before the environment's.
        trust_env: whether the environment is asked at all, for proxies and certificate authorities.
        pool_size: how many idle connections are kept per host; there may be more at work.
        pool_block: allow no more than ``pool_size`` connections per host; a request waits until one is free,
            as long as connecting may take.
        source_address: the address of this machine that connections come from, or ``(address, port)``.
        keep_alive: seconds that an idle connection is kept for the next request; None is without bound.
        tcp_keep_alive: seconds of silence after which the system probes whether the peer is still there, which
            also keeps the way through firewalls open during long silent streams; None is never.

    Raises:
        ConfigurationError: an option has no sense, or contradicts another; or urllib3 is not the real one.
    """

    def __init__(
        self,
        *,
        session: requests.Session | None = None,
        adapters: Mapping[str, requests.adapters.BaseAdapter] | None = None,
        verify: Verify = True,
        cert: Cert | None = None,
        proxies: Mapping[str, str] | None = None,
        trust_env: bool = True,
        pool_size: int = 100,
        pool_block: bool = False,
        source_address: SourceAddress | None = None,
        keep_alive: float | None = 60.0,
        tcp_keep_alive: float | None = 45.0,
    ) -> None:
        if session is not None:
            beside = {
                "adapters=": adapters is not None,
                "verify=": verify is not True,
                "cert=": cert is not None,
                "proxies=": proxies is not None,
                "trust_env=": not trust_env,
                "pool_size=": pool_size != 100,
                "pool_block=": pool_block,
                "source_address=": source_address is not None,
                "keep_alive=": keep_alive != 60.0,
                "tcp_keep_alive=": tcp_keep_alive != 45.0,
            }
            if given := [name for name, is_given in beside.items() if is_given]:
                raise ConfigurationError(
                    f"{', '.join(given)} beside session=: set it on the session itself, or on its adapters"
                )
        self._session = session
        self._adapter = _Adapter()
        settings = HttpSettings(
            verify=verify,
            cert=cert,
            proxies=proxies,
            trust_env=trust_env,
            pool_size=pool_size,
            pool_block=pool_block,
            source_address=source_address,
            keep_alive=keep_alive,
            tcp_keep_alive=tcp_keep_alive,
        )
        self._mounted = _checked(adapters or {}, settings)
        super().__init__(settings)

    def explain(self, url: str) -> str:
        """As :meth:`~muxi_transports.urllib3.Urllib3Transport.explain`; a session of yours decides by itself."""
        if self._session is not None:
            return "as the session that was given decides: its proxies, verify, cert, trust_env and adapters"
        return super().explain(url)

    def close(self) -> None:
        """Free all connections, those at work too: who reads from one gets a ``ConnectionError``."""
        super().close()
        for adapter in self._mounted.values():
            adapter.close()

    def _start_in_child(self) -> None:
        adapters = [*self._mounted.values(), *(self._session.adapters.values() if self._session is not None else ())]
        for adapter in adapters:
            adapter.close()  # closes this process's copies; the parent's connections live on
        super()._start_in_child()

    def _send(self, request: Request) -> EndableResponse:
        if self._session is not None:
            return _send_with(self._session, request)
        if self._mounted:
            url = request.url.lower()
            for prefix, adapter in self._mounted.items():
                if url.startswith(prefix):
                    return self._send_by(adapter, request)
        return super()._send(request)

    def _carry(self, order: Order) -> Answer:
        return cast(Answer, self._adapter.send(_Prepared(order), stream=True, timeout=cast(Any, _NO_TIMEOUT)).raw)

    def _send_by(self, adapter: requests.adapters.BaseAdapter, request: Request) -> EndableResponse:
        """Send by an adapter of the user's, as a session would call it, but with nothing of a session's own."""
        base, _ = split_url(request.url)
        way = self._settings.way_to(base)
        attempt = Attempt(request, way.origin.where, None if way.proxy is None else way.proxy.where, way.trust)
        attempt.await_head()
        with translated(attempt, foreign=True):
            try:
                prepared = requests.Request(
                    request.method, request.url, cast(Any, _headers_for_requests(request)), data=_data(attempt)
                ).prepare()
                received = adapter.send(
                    prepared,
                    stream=True,
                    timeout=cast("tuple[float, float]", _connect_and_read(attempt)),  # the stubs know no None in it
                    verify=self._settings.bundle(),
                    cert=self._settings.certificate(),
                    proxies=None if way.proxy is None else {way.origin.scheme: way.proxy.url},
                )
            except _INVALID as error:
                raise invalid_request(error) from error
        return _received(received, attempt)


def _checked(
    adapters: Mapping[str, requests.adapters.BaseAdapter], settings: HttpSettings
) -> dict[str, requests.adapters.BaseAdapter]:
    """Adapters by prefix in lower case, the longest first.

    Raises:
        ConfigurationError: a prefix is none, or what it leads to is no adapter.
    """
    for prefix, adapter in adapters.items():
        if "://" not in prefix:
            raise ConfigurationError(f"adapters= takes the beginning of URLs such as 'https://', got {prefix!r}")
        given: object = adapter
        if not isinstance(given, requests.adapters.BaseAdapter):
            raise ConfigurationError(f"adapters[{prefix!r}] takes an adapter of requests, got {type(given).__name__}")
    if adapters:
        settings.bundle()
        settings.certificate()
    return {prefix.lower(): adapters[prefix] for prefix in sorted(adapters, key=len, reverse=True)}


# -- the short path --------------------------------------------------------------------------------------------

# A connection knows its bounds from the order that it carries.
_NO_TIMEOUT = urllib3.util.Timeout(connect=None, read=None)


class _Prepared(requests.PreparedRequest):
    """A request that needs no more preparation."""

    def __init__(self, order: Order) -> None:
        self.method = order.method
        self.url = ""
        # requests only looks names up and hands the mapping on, and the order brings the body along.
        self.headers = cast("CaseInsensitiveDict[str]", order)
        self.body = None
        self.pool = order.route.pool


class _Adapter(requests.adapters.HTTPAdapter):
    """The adapter of requests, told beforehand what it would work out for each request."""

    def __init__(self) -> None:
        # No retries at all: whether a request may be repeated is not for a library to guess.
        super().__init__(pool_connections=1, max_retries=urllib3.util.Retry(False))

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
        """The order has the target."""
        return cast(str, request.url)

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """Only what is asked of it here: the answer itself."""
        response = requests.Response()
        response.raw = resp
        return response


# -- a session or adapters of the user's -----------------------------------------------------------------------


def _send_with(session: requests.Session, request: Request) -> EndableResponse:
    base, _ = split_url(request.url)
    attempt = Attempt(request, parse_origin(base).where, trust="those of the session")
    attempt.await_head()  # as far as one can know from outside
    with translated(attempt, foreign=True):
        try:
            received = session.request(
                request.method,
                request.url,
                data=_data(attempt),
                headers=_headers_for_requests(request),
                stream=True,
                allow_redirects=False,
                timeout=_connect_and_read(attempt),
            )
        except _INVALID as error:
            raise invalid_request(error) from error
    return _received(received, attempt)


def _received(received: requests.Response, attempt: Attempt) -> EndableResponse:
    attempt.connected = True
    # A hook of the session may have read the body already (to log it); then requests has kept it.
    content = received.content if getattr(received, "_content_consumed", False) else None
    return SessionResponse(received.raw, attempt, content)


def _headers_for_requests(request: Request) -> dict[str, str]:
    """The headers, without those that requests works out by itself: stated twice, it would send both kinds."""
    headers = sendable_headers(request.headers, request.body)
    for name in ("Content-Length", "Accept-Encoding"):
        if name not in request.headers or name == "Content-Length":
            headers.pop(name, None)
    # http.client would refuse text beyond ISO 8859-1; the stubs know of no bytes here.
    return cast(
        "dict[str, str]", {name: value if value.isascii() else value.encode() for name, value in headers.items()}
    )


class _Sized:
    """A body of known length, as requests wants it: something with a length that can be iterated."""

    def __init__(self, pieces: Iterator[bytes], length: int) -> None:
        self._pieces = pieces
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def _data(attempt: Attempt) -> Any:  # Any: requests documents "a file-like object" and takes more
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
