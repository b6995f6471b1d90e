"""The same answers read by h11 and by http.client."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Iterable
from typing import NamedTuple, cast

import h11


class OtherReading(NamedTuple):
    """What another library makes of an answer."""

    #: Why it is refused; None where it is read to its end.
    refused: str | None
    status: int = 0
    content: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    #: Whether another request may follow; None where the library does not say.
    reusable: bool | None = None


def read_by_h11(pieces: Iterable[bytes], method: str) -> OtherReading:
    """Read an answer with h11; the connection ends behind it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "localhost")]))
    connection.send(h11.EndOfMessage())
    head: h11.Response | None = None
    content: list[bytes] = []
    coming = [*pieces, b""]
    try:
        while coming:
            piece = coming.pop(0)
            connection.receive_data(piece)
            while True:
                event = connection.next_event()
                if isinstance(event, h11.Response):
                    head = event
                elif isinstance(event, h11.Data):
                    content.append(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    assert head is not None
                    surplus = connection.trailing_data[0] + b"".join(coming)
                    ended_by_close = not piece
                    reusable = connection.their_state is h11.DONE and not surplus and not ended_by_close
                    return OtherReading(None, head.status_code, b"".join(content), _decoded(head), reusable)
                elif isinstance(event, h11.ConnectionClosed):
                    return OtherReading("closed")
                elif event is h11.PAUSED:
                    return OtherReading("paused")
                elif event is h11.NEED_DATA:
                    break
    except h11.RemoteProtocolError as error:
        return OtherReading(str(error))
    return OtherReading("no end")


def _decoded(head: h11.Response) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)


class _Socket:
    """The part of a socket that http.client reads from."""

    def __init__(self, wire: bytes) -> None:
        self._wire = wire

    def makefile(self, mode: str) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self._wire)


def read_by_http_client(wire: bytes, method: str) -> OtherReading:
    """Read an answer with http.client."""
    response = http.client.HTTPResponse(cast(socket.socket, _Socket(wire)), method=method)
    try:
        response.begin()
        headers = tuple((name.lower(), value) for name, value in response.headers.items())
        content = response.read()
    except (http.client.HTTPException, ValueError) as error:
        return OtherReading(f"{type(error).__name__}: {error}")
    return OtherReading(None, response.status, content, headers)
