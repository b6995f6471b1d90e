"""How urllib3 reaches an origin: directly, through a Unix socket, or through a proxy of any kind."""

from __future__ import annotations

import ssl
from typing import Any, NamedTuple

import urllib3
from urllib3.connectionpool import HTTPConnectionPool

from muxi.errors import ConfigurationError
from muxi_transports.http.attempt import invalid_request
from muxi_transports.http.proxies import Proxy
from muxi_transports.http.settings import HttpSettings, Way
from muxi_transports.pooled.connection import Pool, SecurePool, UnixPool

__all__ = ["Route", "open_route"]


class Route(NamedTuple):
    """How an origin is reached: looked up once, used for every request to it."""

    pool: Pool
    where: str
    host_header: str
    #: What stands before the path in a request to a forwarding proxy.
    prefix: str
    #: The proxy's host and port.
    proxy: str | None
    #: Whether the proxy only connects, and the rest is between the two ends.
    is_tunnelled: bool
    #: Whether the proxy reads the requests, so that an answer may be its own.
    is_forwarded: bool
    #: What a forwarding proxy is told with every request.
    proxy_authorization: str | None
    authorization: str | None
    #: The Unix socket, if it is one.
    socket: str | None
    #: Which certificate authorities count, in words.
    trust: str


def open_route(base: str, settings: HttpSettings) -> Route:
    """The way to an origin, with a pool of connections.

    Args:
        base: the beginning of a URL up to its path.
        settings: the options of the transport.

    Raises:
        ConfigurationError: the URL, the proxy or a certificate is of no use, or SOCKS support is not installed.
    """
    way = settings.way_to(base)
    origin, proxy = way.origin, way.proxy
    pool = _open_pool(way, settings)
    pool.keep_alive = settings.keep_alive
    return Route(
        pool,
        where=origin.where,
        host_header=origin.host_header,
        prefix=f"http://{origin.host_header}" if way.is_forwarded else "",
        proxy=None if proxy is None else proxy.where,
        is_tunnelled=proxy is not None and not proxy.is_socks and origin.scheme == "https",
        is_forwarded=way.is_forwarded,
        proxy_authorization=proxy.authorization if proxy is not None and way.is_forwarded else None,
        authorization=origin.authorization,
        socket=origin.socket,
        trust=way.trust,
    )


def _open_pool(way: Way, settings: HttpSettings) -> Pool:
    origin, proxy, context = way.origin, way.proxy, way.context
    kept: dict[str, Any] = {"maxsize": settings.pool_size, "block": settings.pool_block}
    if origin.socket is not None:
        return UnixPool(origin.socket, **kept)
    options: dict[str, Any] = {**kept, "socket_options": settings.socket_options}
    if settings.source_address is not None:
        options["source_address"] = settings.source_address
    try:
        manager = _manager(proxy, options, context)
        pool = manager.connection_from_host(
            origin.host, origin.port, origin.scheme, pool_kwargs={"ssl_context": context} if context else None
        )
    except ValueError as error:
        raise invalid_request(error) from error
    assert isinstance(pool, Pool)  # noqa: S101  told to the type checker; the managers know no other
    return pool


def _manager(proxy: Proxy | None, options: dict[str, Any], context: ssl.SSLContext | None) -> urllib3.PoolManager:
    classes: dict[str, type[HTTPConnectionPool]] = {"http": Pool, "https": SecurePool}
    manager: urllib3.PoolManager
    if proxy is None:
        manager = urllib3.PoolManager(1, **options)
    elif proxy.is_socks:
        try:
            from muxi_transports.pooled.socks import SOCKS_POOLS, SOCKSProxyManager
        except ImportError as error:
            raise ConfigurationError(
                f"the proxy {proxy.where} is a SOCKS proxy, which needs PySocks: pip install 'muxi-client[socks]'"
            ) from error
        manager = SOCKSProxyManager(proxy.address, proxy.user, proxy.password, 1, **options)
        classes = SOCKS_POOLS
    else:
        headers = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else None
        manager = urllib3.ProxyManager(proxy.address, 1, proxy_headers=headers, proxy_ssl_context=context, **options)
    manager.pool_classes_by_scheme = classes
    return manager
