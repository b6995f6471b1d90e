"""Targets: the values of single headers, each in answers that bring the SDK to read it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from muxi.exchange.download import describe
from muxi.exchange.incoming import redirected
from muxi.transport import BufferedResponse, Headers, Request, Response
from tests.fuzz.registry import goes_on, is_drawn, target
from tests.fuzz.targets.scripted import (
    Parts,
    ScriptedTransport,
    as_received,
    formation,
    one_of,
    only_errors,
    server,
)

_TRANSPORT = ScriptedTransport()
_CLIENT, _SERVER = formation(_TRANSPORT), server(_TRANSPORT)


def _seeds(*values: str) -> Callable[[], list[bytes]]:
    return lambda: [value.encode() for value in values]


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="muxi-fuzz-")


#: The time by the clock of the clients.
_NOW = 1_800_000_000.0
_URLS = ("http://localhost/v1/memories?limit=1", "http://[::1]:8001/v1/chat", "http+unix://%2Frun%2Fmuxi.sock/v1/chat")


def _answer(status: int, name: str, data: bytes) -> BufferedResponse:
    return BufferedResponse(status, [(name, as_received(data))])


def _respond(status: int, name: str, data: bytes, body: bytes = b"") -> None:
    """Answer everything with this header."""
    value = as_received(data)

    def respond(request: Request) -> Response:
        return Parts(status, Headers([(name, value)]), [body])

    _TRANSPORT.answer = respond


@target(
    "location",
    _seeds(
        "/v1/else", "http://localhost/v1/x?y=1#z", "//localhost/x", "../x", "?a=b", "http://[::1]:80/", "http://[",
        "http://h:99999/", "/a b", "/ünï", "http://user:pass@localhost/", "https://localhost/", "http+unix://%2Fx/",
    ),
    b"http://", b"https://", b"localhost", b"[", b"]", b"@", b":99999", b"%", b"\\", b"\t", b"?", b"#", b";", b"..",
)  # fmt: skip
def location(data: bytes) -> None:
    status = (302, 303, 307)[len(data) % 3]
    answer = _answer(status, "Location", data)
    if is_drawn(data, 10):
        only_errors(*(partial(redirected, url, answer) for url in _URLS))
    else:
        one_of(data, *(partial(redirected, url, answer) for url in _URLS))
    if not goes_on(data):
        return
    _respond(status, "Location", data)
    one_of(data, lambda: _CLIENT.get_memories("u"), lambda: _CLIENT.chat("hi"), lambda: _SERVER.list_formations())


@target(
    "retry-after",
    _seeds(
        "1", "0", "120", "Fri, 27 Nov 2026 10:00:00 GMT", "Friday, 27-Nov-26 10:00:00 GMT", "Fri Nov 27 10:00:00 2026",
        "-1", "1.5", "1e9", "nan", "inf", "soon", "1_0", "٣",
    ),
    b"GMT", b"+9999", b"-2400", b"31", b"Feb", b"24:60:61", b"0000", b"99999", b",", b"T", b"Z", b"()", b"(((",
)  # fmt: skip
def retry_after(data: bytes) -> None:
    status = (429, 503)[len(data) % 2]
    asked = _answer(status, "Retry-After", data).retry_after(_NOW)
    if asked is not None and not 0 <= asked < 1e12:
        raise AssertionError(f"it is to wait for {asked!r} seconds")
    if not goes_on(data):
        return
    _respond(status, "Retry-After", data)
    one_of(data, lambda: _CLIENT.get_memories("u"), lambda: _CLIENT.chat_stream("hi"))


@target(
    "content-disposition",
    _seeds(
        'attachment; filename="report.txt"', "inline; filename*=UTF-8''%C3%A4%20b.txt", "attachment; filename=a.zip",
        "attachment; filename*=UTF-8''%00x", 'attachment; filename="C:evil"', "filename*=iso-8859-1''%A3.txt",
        "xfilename=a", 'attachment; filename="a\\"b"',
    ),
    b"filename=", b"filename*=", b"UTF-8''", b"utf-16''", b"nosuch''", b"idna''", b"%2F", b"%5C", b"/", b"\\", b"'",
)  # fmt: skip
def content_disposition(data: bytes) -> None:
    file = Path(_folder().name, "file")
    name = describe(_answer(200, "Content-Disposition", data), str(file), 0).get("filename")
    if name and (set(name) & set("/\\\0\r\n") or name in (".", "..")):
        raise AssertionError(f"the file is called {name!r}")
    if not goes_on(data):
        return
    _respond(200, "Content-Disposition", data, b"content")
    one_of(data, lambda: _CLIENT.download_artifact("a", file, "u"), lambda: _SERVER.download_formation("bot", file))


@target(
    "content-type",
    _seeds("application/json", "text/event-stream; charset=utf-8", "text/html", "application/json; charset=utf-16"),
    b"charset=", b"utf-7", b"idna", b"punycode", b";", b"zip", b"text/", b"event-stream",
)  # fmt: skip
def content_type(data: bytes) -> None:
    assert _answer(200, "Content-Type", data).content_type.strip() == _answer(200, "Content-Type", data).content_type
    if not goes_on(data):
        return
    _respond((200, 404)[len(data) % 2], "Content-Type", data, b'{"data": {}}')
    one_of(
        data,
        lambda: _CLIENT.get_memories("u"),
        lambda: _CLIENT.chat_stream("hi").result(),
        lambda: list(_CLIENT.stream_events("u")),
    )
