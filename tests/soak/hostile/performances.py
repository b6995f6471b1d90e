"""How the hostile server performs each fault of the catalogue on a connection."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate

from tests.soak.hostile.answers import GARBAGE, answer, error, frames_of, gzipped, head, page, parts_of
from tests.soak.hostile.connection import Connection
from tests.soak.plan import marker_of

__all__ = ["BEFORE_BODY", "PERFORMANCES", "Attempt"]

#: Seconds between the bytes of a drip.
_DRIP = 0.05
#: The number in answers that nobody has asked for.
_NOBODY = 999_999


@dataclass
class Attempt:
    """One attempt of a call, its head read and, unless the fault comes before that, its body too."""

    connection: Connection
    #: The fault that is performed.
    fault: str
    kind: str
    marker: str
    draw: random.Random
    #: Whether a removal finds nothing, because an earlier attempt was carried out.
    gone: bool = False

    @property
    def is_stream(self) -> bool:
        return self.kind == "stream"

    def parts(self) -> tuple[str, bytes]:
        """Media type and whole body of the right answer."""
        if self.is_stream:
            return "text/event-stream; charset=utf-8", b"".join(frames_of(self.marker))
        return parts_of(self.kind, self.marker)

    def answer(self) -> bytes:
        """The right answer: streams in chunks, the rest with its length."""
        if self.gone:
            return answer("404 Not Found", error("NOT_FOUND", f"Memory {self.marker} not found"))
        media, body = self.parts()
        return self.in_chunks() + b"0\r\n\r\n" if self.is_stream else answer("200 OK", body, media)

    def in_chunks(self, *lines: str) -> bytes:
        """The right answer in chunks, without the last."""
        media, body = self.parts()
        third = len(body) // 3
        pieces = (
            frames_of(self.marker) if self.is_stream else [body[:third], body[third : 2 * third], body[2 * third :]]
        )
        start = head("200 OK", f"Content-Type: {media}", "Transfer-Encoding: chunked", *lines)
        return start + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)

    def in_gzip(self, data: bytes) -> bytes:
        """An answer whose content is this, already compressed, and complete by its length."""
        media, _ = self.parts()
        return answer("200 OK", data, media, "Content-Encoding: gzip")


Performance = Callable[[Attempt], Awaitable[None]]
PERFORMANCES: dict[str, Performance] = {}
#: What happens after the head of the request has been read, and before its body.
BEFORE_BODY = frozenset({"reset-before-body", "early-413", "early-503", "early-reset"})


def _performs(*names: str) -> Callable[[Performance], Performance]:
    def register(performance: Performance) -> Performance:
        PERFORMANCES.update(dict.fromkeys(names, performance))
        return performance

    return register


@_performs("served")
async def _serve(it: Attempt) -> None:
    await it.connection.send(it.answer())


@_performs("in-two-pieces")
async def _serve_in_two_pieces(it: Attempt) -> None:
    """No fault: an answer that takes a little time, so that whoever breaks off does so in the middle of it."""
    data = it.answer()
    middle = it.draw.randrange(1, len(data))
    await it.connection.send(data[:middle])
    await asyncio.sleep(it.draw.choice((0, 0.001, 0.002)))
    await it.connection.send(data[middle:])


# -- connections that break ------------------------------------------------------------------------------------


@_performs("reset-before-body", "reset-after-reading")
async def _reset(it: Attempt) -> None:
    it.connection.reset()


@_performs("closed-after-reading")
async def _close(it: Attempt) -> None:
    it.connection.close()


@_performs("half-status-line")
async def _half_status_line(it: Attempt) -> None:
    await it.connection.send(b"HTTP/1.1 2")
    it.connection.close()


@_performs("half-head")
async def _half_head(it: Attempt) -> None:
    whole = it.answer().partition(b"\r\n\r\n")[0]
    await it.connection.send(whole[: it.draw.randrange(16, len(whole))])
    it.connection.close()


# -- bodies that are cut ---------------------------------------------------------------------------------------


def _short(it: Attempt) -> bytes:
    media, body = it.parts()
    start = head("200 OK", f"Content-Type: {media}", f"Content-Length: {len(body)}")
    # What is cut off of a stream has to reach into its text: the terminator alone ends it.
    return start + body[: it.draw.randrange(0, len(body) * 3 // 4)]


@_performs("short-length")
async def _short_length(it: Attempt) -> None:
    await it.connection.send(_short(it))
    it.connection.close()


@_performs("short-length-reset")
async def _short_length_reset(it: Attempt) -> None:
    await it.connection.send(_short(it))
    await asyncio.sleep(0.01)
    it.connection.reset()


@_performs("cut-chunk")
async def _cut_chunk(it: Attempt) -> None:
    data = it.in_chunks()
    start = data.index(b"\r\n\r\n") + 4
    await it.connection.send(data[: it.draw.randrange(start, start + (len(data) - start) * 3 // 4)])
    it.connection.close()


@_performs("no-last-chunk")
async def _no_last_chunk(it: Attempt) -> None:
    if it.is_stream:
        await _cut_chunk(it)  # a stream has its own terminator
        return
    await it.connection.send(it.in_chunks())
    it.connection.close()


@_performs("cut-gzip")
async def _cut_gzip(it: Attempt) -> None:
    data = gzipped(it.parts()[1])
    await it.connection.send(it.in_gzip(data[: it.draw.randrange(10, len(data) * 3 // 4)]))


@_performs("wrong-gzip")
async def _wrong_gzip(it: Attempt) -> None:
    data = gzipped(it.parts()[1])
    await it.connection.send(it.in_gzip(data[:10] + bytes(byte ^ 0x5A for byte in data[10:])))


# -- statuses --------------------------------------------------------------------------------------------------


def _http_date(seconds: float) -> str:
    return formatdate(time.time() + seconds, usegmt=True)


def _old_date(seconds: float) -> str:
    """The obsolete form of RFC 850, which recipients must accept too."""
    return time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(time.time() + seconds))


_RETRY_AFTER: dict[str, Callable[[random.Random], str]] = {
    "seconds": lambda draw: draw.choice("001"),
    "date": lambda draw: _http_date(draw.choice((-3600, 0, 1))),
    "old-date": lambda draw: _old_date(draw.choice((-3600, 0, 1))),
    "nonsense": lambda draw: draw.choice(("soon", "-1", "1h", "nan", "inf", "0x1", "Mon, 99 Foo 2026", "1, 2", "\xff")),
    "huge": lambda draw: draw.choice(("86400", "9" * 400, "1e9", "Fri, 31 Dec 9999 23:59:59 GMT")),
}
_REASONS = {
    "408": "Request Timeout",
    "429": "Too Many Requests",
    "500": "Internal Server Error",
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Gateway Timeout",
}


async def _refuse(it: Attempt, status: str, body: bytes, *lines: str) -> None:
    media = "application/json" if body.startswith(b"{") else "text/html"
    await it.connection.send(answer(f"{status} {_REASONS.get(status, 'No')}", body, media, *lines))


@_performs("408", "429", "500-page", "502", "503", "504")
async def _gateway(it: Attempt) -> None:
    await _refuse(it, it.fault.partition("-")[0], page(it.fault))


@_performs(*(f"{status}-{form}" for status in ("429", "503") for form in _RETRY_AFTER))
async def _retry_after(it: Attempt) -> None:
    status, _, form = it.fault.partition("-")
    body = it.draw.choice((page(it.fault), error("BUSY", f"busy with {it.marker}")))
    await _refuse(it, status, body, f"Retry-After: {_RETRY_AFTER[form](it.draw)}")


@_performs("503-starting")
async def _starting(it: Attempt) -> None:
    body = b'{"error": "Service Unavailable", "message": "Formation is not running (status: starting)", "code": 503}'
    await _refuse(it, "503", body)


@_performs("500-envelope")
async def _failed(it: Attempt) -> None:
    await _refuse(it, "500", error("INTERNAL_ERROR", f"{it.marker} cannot be done"))


@_performs("other-status")
async def _other_status(it: Attempt) -> None:
    status = it.draw.choice(("400", "401", "403", "404", "405", "409", "410", "413", "415", "422", "451", "501", "507"))
    lines = [f"Retry-After: {it.draw.choice(('1', 'soon'))}"] if it.draw.random() < 0.5 else []
    await _refuse(it, status, it.draw.choice((page(status), error("NO", "no"), b"", b"{}", b"[1]", b"null")), *lines)


# -- drips and silence -----------------------------------------------------------------------------------------


@_performs("silence")
async def _silence(it: Attempt) -> None:
    await it.connection.is_left(60)
    it.connection.close()


@_performs("drip-head")
async def _drip_head(it: Attempt) -> None:
    await it.connection.send(b"HTTP/1.1 200 OK\r\n")
    await it.connection.drip(b"X-Drip: drip\r\n", _DRIP)
    it.connection.close()


@_performs("drip-body")
async def _drip_body(it: Attempt) -> None:
    media, body = it.parts()
    start = head("200 OK", f"Content-Type: {media}", "Content-Length: 1000000")
    await it.connection.send(start + body[: len(body) // 2])
    await it.connection.drip(b": drip\n\n" if it.is_stream else b" ", _DRIP)
    it.connection.close()


@_performs("drip-chunk-extension")
async def _drip_chunk_extension(it: Attempt) -> None:
    await it.connection.send(it.in_chunks().partition(b"\r\n\r\n")[0] + b"\r\n\r\n5;ext=")
    await it.connection.drip(b"x", _DRIP)
    it.connection.close()


@_performs("drip-trailers")
async def _drip_trailers(it: Attempt) -> None:
    await it.connection.send(it.in_chunks() + b"0\r\n")
    await it.connection.drip(b"X-Trailer: drip\r\n", _DRIP)
    it.connection.close()


@_performs("endless-interim")
async def _endless_interim(it: Attempt) -> None:
    await it.connection.drip(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", _DRIP / 10)
    it.connection.close()


# -- answers that are none -------------------------------------------------------------------------------------


@_performs(*(f"garbage-{name}" for name in GARBAGE))
async def _garbage(it: Attempt) -> None:
    await it.connection.send(GARBAGE[it.fault.removeprefix("garbage-")])
    it.connection.close()


@_performs("garbage-chunk-size")
async def _garbage_chunk_size(it: Attempt) -> None:
    size = it.draw.choice((b"xyz", b"-5", b"+5", b"0x5", b"5_0", b"f" * 30, b"", b" "))
    start = it.in_chunks().partition(b"\r\n\r\n")[0]
    await it.connection.send(start + b"\r\n\r\n" + size + b"\r\nhello\r\n0\r\n\r\n")
    it.connection.close()


@_performs("two-lengths")
async def _two_lengths(it: Attempt) -> None:
    media, body = it.parts()
    lines = (f"Content-Type: {media}", f"Content-Length: {len(body) // 2}", f"Content-Length: {len(body)}")
    await it.connection.send(head("200 OK", *lines) + body)
    it.connection.close()


# -- whole answers, and something around them ------------------------------------------------------------------


@_performs("interim")
async def _interim(it: Attempt) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n"
    await it.connection.send(it.draw.choice((b"HTTP/1.1 100 Continue\r\n\r\n", hints, hints * 3)))
    await asyncio.sleep(it.draw.choice((0, 0.01)))
    await it.connection.send(it.answer())


@_performs("byte-by-byte")
async def _byte_by_byte(it: Attempt) -> None:
    data = it.answer()
    for at in range(len(data) - 40):
        await it.connection.send(data[at : at + 1])
    await it.connection.send(data[-40:])


def _unasked(it: Attempt) -> bytes:
    """An answer to a question that nobody has asked."""
    kind = it.draw.choice((it.kind, "memories", "chat"))
    media, body = parts_of(kind, marker_of(_NOBODY))
    return answer("200 OK", body, media)


@_performs("unasked-at-once")
async def _unasked_at_once(it: Attempt) -> None:
    await it.connection.send(it.answer() + _unasked(it))
    it.connection.unasked = time.monotonic()


@_performs("unasked-later")
async def _unasked_later(it: Attempt) -> None:
    await it.connection.send(it.answer())
    await asyncio.sleep(it.draw.choice((0.005, 0.03, 0.1)))
    if not it.connection.has_request():
        await it.connection.send(_unasked(it))
        it.connection.unasked = time.monotonic()


@_performs("closed-without-saying")
async def _closed_without_saying(it: Attempt) -> None:
    await it.connection.send_and_close(it.answer())


@_performs("gzip")
async def _gzip(it: Attempt) -> None:
    await it.connection.send(it.answer() if it.gone else it.in_gzip(gzipped(it.parts()[1])))


# -- uploads that are refused before they have been read -------------------------------------------------------


@_performs("early-413", "early-503", "early-reset")
async def _early(it: Attempt) -> None:
    lines = ["Connection: close", *(["Retry-After: 0"] if it.fault != "early-413" else [])]
    status = "413" if it.fault == "early-413" else "503"
    await _refuse(it, status, page("too early"), *lines)
    if it.fault == "early-reset":
        it.connection.reset()
    else:
        await it.connection.linger()


# -- streams that end before their end -------------------------------------------------------------------------


def _begun(it: Attempt) -> bytes:
    """A stream up to some frame in the middle of its text."""
    frames = frames_of(it.marker)
    some = frames[: it.draw.randrange(2, len(frames) - 2)]
    start = head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    return start + b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in some)


@_performs("stream-cut")
async def _stream_cut(it: Attempt) -> None:
    # A clean end of the chunks is not the end of a chat either.
    await it.connection.send(_begun(it) + it.draw.choice((b"", b"0\r\n\r\n", b"ff\r\ndata: ")))
    it.connection.close()


@_performs("stream-reset")
async def _stream_reset(it: Attempt) -> None:
    await it.connection.send(_begun(it))
    await asyncio.sleep(0.01)
    it.connection.reset()


@_performs("stream-keepalives-only")
async def _stream_keepalives_only(it: Attempt) -> None:
    await it.connection.send(_begun(it))
    for _ in range(600):
        await it.connection.send(b"d\r\n: keepalive\n\n\r\n")
        if await it.connection.is_left(0.1):
            break
    it.connection.close()


@_performs("stream-silence")
async def _stream_silence(it: Attempt) -> None:
    await it.connection.send(_begun(it))
    await _silence(it)
