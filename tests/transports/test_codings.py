"""Content codings inside each other: what they unpack is bounded, whether it brings content or not."""

from __future__ import annotations

import gzip
import zlib

import pytest

from muxi.errors import ConnectionError, MuxiError
from muxi.transport import Headers, Request
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.content import MAX_INTERMEDIATE, Content

#: A block of deflate without content; any number of them may precede the last one.
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def read(body: bytes, codings: str, piece: int = 65536) -> bytes:
    request = Request("GET", "http://localhost/")
    content = Content(request, 200, Headers({"Content-Encoding": codings}), Attempt(request, "localhost:80"))
    found: list[bytes] = []
    for at in range(0, len(body), piece):
        content.add(body[at : at + piece])
        while part := content.take():
            found.append(part)
    content.finish()
    return b"".join(found)


@pytest.mark.parametrize("levels", [1, 2])
def test_codings_that_bring_no_content_are_bounded(levels: int) -> None:
    body = GZIP_HEAD + EMPTY_BLOCK * (2 * MAX_INTERMEDIATE // len(EMPTY_BLOCK))
    for _ in range(levels):
        body = gzip.compress(body, mtime=0)
    assert len(body) < 100_000
    with pytest.raises(ConnectionError, match=f"more than {MAX_INTERMEDIATE} bytes without content"):
        read(body, ", ".join(["gzip"] * (levels + 1)))


@pytest.mark.parametrize("piece", [1, 7, 65536])
@pytest.mark.parametrize("codings", ["gzip", "deflate", "gzip, gzip", "deflate, gzip", "gzip, deflate, gzip"])
def test_content_comes_out_whole_however_it_is_cut(codings: str, piece: int) -> None:
    body = whole = b"".join(b"%d," % number for number in range(3000))
    for coding in codings.split(", "):
        body = gzip.compress(body, mtime=0) if coding == "gzip" else zlib.compress(body)
    assert read(body, codings, piece) == whole


@pytest.mark.parametrize("piece", [1, 100, 65536])
def test_members_one_behind_the_other_are_one_content(piece: int) -> None:
    parts = [b"%d," % number for number in range(2000)]
    members = b"".join(gzip.compress(part, mtime=0) for part in parts)
    assert read(members, "gzip", piece) == b"".join(parts)
    assert read(gzip.compress(members, mtime=0), "gzip, gzip", piece) == b"".join(parts)


def test_much_content_of_two_codings_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muxi_transports.http.content.MAX_INTERMEDIATE", 300_000)
    noise = b"".join(b"%08x" % (number * 2654435761 % 2**32) for number in range(100_000))
    assert read(gzip.compress(gzip.compress(noise, mtime=0), mtime=0), "gzip, gzip") == noise


def test_a_body_that_ends_too_soon_is_refused() -> None:
    for codings in ("gzip", "deflate"):
        with pytest.raises(MuxiError):
            read(gzip.compress(b"a" * 1000)[:15] if codings == "gzip" else zlib.compress(b"a" * 1000)[:5], codings)
