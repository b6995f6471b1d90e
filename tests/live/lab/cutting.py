"""A proxy on loopback that cuts connections once the request has reached the formation."""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import suppress
from typing import Literal

__all__ = ["CuttingProxy", "Moment"]

#: When a connection is cut: as soon as the formation has the whole request, when its answer begins, or within it.
Moment = Literal["delivered", "answered", "half answered"]

_BLOCK = 65536


class CuttingProxy:
    """Forwards connections to a port of this machine, and cuts as many as it is told to.

    Args:
        port: where the formation listens.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._lock = threading.Lock()
        self._moment: Moment = "answered"
        self._left = 0
        #: Connections that were cut.
        self.cuts = 0
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._closed = False
        self._start(self._accept)

    def cut(self, moment: Moment, times: int = 1) -> None:
        """Cut the connections of the next requests.

        Args:
            moment: when.
            times: how many requests.
        """
        with self._lock:
            self._moment, self._left = moment, times

    def close(self) -> None:
        """Stop listening and end all connections."""
        self._closed = True
        # Closing a listener does not wake the thread that accepts: a connection does.
        socket.create_connection(self._listener.getsockname()).close()
        with self._lock:
            for opened in list(self._open):
                _shut(opened)
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closed:
                client.close()
                return
            self._start(self._forward, client)

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as upstream:
            with self._lock:
                self._open |= {client, upstream}
            answers = self._start(self._return_answers, upstream, client)
            try:
                while request := _read_request(client):
                    upstream.sendall(request)
                    if self._take("delivered"):
                        _reset(client)
                        break
            except OSError:
                pass  # one side has gone, so the other goes too
            # The formation reads on: what has been delivered is worked off, as behind a proxy that has died.
            answers.join(0 if self._closed else None)
            with self._lock:
                self._open -= {client, upstream}

    def _return_answers(self, upstream: socket.socket, client: socket.socket) -> None:
        try:
            while block := upstream.recv(_BLOCK):
                if self._take("answered"):
                    _reset(client)
                    return
                if self._take("half answered"):
                    client.sendall(block[: len(block) // 2])
                    _reset(client)
                    return
                client.sendall(block)
            _shut(client)
        except OSError:
            _shut(upstream)

    def _take(self, moment: Moment) -> bool:
        """True if the connection is to be cut now."""
        with self._lock:
            if self._left <= 0 or self._moment != moment:
                return False
            self._left -= 1
            self.cuts += 1
            return True

    def _start(self, function: object, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=function, args=arguments, name="cutting proxy", daemon=True)  # type: ignore[arg-type]  # a method of this class
        self._threads.append(thread)
        thread.start()
        return thread


def _read_request(client: socket.socket) -> bytes:
    """Read one request with its body; empty at the end of the connection."""
    request = b""
    while b"\r\n\r\n" not in request:
        block = client.recv(_BLOCK)
        if not block:
            return b""
        request += block
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    missing = (int(length[1]) if length else 0) - len(body)
    while missing > 0:
        block = client.recv(min(_BLOCK, missing))
        if not block:
            return b""
        request += block
        missing -= len(block)
    return request


def _reset(client: socket.socket) -> None:
    """Break a connection off, without a word to the peer but RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.shutdown(socket.SHUT_RD)
    client.close()


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        opened.shutdown(socket.SHUT_RDWR)
