"""A server that says exactly the bytes a test gives it, and remembers exactly those it was sent."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import ssl
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

#: Longer than anything takes; what exceeds it has failed.
PATIENCE = 10.0


@dataclass
class Received:
    """A request as it came over the wire."""

    head: bytes
    body: bytes = b""
    #: The body with its framing.
    framed: bytes = b""

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    def values(self, name: str) -> list[bytes]:
        """All values of a header, as bytes."""
        lines = (line.partition(b":") for line in self.head.split(b"\r\n")[1:] if line)
        return [value.strip() for found, _, value in lines if found.lower() == name.lower().encode()]


@dataclass
class Peer:
    """The server's end of one connection."""

    sock: socket.socket
    server: RawServer
    buffer: bytes = field(default=b"")

    def request(self) -> Received:
        """Read one request.

        Raises:
            EOFError: the client closed the connection instead.
        """
        request = Received(self._until(b"\r\n\r\n"))
        if request.values("transfer-encoding") == [b"chunked"]:
            while True:
                line = self._until(b"\r\n")
                size = int(line, 16)
                piece = self.exactly(size + 2)
                request.framed += line + piece
                request.body += piece[:-2]
                if not size:
                    break
        elif lengths := request.values("content-length"):
            request.body = request.framed = self.exactly(int(lengths[0]))
        self.server.requests.append(request)
        return request

    def head(self) -> Received:
        """Read the head of a request and leave its body where it is."""
        request = Received(self._until(b"\r\n\r\n"))
        self.server.requests.append(request)
        return request

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.sock.sendall(piece)

    def answer(self, body: bytes = b"ok", status: str = "200 OK", *headers: str) -> None:
        """A plain answer with its length."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def wait_for_end(self) -> None:
        """Wait until the client has closed the connection."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass

    def wait_until_delivered(self) -> None:
        """Wait until the kernel at the other end has everything that was sent; there is no event for it."""
        if sys.platform == "linux":
            for _ in range(int(PATIENCE / 0.001)):
                if not struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0]:
                    return
                time.sleep(0.001)
            raise TimeoutError("the other end does not take what was sent")
        time.sleep(0.05)

    def reset(self) -> None:
        """Break the connection without a goodbye."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def _until(self, end: bytes) -> bytes:
        while end not in self.buffer:
            self._receive()
        taken, _, self.buffer = self.buffer.partition(end)
        return taken + end

    def exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self._receive()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def _receive(self) -> None:
        data = self.sock.recv(262144)
        if not data:
            raise EOFError
        self.buffer += data


Script = Callable[[Peer], None]


class RawServer:
    """Runs a script for each connection, in a thread of its own."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None, path: Path | None = None) -> None:
        self.script = script
        self.tls = tls
        self.requests: list[Received] = []
        self.connections = 0
        self.failures: list[BaseException] = []
        self.path = path
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.port: int = self._listener.getsockname()[1]
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen()
        self._threads: list[threading.Thread] = []
        self._peers: list[Peer] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        if self.path is not None:
            return f"http+unix://{quote(str(self.path), safe='')}"
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End all scripts; raise what one of them failed with."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(PATIENCE)
        for peer in self._peers:
            peer.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        if self.failures:
            raise self.failures[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self.path is None:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        sock.settimeout(PATIENCE)
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                sock.do_handshake()
        except OSError:
            # One side did not like the other's certificate. What is unread would reset the connection, alert and all.
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass
            sock.close()
            return
        peer = Peer(sock, self)
        self._peers.append(peer)
        try:
            self.script(peer)
        except (EOFError, OSError):
            pass  # the client has closed the connection
        except BaseException as error:
            self.failures.append(error)
        finally:
            peer.close()


@contextlib.contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None, path: Path | None = None) -> Iterator[RawServer]:
    server = RawServer(script, tls, path)
    try:
        yield server
    finally:
        server.stop()
