"""The default transport: requests, or the direct lane where no tool patches it; sessions and adapters of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, cast

from muxi.errors import ConfigurationError
from muxi.lazy import LazyModule
from muxi.redact import show_value
from muxi.transport import Request
from muxi.transport.arguments import check_arguments
from muxi_transports.http.settings import HttpSettings, SourceAddress
from muxi_transports.http.tls import Cert, Verify, warn_unverified
from muxi_transports.http.wire import parse_origin, split_url
from muxi_transports.pooled.failures import translated
from muxi_transports.pooled.order import headers_on, refuse_unsendable
from muxi_transports.pooled.response import EndableResponse
from muxi_transports.pooled.routes import Route
from muxi_transports.pooled.transport import PooledTransport
from muxi_transports.pooled.watch import Watch

if TYPE_CHECKING:
    import requests
    import requests.adapters

    from muxi_transports.pooled.full import FullLease
    from muxi_transports.pooled.sessions import OwnSession
else:
    requests = LazyModule("requests")  # in annotations

__all__ = ["RequestsTransport"]

_WATCH = Watch("requests")


@check_arguments("proxies", "source_address", "verify", "cert")
class RequestsTransport(PooledTransport):
    """Sends over requests, with connections that are kept and shared between threads.

    Requests take one of two lanes. The *direct* lane uses plain sockets (for https and proxies urllib3's connections)
    and the SDK's own HTTP/1.1; it is the fast one, and requests is not even imported for it. The *full* lane sends a
    prepared request by a real session with real adapters. It is taken while a tool has replaced a part of requests,
    urllib3, http.client or the socket module (a mock, a recorder, a monitor), or listens to their debug output, so that
    the tool sees every request; and for ``session=``, ``adapters=`` and ``direct=False``. :meth:`explain` tells the
    lane, and why.

    Without a session of yours, proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificate authorities
    (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR) are read from the environment once per host;
    ``.netrc`` is never read, cookies are not kept.

    Args:
        session: a session of your own, with its authentication, cookies, adapters and proxies; requests go
            through all of it. It is never closed here. Set it up before you give it: the other arguments do
            not apply to it.
        adapters: adapters of requests by the beginning of the URLs that they serve; the longest that fits is
            taken. Other URLs are not affected. They are closed with the transport.
        verify: whether TLS certificates are verified, or the path of the authorities to trust instead (a file
            or a folder), or an ``ssl.SSLContext``.
        cert: a client certificate: the path of a file with certificate and key, ``(certificate, key)``, or
            ``(certificate, key, password of the key)``.
        proxies: proxy URLs (http, https; socks4, socks4a, socks5, socks5h with the extra ``[socks]``) by
            ``scheme://host``, by scheme, or for ``all``; ``no_proxy`` lists the hosts that are reached without one.
            They take precedence over the environment's.
        trust_env: whether proxies and certificate authorities are read from the environment.
        pool_size: how many idle connections are kept per host; there may be more at work.
        pool_block: allow no more than ``pool_size`` connections per host; a request waits until one is free,
            as long as connecting may take.
        source_address: the address of this machine that connections come from, or ``(address, port)``.
        keep_alive: seconds that an idle connection is kept for the next request; None is without bound.
        tcp_keep_alive: seconds of silence after which the system probes whether the peer is still there, which
            also keeps the way through firewalls open during long silent streams; None is never.
        direct: whether the direct lane may be taken; False always goes through requests.

    Raises:
        ConfigurationError: an option is invalid, or contradicts another; or urllib3 is not the real one (raised by the
            first request that needs it, where it has not been imported before).
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
        direct: bool = True,
    ) -> None:
        if session is not None:
            _check_session(session)
            _refuse_beside_session(
                {
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
            )
        self._session = session
        #: Whether there was a warning that the session verifies no certificates; it may be set so later on.
        self._warned = False
        if session is not None:
            self._warn_of_session(session, "https://")
        self._own: OwnSession | None = None
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
        self._mounted = _check_adapters(adapters or {}, settings)
        super().__init__(settings, _WATCH if direct else None)

    def _warn_of_session(self, session: requests.Session, url: str) -> None:
        if self._warned or not url.lower().startswith("https://"):
            return
        from muxi_transports.pooled.sessions import verifies_nothing

        if verifies_nothing(session):
            self._warned = True
            warn_unverified()

    def explain(self, url: str) -> str:
        """Describe the route to a URL, the trusted certificate authorities, and the lane of the next request.

        A session of yours decides by itself. See :meth:`~muxi_transports.urllib3.Urllib3Transport.explain`.
        """
        if self._session is not None:
            return (
                "as the session that was given decides: its proxies, verify, cert, trust_env and adapters; "
                "lane: full: a session was given"
            )
        return super().explain(url)

    def close(self) -> None:
        """Free all connections, those at work too: a caller who waits for an answer gets a ``ConnectionError``."""
        super().close()
        for adapter in self._mounted.values():
            adapter.close()

    def _start_in_child(self) -> None:
        adapters: list[object] = [*self._mounted.values()]
        if self._session is not None:
            from muxi_transports.pooled.sessions import adapters_of

            adapters += adapters_of(self._session)
        for adapter in adapters:
            close: object = getattr(adapter, "close", None)
            if callable(close):
                close()  # closes this process's copies; the parent's connections live on
        super()._start_in_child()

    def _reason_against_direct(self, url: str) -> str | None:
        if self._session is not None:
            return "a session was given"
        reason = super()._reason_against_direct(url)
        if self._mounted and self._prefix_of(url) is not None:
            return "an adapter is mounted for this URL"
        return reason

    def _is_forwarded(self, route: Route, response: EndableResponse) -> bool:
        # A session has proxies of its own.
        return response.attempt.proxy is not None if self._session is not None else route.is_forwarded

    def _prefix_of(self, url: str) -> str | None:
        """The beginning of a URL that an adapter of the user's is mounted for."""
        lowered = url.lower()
        return next((prefix for prefix in self._mounted if lowered.startswith(prefix)), None)

    def _send_full(self, request: Request, base: str, target: str) -> EndableResponse:
        if self._session is None:
            return super()._send_full(request, base, target)
        return self._send_by_session(self._session, request, base, target)

    def _send_by_session(self, session: requests.Session, request: Request, base: str, target: str) -> EndableResponse:
        from muxi_transports.http.attempt import Attempt
        from muxi_transports.pooled.full import FullLease, carrying
        from muxi_transports.pooled.sessions import send_by_session, sent

        self._warn_of_session(session, base)
        origin = parse_origin(base)
        refuse_unsendable(request, origin.host_header, target)
        attempt = Attempt(request, origin.where, trust="those of the session")
        attempt.await_head()  # as far as one can know from outside
        lease = FullLease(attempt, self._state.live, target, request.method, foreign=True)
        token = carrying.set(lease)
        try:
            return translated(
                lambda: sent(lambda: send_by_session(session, request, origin, lease), lease), attempt, foreign=True
            )
        except BaseException:
            lease.close()
            raise
        finally:
            carrying.reset(token)

    def _receive(self, request: Request, route: Route, lease: FullLease) -> EndableResponse:
        from muxi_transports.pooled.sessions import OwnSession, as_bytes, sent

        own = self._own
        if own is None or not own.is_current:
            own = self._own = OwnSession(self._pool_for, self._mounted)
        headers, session = headers_on(request, route), own
        prefix = self._prefix_of(request.url) if self._mounted else None
        if prefix is None:
            return sent(lambda: session.send(request, lease, headers), lease)
        base, _ = split_url(request.url)
        way = self._settings.way_to(base)
        options = {
            "verify": self._settings.bundle(),
            "cert": self._settings.certificate(),
            "proxies": {} if way.proxy is None else {way.origin.scheme: way.proxy.url},
        }
        lease.foreign = True
        lease.attempt.await_head()  # as far as one can know from outside
        return translated(
            lambda: sent(lambda: session.send(request, lease, as_bytes(headers), **options), lease),
            lease.attempt,
            foreign=True,
        )


def _check_session(session: object) -> None:
    is_no_object = isinstance(session, type | ModuleType)
    if is_no_object or not callable(getattr(session, "request", None)):
        named = getattr(session, "__name__", "") if is_no_object else type(session).__name__
        raise ConfigurationError(f"session= takes a session such as requests.Session() makes, got {named}")


def _refuse_beside_session(given: Mapping[str, bool]) -> None:
    if names := [name for name, is_given in given.items() if is_given]:
        raise ConfigurationError(
            f"{', '.join(names)} beside session=: set it on the session itself, or on its adapters"
        )


def _check_adapters(
    adapters: Mapping[str, requests.adapters.BaseAdapter], settings: HttpSettings
) -> dict[str, requests.adapters.BaseAdapter]:
    """Adapters by prefix in lower case, the longest first.

    Raises:
        ConfigurationError: a prefix is no beginning of a URL, or what it leads to is no adapter.
    """
    if not adapters:
        return {}
    from requests.adapters import BaseAdapter

    from muxi_transports.pooled.sessions import adapter_verifies_nothing

    for prefix, adapter in adapters.items():
        given_prefix, given = cast("tuple[object, object]", (prefix, adapter))
        if not isinstance(given_prefix, str) or "://" not in given_prefix:
            raise ConfigurationError(
                f"adapters= takes the beginning of URLs such as 'https://', got {show_value(given_prefix)}"
            )
        if not isinstance(given, BaseAdapter):
            raise ConfigurationError(f"adapters[{prefix!r}] takes an adapter of requests, got {type(given).__name__}")
        if adapter_verifies_nothing(adapter):
            warn_unverified()
    settings.bundle()
    settings.certificate()
    return {prefix.lower(): adapters[prefix] for prefix in sorted(adapters, key=len, reverse=True)}
