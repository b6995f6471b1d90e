"""Connections of aiohttp through a SOCKS proxy. Needs aiohttp-socks, of the extra ``[socks]``."""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import python_socks
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError, ProxyType
from python_socks.async_.asyncio.v2 import Proxy as SocksProxy

from muxi_transports.aiohttp.lookup import look_up_async
from muxi_transports.http.proxies import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self._settings: dict[str, Any] = {
            "port": parts.port or 1080,
            "proxy_type": ProxyType.SOCKS5 if proxy.scheme.startswith("socks5") else ProxyType.SOCKS4,
            "username": proxy.user,
            "password": proxy.password,
            "rdns": proxy.scheme in ("socks5h", "socks4a"),
        }
        self._host = parts.hostname or ""
        super().__init__(host=self._host, **self._settings, **bounds)
        self._options = socket_options

    def __del__(self, *_: object) -> None:
        """Do nothing: the transport closes it, and warns that it was not closed."""

    async def _connect_via_proxy(
        self, host: str, port: int, ssl: tls.SSLContext | None = None, timeout: float | None = None
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        # What is no address would be looked up by the executor of the loop.
        settings = self._settings
        if not settings["rdns"]:
            family = socket.AF_INET if settings["proxy_type"] is ProxyType.SOCKS4 else 0
            host = str((await look_up_async(host, port, family=family))[0][4][0])
        failure: Exception = OSError("the name of the proxy has no addresses")
        for *_, address in await look_up_async(self._host, settings["port"]):
            proxy = SocksProxy(host=str(address[0]), **settings)
            try:
                stream = await proxy.connect(dest_host=host, dest_port=port, dest_ssl=ssl, timeout=timeout)
            except python_socks.ProxyConnectionError as error:
                failure = error
            else:
                return self._take_over(stream.writer)
        raise failure

    def _take_over(self, writer: asyncio.StreamWriter) -> tuple[asyncio.Transport, ResponseHandler]:
        """Have a connection read by a protocol of this connector, as one without a proxy is."""
        factory = cast("Callable[[], ResponseHandler]", self._factory)
        transport, protocol = cast(asyncio.Transport, writer.transport), factory()
        protocol.writer = writer  # type: ignore[attr-defined]  # it closes the connection when it is collected
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        sock: socket.socket = transport.get_extra_info("socket")
        for option in self._options:
            sock.setsockopt(*option)
        return transport, protocol

    async def _wrap_create_connection(self, *args: Any, **options: Any) -> tuple[asyncio.Transport, ResponseHandler]:
        # Any: what aiohttp hands on to itself.
        try:
            return await super()._wrap_create_connection(*args, **options)
        except ProxyTimeoutError as error:
            raise TimeoutError(str(error)) from error
        except (ProxyConnectionError, ProxyError) as error:
            raise OSError(str(error)) from error
        except EOFError:
            raise OSError("the proxy closed the connection before it had answered") from None
