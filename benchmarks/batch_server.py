"""A formation that answers each chat after a fixed time: ``python batch_server.py MILLISECONDS`` prints its port.

It serves until its standard input closes. As thin as can be, because it shares the machine with what is measured.
"""

from __future__ import annotations

import asyncio
import sys

from server import CHAT


class Delayed(asyncio.Protocol):
    """One connection: whole requests in, one answer each, after the delay."""

    delay = 0.0

    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # of a socket

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._data) < end + 4 + length:
                return
            self._data = self._data[end + 4 + length :]
            asyncio.get_running_loop().call_later(self.delay, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(CHAT)


async def main() -> None:
    """Serve until the standard input closes."""
    Delayed.delay = float(sys.argv[1]) / 1000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Delayed, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
