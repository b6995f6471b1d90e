"""The server's end of one connection: requests are read byte by byte, and answers are whatever bytes are sent."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass

__all__ = ["Connection", "Head"]


@dataclass
class Head:
    """The head of a request."""

    raw: bytes

    def value(self, name: str) -> str:
        """The first value of a header, or ""."""
        for line in self.raw.split(b"\r\n")[1:]:
            found, _, value = line.partition(b":")
            if found.lower() == name.lower().encode():
                return value.strip().decode("latin-1")
        return ""


#: Seconds within which an answer and the end of its connection belong together; later ends were waited for.
_AT_ONCE = 1.0


class Connection:
    """A connection that was accepted.

    Args:
        sock: a socket that does not block.
        breaks: where it notes between which times it ended behind an answer: a client that had the answer already may
            have sent its next request meanwhile, which nobody reads.
    """

    def __init__(self, sock: socket.socket, breaks: list[tuple[float, float]] | None = None) -> None:
        self._sock = sock
        self._breaks = [] if breaks is None else breaks
        #: When the last bytes were sent.
        self._sent: float | None = None
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        #: When an unasked answer was sent.
        self.unasked: float | None = None
        self.closed = False

    async def read_head(self) -> Head:
        """Read a request's head.

        Raises:
            EOFError: the client has closed the connection.
        """
        while b"\r\n\r\n" not in self._buffer:
            await self._receive()
        raw, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return Head(raw)

    async def read_body(self, head: Head) -> bytes:
        """Read the body that belongs to a head."""
        if head.value("transfer-encoding").lower() == "chunked":
            body = b""
            while True:
                while b"\r\n" not in self._buffer:
                    await self._receive()
                line, _, self._buffer = self._buffer.partition(b"\r\n")
                piece = await self._exactly(int(line, 16) + 2)
                body += piece[:-2]
                if int(line, 16) == 0:
                    return body
        return await self._exactly(int(head.value("content-length") or 0))

    async def send(self, data: bytes) -> None:
        """Send these bytes."""
        self._sent = time.monotonic()
        await self._loop.sock_sendall(self._sock, data)

    async def drip(self, data: bytes, every: float) -> None:
        """Send these bytes one by one, over and over, until the client has had enough; for a minute at most."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            for at in range(len(data)):
                await self.send(data[at : at + 1])
                if await self.is_left(every):
                    return

    async def is_left(self, seconds: float) -> bool:
        """Wait that long; True at once if the client closes the connection."""
        try:
            await asyncio.wait_for(self._receive(), seconds)
        except (EOFError, OSError):
            return True
        except asyncio.TimeoutError:
            return False
        return False

    def has_request(self) -> bool:
        """Whether something has arrived that has not been read."""
        if self._buffer:
            return True
        with contextlib.suppress(BlockingIOError, OSError):
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        return False

    async def send_and_close(self, data: bytes) -> None:
        """Send these bytes and the end of the connection in one packet."""
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        if hasattr(socket, "TCP_CORK"):
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        await self.send(data)
        self.close()

    async def linger(self) -> None:
        """End the sending side and swallow what still comes, so that the client can read the answer."""
        self._sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(EOFError, OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self._swallow(), 2)
        self.close()

    def reset(self) -> None:
        """Break the connection with a reset."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if not self.closed:
            self.closed = True
            self._sock.close()
            now = time.monotonic()
            if self._sent is not None and now - self._sent < _AT_ONCE:
                self._breaks.append((self._sent, now))

    async def _swallow(self) -> None:
        while True:
            self._buffer = b""
            await self._receive()

    async def _receive(self) -> None:
        data = await self._loop.sock_recv(self._sock, 262144)
        if not data:
            raise EOFError
        self._buffer += data

    async def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._receive()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken
