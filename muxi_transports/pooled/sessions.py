"""The full lane of requests: real sessions, real prepared requests, real adapters. It imports requests."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

import requests
import requests.adapters
import requests.cookies
import urllib3  # whole, before its parts: another thread may be half through importing it
import urllib3.util
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool

from muxi.errors import MuxiError
from muxi.transport import BytesBody, Request
from muxi.transport.causes import copy_cause
from muxi_transports.http import tls
from muxi_transports.http.attempt import Attempt, invalid_request
from muxi_transports.http.unix import SCHEME
from muxi_transports.http.wire import Origin, sendable_headers, split_url
from muxi_transports.pooled.borrowed import hold_pools
from muxi_transports.pooled.foreign import FullResponse
from muxi_transports.pooled.full import FullLease, carrying
from muxi_transports.pooled.routes import socks_missing
from muxi_transports.pooled.tools import is_genuine

__all__ = [
    "OwnSession",
    "adapter_verifies_nothing",
    "adapters_of",
    "as_bytes",
    "send_by_session",
    "sent",
    "verifies_nothing",
]

# What requests' own exceptions say of a URL or a header that cannot be sent.
_INVALID = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
)


class OwnSession:
    """A session of the transport's own.

    Its class is the one that ``requests.Session`` leads to when it is made. It reads no environment, keeps no cookies
    and follows no redirects; pools come from the transport, which looks them up once per origin.

    Args:
        pool_of: gives the pool for a URL.
        mounted: adapters of the user's, by the beginning of the URLs that they serve.
    """

    def __init__(
        self,
        pool_of: Callable[[str], HTTPConnectionPool],
        mounted: Mapping[str, requests.adapters.BaseAdapter],
    ) -> None:
        self._kind: type[requests.Session] = requests.Session
        self.session: requests.Session = requests.Session()
        #: Session.request and prepare_request as they were last seen, and whether they are requests' own.
        self._seen: tuple[object, object, bool] = (None, None, False)
        session = self.session
        session.trust_env = False
        session.cookies = cast(Any, _NoCookies())
        session.headers.clear()
        # Without it a session follows the target of a redirect far enough to read the answer and to fail at its URL.
        session.get_redirect_target = cast(Any, _no_target)  # type: ignore[method-assign]
        own = _OwnAdapter(pool_of)
        session.adapters.clear()
        for prefix in ("https://", "http://", f"{SCHEME}://"):
            session.mount(prefix, own)
        for prefix, adapter in mounted.items():
            hold_pools(adapter)
            session.mount(prefix, adapter)

    @property
    def is_current(self) -> bool:
        """True if ``requests.Session`` still leads to the class of this session: caches exchange it."""
        return requests.Session is self._kind

    def send(self, request: Request, lease: FullLease, headers: dict[str, str], **options: Any) -> requests.Response:
        """Send a request, with the adapter that its URL leads to.

        Args:
            request: what is sent.
            lease: the claim of the request.
            headers: with the framing of the body.
            options: ``verify``, ``cert`` and ``proxies`` for an adapter of the user's.
        """
        session, attempt = self.session, lease.attempt
        kwargs: dict[str, Any] = {
            "stream": True,
            "allow_redirects": False,
            "timeout": connect_and_read(attempt),
            "verify": True,
            "cert": None,
            "proxies": {},
            **options,
        }
        if not self._prepares_as_requests_does():
            headers.pop("Content-Length", None)
            headers.pop("Transfer-Encoding", None)
            return session.request(
                request.method, request.url, data=body_for_requests(attempt), headers=headers, **kwargs
            )
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = request.url
        prepared.headers = CaseInsensitiveDict(headers)
        prepared.body = body_for_requests(attempt)
        prepared._cookies = _no_cookies()  # type: ignore[attr-defined]  # PreparedRequest.prepare() sets it
        return session.send(prepared, **kwargs)

    def _prepares_as_requests_does(self) -> bool:
        """Return whether nothing works on requests before :meth:`requests.Session.send` gets them."""
        kind = type(self.session)
        request, prepare, genuine = self._seen
        if kind.request is not request or kind.prepare_request is not prepare:
            request, prepare = kind.request, kind.prepare_request
            genuine = is_genuine(request, "requests.sessions") and is_genuine(prepare, "requests.sessions")
            self._seen = request, prepare, genuine
        return genuine


class _OwnAdapter(requests.adapters.HTTPAdapter):
    """The adapter of requests, with pools that are looked up once per origin."""

    def __init__(self, pool_of: Callable[[str], HTTPConnectionPool]) -> None:
        # No retries at all: whether a request may be repeated is not for a library to guess.
        super().__init__(pool_connections=1, max_retries=urllib3.util.Retry(False))
        self._pool_of = pool_of

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *args: object, **kwargs: object
    ) -> HTTPConnectionPool:
        """The pool for the URL of a request."""
        return self._pool_of(request.url or "")

    #: The name of the same in requests 2.32.0 and 2.32.1.
    _get_connection = get_connection_with_tls_context

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Nothing: the pool has its TLS context."""

    def request_url(self, request: requests.PreparedRequest, proxies: object) -> str:
        """The request target: absolute where a proxy forwards the request."""
        lease = carrying.get(None)
        return request.path_url if lease is None else lease.target


class _NoCookies(requests.cookies.RequestsCookieJar):
    """A jar that keeps nothing, and looks at no answer."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Nothing."""

    def set_cookie(self, *args: object, **kwargs: object) -> None:
        """Nothing."""


@lru_cache(maxsize=1)
def _no_cookies() -> _NoCookies:
    return _NoCookies()


def _no_target(response: requests.Response) -> None:
    return None


