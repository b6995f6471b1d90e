"""Proxies as companies have them, as scripts for a raw server: forwarding, tunnelling, re-signing TLS, SOCKS."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import trustme

from tests.transports.raw_server import PATIENCE, Peer, Received


@dataclass
class HttpProxy:
    """An HTTP proxy (RFC 9110, 7.3): it forwards requests for whole URLs, and connects where it is told CONNECT.

    Args:
        user: who may use it, as ``user:password``; None is everybody.
        resigns: an authority of its own, in whose name it reads what goes through its tunnels.
        hosts: names that it knows better than anybody else.
    """

    user: str | None = None
    resigns: trustme.CA | None = None
    hosts: dict[str, str] = field(default_factory=dict)
    #: The request lines that it was sent.
    asked: list[str] = field(default_factory=list)
    #: How often it was asked without the right user.
    refused: int = 0

    def __call__(self, peer: Peer) -> None:
        while True:
            request = peer.request()
            self.asked.append(request.head.split(b"\r\n", 1)[0].decode())
            if self.user is not None:
                wanted = b"Basic " + base64.b64encode(self.user.encode())
                if request.values("proxy-authorization") != [wanted]:
                    self.refused += 1
                    peer.answer(
                        b"who are you?", "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="x"'
                    )
                    continue
            if request.method == "CONNECT":
                self._tunnel(peer, request.target)
                return
            self._forward(peer, request)

    def _forward(self, peer: Peer, request: Received) -> None:
        url = urlsplit(request.target)
        with self._connected(url.hostname or "", url.port or 80) as upstream:
            relay(peer, request, upstream, f"{url.path or '/'}{'?' + url.query if url.query else ''}")

    def _connected(self, host: str, port: int) -> socket.socket:
        return socket.create_connection((self.hosts.get(host, host), port), timeout=PATIENCE)

    def _tunnel(self, peer: Peer, target: str) -> None:
        host, _, port = target.rpartition(":")
        try:
            upstream = self._connected(host, int(port))
        except OSError:
            peer.answer(b"", "502 Bad Gateway")
            return
        with upstream:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if self.resigns is None:
                pump(peer.sock, upstream)
                return
            inner = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.resigns.issue_cert(host).configure_cert(inner)
            outer = ssl.create_default_context()
            outer.check_hostname, outer.verify_mode = False, ssl.CERT_NONE
            peer.sock = inner.wrap_socket(peer.sock, server_side=True)
            with outer.wrap_socket(upstream, server_hostname=host) as secured:
                while True:
                    request = peer.request()
                    relay(peer, request, secured, request.target)


@dataclass
class SocksProxy:
    """A SOCKS5 proxy (RFC 1928, and RFC 1929 for users).

    Args:
        user: who may use it, as ``user:password``; None is everybody.
        hosts: names that it knows better than anybody else.
    """

    user: str | None = None
    hosts: dict[str, str] = field(default_factory=dict)
    #: The hosts that it was asked for: names where the client left them to it.
    asked: list[str] = field(default_factory=list)

    def __call__(self, peer: Peer) -> None:
        _, count = peer.exactly(2)
        offered = peer.exactly(count)
        method = 0 if self.user is None else 2
        if method not in offered:
            peer.send(b"\x05\xff")
            return
        peer.send(bytes([5, method]))
        if self.user is not None and not self._lets_in(peer):
            return
        _, _, _, kind = peer.exactly(4)
        if kind == 3:
            host = peer.exactly(peer.exactly(1)[0]).decode()
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, peer.exactly(size))
        (port,) = struct.unpack("!H", peer.exactly(2))
        self.asked.append(host)
        try:
            upstream = socket.create_connection((self.hosts.get(host, host), port), timeout=PATIENCE)
        except OSError:
            peer.send(b"\x05\x05\x00\x01" + bytes(6))
            return
        with upstream:
            peer.send(b"\x05\x00\x00\x01" + bytes(6))
            pump(peer.sock, upstream)

    def _lets_in(self, peer: Peer) -> bool:
        peer.exactly(1)
        name = peer.exactly(peer.exactly(1)[0]).decode()
        password = peer.exactly(peer.exactly(1)[0]).decode()
        known = f"{name}:{password}" == self.user
        peer.send(b"\x01\x00" if known else b"\x01\x01")
        return known


def relay(peer: Peer, request: Received, upstream: socket.socket, target: str) -> None:
    """Send a request on, and its answer back."""
    lines = [
        found
        for found in request.head.split(b"\r\n")[1:]
        if found and not found.lower().startswith(b"proxy-authorization")
    ]
    upstream.sendall(b"\r\n".join([f"{request.method} {target} HTTP/1.1".encode(), *lines, b"", request.framed]))
    answer = http.client.HTTPResponse(upstream, method=request.method)
    answer.begin()
    peer.answer(answer.read(), f"{answer.status} {answer.reason}", "Via: 1.1 company")
    answer.close()


def pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either end has had enough."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=carry, args=(other, one), daemon=True)
    back.start()
    carry(one, other)
    back.join(PATIENCE)
