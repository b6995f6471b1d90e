"""Connections of aiohttp through a SOCKS proxy. Needs aiohttp-socks, of the extra ``[socks]``."""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError, ProxyType

from muxi_transports.http.proxies import Proxy

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

__all__ = ["SocksConnector"]


class SocksConnector(ProxyConnector):
    """Connects through a SOCKS proxy, and says what went wrong as the system does.

    Args:
        proxy: the proxy.
        socket_options: options set on each socket.
        bounds: how many connections there may be, and how long they are kept.
    """

    def __init__(self, proxy: Proxy, socket_options: list[tuple[int, int, int]], bounds: dict[str, Any]) -> None:
        parts = urlsplit(proxy.address)
        super().__init__(
            host=parts.hostname or "",
            port=parts.port or 1080,
            proxy_type=ProxyType.SOCKS5 if proxy.scheme.startswith("socks5") else ProxyType.SOCKS4,
            username=proxy.user,
            password=proxy.password,
            rdns=proxy.scheme in ("socks5h", "socks4a"),
            **bounds,
        )
        self._options = socket_options

    async def _connect_via_proxy(
        self, host: str, port: int, ssl: tls.SSLContext | None = None, timeout: float | None = None
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        transport, handler = await super()._connect_via_proxy(host, port, ssl, timeout)
        sock: socket.socket = transport.get_extra_info("socket")
        for option in self._options:
            sock.setsockopt(*option)
        return transport, handler

    async def _wrap_create_connection(self, *args: Any, **options: Any) -> tuple[asyncio.Transport, ResponseHandler]:
        # Any: what aiohttp hands on to itself.
        try:
            return await super()._wrap_create_connection(*args, **options)
        except ProxyTimeoutError as error:
            raise TimeoutError(str(error)) from error
        except (ProxyConnectionError, ProxyError) as error:
            raise OSError(str(error)) from error