def send_by_session(session: requests.Session, request: Request, origin: Origin, lease: FullLease) -> requests.Response:
    """Send a request by a session of the user's, with all that it does.

    Args:
        session: any object with the method ``request`` of a session.
        request: what is sent.
        origin: of its URL.
        lease: the claim of the request.
    """
    for adapter in adapters_of(session):
        hold_pools(adapter)
    return session.request(
        request.method,
        # A session would put the user and password of a URL in the place of the request's own Authorization.
        request.url if origin.authorization is None else _without_userinfo(request.url),
        data=body_for_requests(lease.attempt),
        headers=headers_for_requests(request, origin),
        stream=True,
        allow_redirects=False,
        timeout=connect_and_read(lease.attempt),
    )


class _MissingFileError(Exception):
    """A file with certificates that an adapter does not find."""


def _send_checked(send: Callable[[], requests.Response]) -> requests.Response:
    try:
        return send()
    except OSError as error:
        # An adapter raises it before it connects; the path is in the text alone.
        if type(error) is not OSError or "invalid path: " not in str(error):
            raise
        text = str(error)
    raise _MissingFileError(text)


def sent(send: Callable[[], requests.Response], lease: FullLease) -> FullResponse:
    """Send by requests; its complaints about a URL or a header become ours.

    Raises:
        ConfigurationError: the URL or a header cannot be sent.
        ConnectionError: the answer redirects to something that is not a URL.
    """
    failure: MuxiError
    try:
        received = _send_checked(send)
    except requests.exceptions.InvalidSchema as error:
        failure = socks_missing("the proxy of the session") if "SOCKS" in str(error) else invalid_request(error)
    except (*_INVALID, _MissingFileError) as error:
        failure = invalid_request(error)
    except ValueError as error:
        if not _is_about_redirect(error):
            raise
        # A session looks at where an answer redirects to, also if it does not follow.
        lease.attempt.connected = True
        failure = lease.attempt.failed("it redirects to something that is not a URL", code="INVALID_RESPONSE")
    else:
        return received_by_requests(received, lease)
    raise failure


def _is_about_redirect(error: ValueError) -> bool:
    """Tell whether requests raised an error while it took a ``Location`` apart."""
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_name in ("resolve_redirects", "get_redirect_target") and "requests" in code.co_filename:
            return True
        traceback = traceback.tb_next
    return False


def received_by_requests(received: requests.Response, lease: FullLease) -> FullResponse:
    """An answer of requests as one of ours.

    Raises:
        ConnectionError: it is none; a session and an adapter may answer with anything.
    """
    try:
        return _response_of(received, lease)
    except MuxiError:
        raise
    except Exception as error:
        lease.attempt.connected = True
        failure = lease.attempt.failed_by([error], invalid=True)
        failure.__cause__ = copy_cause([error])
    raise failure


def _response_of(received: requests.Response, lease: FullLease) -> FullResponse:
    lease.raw = raw = received.raw
    # A hook of a session may have read the body already (to log it), or a cache; then requests has kept it.
    content = received.content if getattr(received, "_content_consumed", False) else None
    headers = getattr(raw, "headers", None)
    if not hasattr(headers, "items"):
        headers = received.headers
    return FullResponse(lease, received.status_code, received.reason or "", headers, content)


def adapters_of(session: object) -> list[object]:
    """The adapters of a session; none of what only looks like one."""
    adapters = getattr(session, "adapters", None)
    return list(adapters.values()) if isinstance(adapters, Mapping) else []


def verifies_nothing(session: object) -> bool:
    """Return whether a session, or an adapter of it for https, verifies no certificates."""
    return not getattr(session, "verify", True) or any(map(adapter_verifies_nothing, adapters_of(session)))


def adapter_verifies_nothing(adapter: object) -> bool:
    """Return whether the pools of an adapter are made with settings that verify no certificates."""
    settings = getattr(getattr(adapter, "poolmanager", None), "connection_pool_kw", None)
    if not isinstance(settings, Mapping):
        return False
    if settings.get("ssl_context") is not None:
        return tls.verifies_nothing(settings["ssl_context"])
    return settings.get("cert_reqs") in ("CERT_NONE", "NONE", ssl.CERT_NONE)


def _without_userinfo(url: str) -> str:
    base, target = split_url(url)
    scheme, _, authority = base.partition("://")
    return f"{scheme}://{authority.rpartition('@')[2]}{target}"


def headers_for_requests(request: Request, origin: Origin) -> dict[str, str]:
    """The headers, without those that requests works out by itself: stated twice, it would send both kinds."""
    headers = sendable_headers(request.headers, request.body, origin.authorization)
    for name in ("Content-Length", "Accept-Encoding"):
        if name not in request.headers or name == "Content-Length":
            headers.pop(name, None)
    return as_bytes(headers)


def as_bytes(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers whose text beyond ASCII is in bytes: http.client would refuse text beyond ISO 8859-1."""
    # The stubs know of no bytes here.
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


def body_for_requests(attempt: Attempt) -> Any:  # Any: requests documents "a file-like object" and takes more
    """The body of an attempt as requests takes it."""
    body = attempt.body
    if body is None or isinstance(body, BytesBody):
        return None if body is None else body.content
    if body.length is None:
        return attempt.pieces()
    return _Sized(attempt.pieces(), body.length) if body.length else b""


def connect_and_read(attempt: Attempt) -> tuple[float | None, float | None]:
    """The two bounds that requests and urllib3 know, neither longer than the whole attempt may take."""
    connect, read, total = attempt.timeouts.connect, attempt.longest_silence, attempt.timeouts.total
    if total is None:
        return connect, read
    return total if connect is None else min(connect, total), total if read is None else min(read, total)
