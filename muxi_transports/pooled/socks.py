"""Connections of urllib3 through a SOCKS proxy. Needs PySocks, of the extra ``[socks]``."""

from __future__ import annotations

import warnings
from typing import Any

from urllib3.connectionpool import HTTPConnectionPool

with warnings.catch_warnings():
    # urllib3 warns that PySocks is missing, beside the ImportError that says so.
    warnings.simplefilter("ignore")
    from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection, SOCKSProxyManager

from muxi_transports.pooled.connection import Connection, Pool, SecurePool

__all__ = ["SOCKS_POOLS", "SOCKSProxyManager"]


class _SocksConnection(Connection, SOCKSConnection):
    pass


class _SecureSocksConnection(Connection, SOCKSHTTPSConnection):
    pass


class _SocksPool(Pool):
    ConnectionCls: Any = _SocksConnection


class _SecureSocksPool(SecurePool):
    ConnectionCls: Any = _SecureSocksConnection


#: What a SOCKSProxyManager needs to make connections that carry orders.
SOCKS_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _SocksPool, "https": _SecureSocksPool}
