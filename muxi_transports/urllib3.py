"""The transport over urllib3 alone, without requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from muxi.transport import BytesBody, Request
from muxi.transport.arguments import check_arguments
from muxi_transports.http.settings import HttpSettings, SourceAddress
from muxi_transports.http.tls import Cert, Verify
from muxi_transports.pooled.order import headers_on
from muxi_transports.pooled.response import EndableResponse
from muxi_transports.pooled.routes import Route
from muxi_transports.pooled.transport import PooledTransport
from muxi_transports.pooled.watch import Watch

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

    from muxi_transports.pooled.full import FullLease

__all__ = ["Urllib3Transport"]

_WATCH = Watch("urllib3")


@check_arguments("proxies", "source_address", "verify", "cert")
class Urllib3Transport(PooledTransport):
    """Sends over urllib3, whose connections it keeps and shares between threads. requests is not imported.

    Requests take one of two lanes. The *direct* lane uses plain sockets (for https and proxies urllib3's connections)
    and the SDK's own HTTP/1.1; it is the fast one. The *full* lane calls ``urlopen`` of a real pool. It is taken while
    a tool has replaced a part of urllib3, http.client or the socket module (a mock, a recorder, a monitor), or listens
    to their debug output, so that the tool sees every request. :meth:`explain` tells the lane, and why.

    Args:
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
        direct: whether the direct lane may be taken; False always goes through ``urlopen``.

    Raises:
        ConfigurationError: an option is invalid, or contradicts another; or urllib3 is not the real one (raised by the
            first request that needs it, where it has not been imported before).
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
        direct: bool = True,
    ) -> None:
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
        super().__init__(settings, _WATCH if direct else None)

    def _receive(self, request: Request, route: Route, lease: FullLease) -> EndableResponse:
        import urllib3

        from muxi_transports.pooled.foreign import FullResponse

        attempt, body = lease.attempt, request.body
        content: Any = None  # Any: bytes or an iterator, as urllib3 takes either
        if body is not None:
            content = body.content if isinstance(body, BytesBody) else attempt.pieces()
        raw: BaseHTTPResponse = self._pool_for(request.url).urlopen(
            request.method,
            lease.target,
            content,
            headers_on(request, route),
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(connect=attempt.time_to_connect, read=attempt.longest_silence),
            chunked=body is not None and body.length is None,
            preload_content=False,
            decode_content=False,
        )
        lease.raw = raw
        return FullResponse(lease, raw.status, raw.reason or "", raw.headers)
