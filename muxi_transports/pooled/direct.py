"""The pools of the direct lane, by what they reach: http, https, a Unix socket, a SOCKS proxy."""

from __future__ import annotations

from urllib3.connectionpool import HTTPConnectionPool

from muxi_transports.pooled.pool import Pool, SecurePool, UnixPool
from muxi_transports.pooled.routes import PoolClasses

__all__ = ["DIRECT_POOLS"]


def _socks_pools() -> dict[str, type[HTTPConnectionPool]]:
    from muxi_transports.pooled.socks import SOCKS_POOLS  # needs PySocks, of an extra

    return SOCKS_POOLS


DIRECT_POOLS = PoolClasses({"http": Pool, "https": SecurePool}, _socks_pools, UnixPool)
