"""The route to an origin (direct, Unix socket, proxy), and the urllib3 pools for it."""

from __future__ import annotations

import ssl
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from muxi.errors import ConfigurationError, MissingExtraError, MuxiError
from muxi_transports.http.attempt import invalid_request
from muxi_transports.http.proxies import Proxy
from muxi_transports.http.settings import HttpSettings, Way

if TYPE_CHECKING:
    import urllib3
    from urllib3.connectionpool import HTTPConnectionPool

__all__ = ["PoolClasses", "Route", "open_pool", "refuse_fork", "route_of", "socks_missing"]


class Route(NamedTuple):
    """The route to an origin as plain values: looked up once, used for every request to it."""

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
    #: The credentials that a forwarding proxy gets with every request.
    proxy_authorization: str | None
    authorization: str | None
    #: The Unix socket, if it is one.
    socket: str | None
    #: Which certificate authorities count, in words.
    trust: str

    def __repr__(self) -> str:
        return f"Route({self.where!r})"  # the rest may hold credentials


class PoolClasses(NamedTuple):
    """The classes of pools that a lane uses."""

    #: By scheme.
    plain: dict[str, type[HTTPConnectionPool]]
    #: By scheme, through a SOCKS proxy; made when it is needed, because PySocks may be missing.
    socks: Any


def refuse_fork() -> None:
    """Refuse a urllib3 that cannot read streams as they arrive, nor close them, as soon as it has been imported.

    Raises:
        ConfigurationError: with what to install.
    """
    response = getattr(sys.modules.get("urllib3"), "HTTPResponse", None)
    if response is None or (hasattr(response, "read1") and hasattr(response, "shutdown")):
        return
    raise ConfigurationError(
        "the installed urllib3 cannot read a stream as it arrives. It is too old, or the fork "
        "urllib3-future (it comes with niquests) has replaced it. Install the real one: "
        "pip uninstall -y urllib3-future && pip install --force-reinstall 'urllib3>=2.3,<3'"
    )


def route_of(way: Way) -> Route:
    """The plain values of a way."""
    origin, proxy = way.origin, way.proxy
    forwarding = proxy if way.is_forwarded else None
    return Route(
        where=origin.where,
        host_header=origin.host_header,
        prefix=f"http://{origin.host_header}" if way.is_forwarded else "",
        proxy=None if proxy is None else proxy.where,
        is_tunnelled=proxy is not None and not proxy.is_socks and origin.scheme == "https",
        is_forwarded=way.is_forwarded,
        proxy_authorization=None if forwarding is None else forwarding.authorization,
        authorization=origin.authorization,
        socket=origin.socket,
        trust=way.trust,
    )


def open_pool(way: Way, settings: HttpSettings, classes: PoolClasses) -> HTTPConnectionPool:
    """A pool of urllib3's for the connections to an origin, which is no Unix socket.

    Args:
        way: how the origin is reached.
        settings: the options of the transport.
        classes: what the pool is made of.

    Raises:
        ConfigurationError: the proxy cannot be used, or SOCKS support is not installed.
    """
    origin, proxy, context = way.origin, way.proxy, way.context
    kept: dict[str, Any] = {"maxsize": settings.pool_size, "block": settings.pool_block}
    options: dict[str, Any] = {**kept, "socket_options": settings.socket_options}
    if settings.source_address is not None:
        options["source_address"] = settings.source_address
    try:
        manager = _manager(proxy, options, context, classes)
        return manager.connection_from_host(
            origin.host, origin.port, origin.scheme, pool_kwargs={"ssl_context": context} if context else None
        )
    except MuxiError:
        raise
    except ValueError as error:
        failure = invalid_request(error)
    raise failure


def socks_missing(proxy: str) -> MissingExtraError:
    """The error for a SOCKS proxy without PySocks.

    Args:
        proxy: the beginning of the sentence.
    """
    return MissingExtraError(f"{proxy} is a SOCKS proxy, which needs PySocks: pip install 'muxi-client[socks]'")


def _manager(
    proxy: Proxy | None, options: dict[str, Any], context: ssl.SSLContext | None, classes: PoolClasses
) -> urllib3.PoolManager:
    import urllib3

    refuse_fork()
    manager: urllib3.PoolManager
    if proxy is not None and proxy.is_socks:
        try:
            pools = classes.socks()
            from urllib3.contrib.socks import SOCKSProxyManager
        except ImportError as error:
            raise socks_missing(f"the proxy {proxy.where}") from error
        manager = SOCKSProxyManager(proxy.address, proxy.user, proxy.password, **options)
        manager.pool_classes_by_scheme = pools
        return manager
    if proxy is None:
        manager = urllib3.PoolManager(**options)
    else:
        headers = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else None
        manager = urllib3.ProxyManager(proxy.address, proxy_headers=headers, proxy_ssl_context=context, **options)
    manager.pool_classes_by_scheme = classes.plain
    return manager
