"""The options of all HTTP transports, checked once, and the way to an origin that follows from them."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import NamedTuple

from muxi.errors import ConfigurationError
from muxi.forks import renew_after_fork
from muxi.redact import SecretDict, show_value
from muxi_transports.http.proxies import Proxy, check_proxies, parse_proxy, proxy_for
from muxi_transports.http.tls import Cert, Verify, check_trust, tls_context, trusted
from muxi_transports.http.wire import Origin, parse_origin, split_url

__all__ = ["HttpSettings", "SourceAddress", "Way"]

#: The address, or the address and port, of this machine that connections come from.
SourceAddress = str | tuple[str, int]

# Once a connection has been silent for its time, the system asks this often, so many seconds apart, and gives up.
_PROBES = 4
_PROBE_INTERVAL = 15


class Way(NamedTuple):
    """The way to an origin: its proxy, its socket, its certificate authorities."""

    origin: Origin
    proxy: Proxy | None
    #: What TLS is made with, to the origin and to the proxy; None where there is none.
    context: ssl.SSLContext | None
    #: Which authorities that trusts, in words.
    trust: str

    @property
    def is_forwarded(self) -> bool:
        """True if the proxy reads the requests and passes them on, and does not merely connect."""
        return self.proxy is not None and self.origin.scheme == "http" and not self.proxy.is_socks


class HttpSettings:
    """The options of a transport.

    Args:
        verify: whether TLS certificates are verified, the authorities to trust, or a context.
        cert: a client certificate.
        proxies: proxy URLs.
        trust_env: whether the environment is asked.
        pool_size: connections kept, or allowed, per host.
        pool_block: whether a request waits while that many are at work.
        source_address: the address of this machine that connections come from.
        keep_alive: seconds that an idle connection is kept; None is without bound.
        tcp_keep_alive: seconds of silence until the system probes a connection; None is never.

    Raises:
        ConfigurationError: an option is invalid, or contradicts another.
    """

    def __init__(
        self,
        *,
        verify: Verify,
        cert: Cert | None,
        proxies: Mapping[str, str] | None,
        trust_env: bool,
        pool_size: int,
        pool_block: bool,
        source_address: SourceAddress | None,
        keep_alive: float | None,
        tcp_keep_alive: float | None,
    ) -> None:
        check_trust(verify, cert)
        check_proxies({} if proxies is None else proxies)
        size: object = pool_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigurationError(f"pool_size= takes a whole number from 1 up, got {show_value(size)}")
        for name, seconds in (("keep_alive", keep_alive), ("tcp_keep_alive", tcp_keep_alive)):
            given: object = seconds
            least = 0 if name == "keep_alive" else 1
            if given is not None and (isinstance(given, bool) or not isinstance(given, int | float) or given < least):
                raise ConfigurationError(f"{name}= takes seconds from {least} up, or None, got {show_value(given)}")
        self.pool_size: int = pool_size
        self.pool_block: bool = pool_block
        self.source_address: tuple[str, int] | None = _pair(source_address)
        self.keep_alive: float | None = keep_alive
        self._verify = verify
        self._cert = cert
        self._proxies = SecretDict(proxies or {})
        self._trust_env = trust_env
        self._tcp_keep_alive = tcp_keep_alive
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._context: tuple[ssl.SSLContext, str] | None = None

    def way_to(self, base: str) -> Way:
        """Return the way to the origin of a URL.

        Raises:
            ConfigurationError: the URL or the proxy is of no use, or a certificate cannot be read.
        """
        origin = parse_origin(base)
        url = proxy_for(origin, self._proxies, self._trust_env)
        proxy = None if url is None else parse_proxy(url)
        if origin.scheme == "https" or (proxy is not None and proxy.scheme == "https"):
            return Way(origin, proxy, *self.tls())
        return Way(origin, proxy, None, "")

    def explain(self, url: str) -> str:
        """Describe the way to a URL, in one line without secrets."""
        base, _ = split_url(url)
        way = self.way_to(base)
        parts = [f"{way.origin.scheme} to {way.origin.where}"]
        if way.proxy is not None:
            named = ", with a user and a password" if way.proxy.authorization is not None else ""
            parts.append(f"through the proxy {way.proxy.scheme}://{way.proxy.where}{named}")
        else:
            parts.append("directly")
        if way.context is not None:
            parts.append(f"trusted authorities: {way.trust}")
            if self._cert is not None:
                parts.append("with a client certificate")
        return "; ".join(parts)

    def tls(self) -> tuple[ssl.SSLContext, str]:
        """The TLS context and the authorities it trusts; made at first use."""
        with self._lock:
            if self._context is None:
                context = tls_context(self._verify, self._cert, self._trust_env)
                self._context = context, trusted(self._verify, self._trust_env)[1]
            return self._context

    def forget(self) -> None:
        """Look at the files and the environment anew when they are needed next."""
        with self._lock:
            self._context = None

    def bundle(self) -> bool | str:
        """The authorities as an adapter of requests takes them."""
        if isinstance(self._verify, ssl.SSLContext):
            raise ConfigurationError(
                "adapters= takes verify= as True, False or a path; an ssl.SSLContext goes into the adapter itself"
            )
        return trusted(self._verify, self._trust_env)[0] or False

    def certificate(self) -> str | tuple[str, str] | None:
        """The client certificate as an adapter of requests takes it."""
        if isinstance(self._cert, tuple):
            if len(self._cert) == 3:
                raise ConfigurationError("adapters= takes a client certificate whose key has no password")
            return self._cert
        return None if self._cert is None else os.fspath(self._cert)

    @property
    def socket_options(self) -> list[tuple[int, int, int]]:
        """The options of TCP sockets: no Nagle delay, and keep-alive probes that detect a lost peer."""
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        if self._tcp_keep_alive is None:
            return options
        options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
        # The silence has another name on macOS, and not every system lets a program choose.
        for name, value in (
            ("TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE", round(self._tcp_keep_alive)),
            ("TCP_KEEPINTVL", _PROBE_INTERVAL),
            ("TCP_KEEPCNT", _PROBES),
        ):
            if hasattr(socket, name):
                options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
        return options


def _pair(source: SourceAddress | None) -> tuple[str, int] | None:
    if source is None:
        return None
    given: object = source
    if isinstance(given, str):
        given = (given, 0)
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], int):
        return given[0], given[1]
    raise ConfigurationError("source_address= takes an address of this machine such as '10.0.0.5', or (address, port)")
