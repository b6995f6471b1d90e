"""A server that says exactly the bytes a scenario gives it, and remembers exactly those it was sent."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from muxi.testing.transport_suite.handlers import Handler, Received, Reply

__all__ = ["Peer", "Script", "Server", "script_of", "unused_port"]


@dataclass
class Peer:
    """The server's end of one connection."""

    sock: socket.socket
    server: Server
    buffer: bytes = b""
    #: Set when this connection has ended, from whichever side.
    ended: threading.Event = field(default_factory=threading.Event)
    #: Whether it ended because nothing happened for longer than every timeout.
    gave_up: bool = False

    def request(self) -> Received:
        """Read one request.

        Raises:
            EOFError: the client closed the connection instead.
        """
        request = self._head()
        if request.values("transfer-encoding") == ["chunked"]:
            while True:
                line = self.until(b"\r\n")
                size = int(line.partition(b";")[0], 16)
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
        request = self._head()
        self.server.requests.append(request)
        return request

    def send(self, *pieces: bytes) -> None:
        """Send bytes as they are."""
        for piece in pieces:
            self.sock.sendall(piece)

    def answer(self, body: bytes = b"ok", status: str = "200 OK", *headers: str) -> None:
        """A plain answer with its length."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def reply(self, reply: Reply, method: str = "GET") -> None:
        """Send a handler's response: bytes with a Content-Length, anything else chunked, piece by piece."""
        bodiless = method == "HEAD" or reply.status in (204, 304)
        lines = [f"HTTP/1.1 {reply.status} {reply.reason or 'Reason'}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if isinstance(reply.body, bytes):
            lines += [] if reply.status in (204, 304) else [f"Content-Length: {len(reply.body)}"]
            self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if bodiless else reply.body))
            return
        self.send("\r\n".join([*lines, "Transfer-Encoding: chunked"]).encode() + b"\r\n\r\n")
        for piece in reply.body:
            if piece:
                self.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.send(b"0\r\n\r\n")

    def wait_for_end(self) -> None:
        """Wait until the client has closed the connection; whatever it sends is read and dropped."""
        with contextlib.suppress(ConnectionError):
            while self.sock.recv(65536):
                pass

    def reset(self) -> None:
        """Break the connection without a goodbye."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.ended.set()

    def exactly(self, count: int) -> bytes:
        """Read so many bytes."""
        pieces, missing = [self.buffer[:count]], count - len(self.buffer)
        self.buffer = self.buffer[count:]
        while missing > 0:
            pieces.append(self._receive(min(missing, 262144)))
            missing -= len(pieces[-1])
        return b"".join(pieces)

    def until(self, end: bytes) -> bytes:
        """Read to the end of what ends with these bytes."""
        while end not in self.buffer:
            self.buffer += self._receive(65536)
        taken, _, self.buffer = self.buffer.partition(end)
        return taken + end

    def _head(self) -> Received:
        return Received.from_head(self.until(b"\r\n\r\n"))

    def _receive(self, most: int) -> bytes:
        data = self.sock.recv(most)
        if not data:
            raise EOFError
        return data


#: What a server does with a connection.
Script = Callable[[Peer], None]


def script_of(handler: Handler) -> Script:
    """A script that gives every request to a handler."""

    def script(peer: Peer) -> None:
        while True:
            received = peer.request()
            peer.reply(handler(received), received.method)

    return script


class Server:
    """Runs a script for each connection, in a thread of its own.

    Args:
        script: what to do with a connection; whatever it raises, but the end of the connection, fails the test.
        listener: a socket that listens; it is closed in the end.
        url: the address under which the transport under test reaches it.
        patience: how long, in seconds, one read or write may take.
    """

    def __init__(self, script: Script, listener: socket.socket, url: str, patience: float) -> None:
        self.script: Script = script
        self.url: str = url
        #: Every request that was read, in order.
        self.requests: list[Received] = []
        #: The connections that were made, also those that have ended.
        self.peers: list[Peer] = []
        #: What scripts failed with.
        self.failures: list[BaseException] = []
        self._patience = patience
        self._listener = listener
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def connections(self) -> int:
        """The number of connections accepted so far."""
        return len(self.peers)

    def is_left(self) -> bool:
        """Wait until every connection has been ended by its client, or by its script; false if one is only given up."""
        return all(peer.ended.wait(2 * self._patience) and not peer.gave_up for peer in list(self.peers))

    def stop(self) -> None:
        """End all scripts."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(self._patience)
        for peer in self.peers:
            peer.close()
        for thread in self._threads:
            thread.join(self._patience)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if sock.family != getattr(socket, "AF_UNIX", None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(self._patience)
            peer = Peer(sock, self)
            self.peers.append(peer)
            thread = threading.Thread(target=self._run, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, peer: Peer) -> None:
        try:
            self.script(peer)
        except TimeoutError:
            peer.gave_up = True
        except (EOFError, OSError):
            pass  # the client has closed the connection
        except BaseException as error:
            self.failures.append(error)
        finally:
            peer.close()


def unused_port() -> int:
    """Return a port of this machine that is not in use."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
