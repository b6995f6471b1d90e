"""The async transport: aiohttp, held to the contract of transports."""

from __future__ import annotations

import asyncio
import ssl
import warnings
import weakref
from collections.abc import Mapping
from typing import NamedTuple

from muxi.errors import ConfigurationError, MissingExtraError, MuxiError
from muxi.transport import AsyncResponse, AsyncTransport, Request
from muxi.transport.arguments import check_arguments
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.settings import HttpSettings, SourceAddress
from muxi_transports.http.tls import Cert, Verify
from muxi_transports.http.unix import rebased
from muxi_transports.http.wire import sendable_headers, split_url

try:
    import aiohttp
    import yarl

    from muxi_transports.aiohttp.body import body_of, is_quick
    from muxi_transports.aiohttp.carriage import Carriage, carrying
    from muxi_transports.aiohttp.failures import failure_of
    from muxi_transports.aiohttp.forks import leave_after_fork
    from muxi_transports.aiohttp.response import AiohttpResponse
    from muxi_transports.aiohttp.session import open_session
except ImportError as _missing:
    raise MissingExtraError(
        f"async clients need aiohttp, which cannot be imported ({_missing}): pip install 'muxi-client[async]'"
    ) from _missing

__all__ = ["AiohttpTransport"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PROXY_AUTHENTICATION_REQUIRED = 407


@check_arguments("proxies", "source_address", "verify", "cert")
class AiohttpTransport(AsyncTransport):
    """Sends over aiohttp, from one event loop, over as many connections as there are requests.

    Proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificate authorities (REQUESTS_CA_BUNDLE,
    CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR) of the environment are looked up once per host; ``.netrc`` is
    never read, cookies are not kept.

    Args:
        verify: whether TLS certificates are verified, or the path of the authorities to trust instead (a file
            or a folder), or an ``ssl.SSLContext``.
        cert: a client certificate: the path of a file with certificate and key, ``(certificate, key)``, or
            ``(certificate, key, password of the key)``.
        proxies: proxy URLs (http, https; socks4, socks4a, socks5, socks5h with the extra ``[socks]``) by
            ``scheme://host``, by scheme, or for ``all``; ``no_proxy`` lists the hosts that are gone to directly.
            They go before the environment's.
        trust_env: whether the environment is asked at all, for proxies and certificate authorities.
        pool_size: how many connections there may be per host where ``pool_block`` is set; without it there is
            no bound, and none is needed.
        pool_block: allow no more than ``pool_size`` connections per host; a request waits until one is free,
            as long as connecting may take.
        source_address: the address of this machine that connections come from, or ``(address, port)``.
        keep_alive: seconds that an idle connection is kept for the next request; None is without bound.
        tcp_keep_alive: seconds of silence after which the system probes whether the peer is still there, which
            also keeps the way through firewalls open during long silent streams; None is never.

    Raises:
        ConfigurationError: an option is invalid, or contradicts another.
    """

    def __init__(
        self,
        *,
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
        self._settings = HttpSettings(
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
        self._loop: asyncio.AbstractEventLoop | None = None
        # By the socket or the SOCKS proxy that they go through; the one under None goes anywhere else.
        self._sessions: dict[str | None, aiohttp.ClientSession] = {}
        self._routes: dict[str, _Route] = {}
        self._open: weakref.WeakSet[AiohttpResponse] = weakref.WeakSet()
        #: The requests whose head is waited for.
        self._sending: set[Carriage] = set()
        leave_after_fork(self)

    async def send(self, request: Request) -> AsyncResponse:
        """Send and return with the head of the answer; see :meth:`muxi.transport.AsyncTransport.send`.

        Raises:
            ConnectionError: ``CONNECTION_REFUSED``, ``DNS_ERROR``, ``TLS_ERROR``, ``PROXY_ERROR``,
                ``PROXY_AUTHENTICATION`` or ``CONNECTION_FAILED`` where no connection was made, else
                ``CONNECTION_LOST`` or ``INVALID_RESPONSE``.
            TimeoutError: ``CONNECT_TIMEOUT``, ``POOL_TIMEOUT``, ``READ_TIMEOUT`` or ``TIMEOUT``.
            ConfigurationError: the URL, the proxy or a certificate is of no use, or this transport belongs to
                another loop.
        """
        base, target = split_url(request.url)
        self._claim_loop()
        route = self._routes.get(base) or self._open_route(base)
        attempt = Attempt(request, route.where, route.proxy_where, route.trust)
        carriage = Carriage(attempt)
        self._sending.add(carriage)
        try:
            received = await self._receive(request, target, route, carriage)
        finally:
            self._sending.discard(carriage)
        answer = AiohttpResponse(received, carriage)
        if answer.status == _PROXY_AUTHENTICATION_REQUIRED and route.is_forwarded:
            await answer.close()
            raise attempt.refused_by_proxy(f"{answer.status} {answer.reason}".rstrip())
        if answer.status in _REDIRECTS and route.is_socket and "location" in answer.headers:
            answer.headers["Location"] = rebased(answer.headers["location"], base, target)
        self._open.add(answer)
        return answer

    async def _receive(
        self, request: Request, target: str, route: _Route, carriage: Carriage
    ) -> aiohttp.ClientResponse:
        """Send by aiohttp; the answer with its body unread."""
        attempt, times = carriage.attempt, request.timeouts
        # The wait for the head has a timer of its own; until a long body is out, silence is bounded.
        silence = None if times.head is not None and is_quick(attempt) else times.read
        failure: BaseException
        token = carrying.set(carriage)
        try:
            return await route.session.request(
                request.method,
                yarl.URL(route.base + target, encoded=True),
                headers=_headers(request, route),
                data=body_of(carriage),
                allow_redirects=False,
                proxy=route.proxy,
                proxy_headers=_headers_of_tunnel(route),
                ssl=route.context if route.context is not None else True,
                timeout=aiohttp.ClientTimeout(
                    total=times.total, connect=times.connect, sock_connect=None, sock_read=silence
                ),
                trace_request_ctx=attempt,
            )
        except MuxiError:
            carriage.abort()
            raise
        except Exception as error:
            carriage.abort()
            is_closed = attempt.ended_by == "transport"
            failure = attempt.closed_by_transport() if is_closed else failure_of(error, attempt, carriage.fault)
        except asyncio.CancelledError:
            carriage.abort()
            if not carriage.take_back_cancellation():
                raise
            failure = attempt.closed_by_transport()
        except BaseException:
            carriage.abort()
            raise
        finally:
            carriage.finish()
            carrying.reset(token)
        raise failure

    def explain(self, url: str) -> str:
        """Describe the route to a URL: direct or through a proxy, and the trusted certificate authorities.

        Nothing is sent, and nothing secret is shown::

            print(transport.explain("https://formation.example.org"))

        Raises:
            ConfigurationError: the URL, the proxy or a certificate is of no use.
        """
        return self._settings.explain(url)

    async def close(self) -> None:
        """Free all connections, those at work too, and wait until they are closed."""
        sessions, self._sessions = self._sessions, {}
        self._loop = None
        self._routes = {}
        self._settings.forget()
        for carriage in list(self._sending):
            carriage.end()
        for answer in list(self._open):
            answer.end("transport")
        for session in sessions.values():
            await session.close()
        if sessions:
            # A closed connection releases its socket in the loop's next round.
            await asyncio.sleep(0)

    def leave_to_parent(self) -> None:
        """Begin anew in the child of a fork, with a loop and connections of its own."""
        for session in self._sessions.values():
            connector = session.connector
            session.detach()
            if connector is not None and hasattr(connector, "_conns"):
                connector._conns.clear()  # it warns of those that it still has
        self._loop = None
        self._sessions, self._routes, self._sending = {}, {}, set()
        self._open = weakref.WeakSet()

    def __del__(self) -> None:
        sessions = getattr(self, "_sessions", None)
        if not sessions:
            return
        warnings.warn(
            "an AiohttpTransport was not closed; await its close(), or that of its client, or use 'async with'",
            ResourceWarning,
            stacklevel=2,
            source=self,
        )
        for answer in list(self._open):
            answer.end("transport")
        for session in sessions.values():
            _abandon(session, self._loop)

    def _claim_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif loop is not self._loop:
            raise ConfigurationError(
                "this async transport belongs to the event loop that first used it, and this is another one; "
                "make one per loop, or close() it there before using it here"
            )

    def _open_route(self, base: str) -> _Route:
        way = self._settings.way_to(base)
        origin, proxy = way.origin, way.proxy
        through = origin.socket or (proxy.url if proxy is not None and proxy.is_socks else None)
        if through not in self._sessions:
            self._sessions[through] = open_session(way, self._settings)
        http_proxy = proxy if proxy is not None and not proxy.is_socks else None
        route = self._routes[base] = _Route(
            session=self._sessions[through],
            # aiohttp would make an Authorization header of its own out of a user in the URL.
            base=f"{origin.scheme}://{origin.host_header}",
            where=origin.where,
            is_socket=origin.socket is not None,
            proxy=None if http_proxy is None else http_proxy.address,
            proxy_authorization=None if http_proxy is None else http_proxy.authorization,
            proxy_where=None if proxy is None else proxy.where,
            is_forwarded=way.is_forwarded,
            authorization=origin.authorization,
            context=way.context,
            trust=way.trust,
        )
        return route


def _abandon(session: aiohttp.ClientSession, loop: asyncio.AbstractEventLoop | None) -> None:
    """Close a session that has lost its transport; aiohttp would warn of it and of each connection."""
    connector = session.connector
    session.detach()
    if connector is None or loop is None:
        return
    if loop.is_closed():
        connector.close()  # nothing is left to wait for
    else:

        async def close() -> None:
            await connector.close()

        loop.call_soon_threadsafe(lambda: loop.create_task(close()))


class _Route(NamedTuple):
    """The route to an origin: looked up once, used for every request to it."""

    session: aiohttp.ClientSession
    base: str
    where: str
    is_socket: bool
    proxy: str | None
    proxy_authorization: str | None
    proxy_where: str | None
    #: Whether the proxy reads the requests, so that an answer may be its own.
    is_forwarded: bool
    authorization: str | None
    context: ssl.SSLContext | None
    #: Which certificate authorities count, in words.
    trust: str


def _headers(request: Request, route: _Route) -> dict[str, str]:
    headers = sendable_headers(request.headers, request.body, route.authorization)
    if route.is_forwarded and route.proxy_authorization is not None:
        headers.setdefault("Proxy-Authorization", route.proxy_authorization)
    return headers


def _headers_of_tunnel(route: _Route) -> dict[str, str] | None:
    if route.proxy_authorization is None or route.is_forwarded:
        return None
    return {"Proxy-Authorization": route.proxy_authorization}
