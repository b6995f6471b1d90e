"""The lean transport: urllib3's connections and pools alone, without requests."""

from __future__ import annotations

from collections.abc import Mapping

from muxi_transports.http.settings import HttpSettings, SourceAddress
from muxi_transports.http.tls import Cert, Verify
from muxi_transports.pooled.answer import Answer
from muxi_transports.pooled.connection import Order
from muxi_transports.pooled.transport import PooledTransport

__all__ = ["Urllib3Transport"]


class Urllib3Transport(PooledTransport):
    """Sends over urllib3, whose connections it keeps and shares between threads.

    It does what :class:`~muxi_transports.requests.RequestsTransport` does, in less time; requests is not
    imported at all. Choose it where nothing of requests (a session, an adapter) is needed.

    Args:
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
        super().__init__(
            HttpSettings(
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
        )

    def _carry(self, order: Order) -> Answer:
        return order.route.pool.carry(order)
