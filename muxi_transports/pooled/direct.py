"""The pools of the direct lane, by the way to the origin: without urllib3 where neither TLS nor a proxy is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from muxi_transports.http.settings import HttpSettings, Way
from muxi_transports.pooled.idle import DirectPool
from muxi_transports.pooled.plain import PlainPool, is_plain
from muxi_transports.pooled.routes import PoolClasses, open_pool

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool

    from muxi_transports.pooled.pool import Pool

__all__ = ["open_direct_pool"]


def open_direct_pool(way: Way, settings: HttpSettings) -> DirectPool:
    """A pool of the direct lane.

    Args:
        way: how the origin is reached.
        settings: the options of the transport.

    Raises:
        ConfigurationError: the proxy cannot be used, or SOCKS support is not installed, or urllib3 is not the real one.
    """
    if is_plain(way):
        return PlainPool(way, settings)
    from muxi_transports.pooled.pool import Pool, SecurePool

    pool = cast("Pool", open_pool(way, settings, PoolClasses({"http": Pool, "https": SecurePool}, _socks_pools)))
    pool.keep_alive = settings.keep_alive
    return pool


def _socks_pools() -> dict[str, type[HTTPConnectionPool]]:
    from muxi_transports.pooled.socks import SOCKS_POOLS  # needs PySocks, of an extra

    return SOCKS_POOLS
