"""A server of canned answers, as thin as can be, so that a benchmark measures the client.

Run by itself: ``python server.py [CERTIFICATE]`` prints its ports and serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator

#: Events in a stream of small ones, of large ones, of small ones that leave one by one, and in a short stream.
SMALL_EVENTS, LARGE_EVENTS, SINGLE_EVENTS, FEW_EVENTS = 20_000, 200, 2_000, 1_000


def envelope(kind: str, data: object) -> bytes:
    """A success answer as the formation's runtime has it."""
    body = {
        "object": kind,
        "timestamp": 1795362270462,
        "type": f"{kind}.retrieved",
        "request": {"id": "req_0ln7S1mtsrsswV53JEcjV", "idempotency_key": None},
        "success": True,
        "error": None,
        "data": data,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def answer(body: bytes) -> bytes:
    """The whole HTTP answer around a JSON body."""
    head = (
        "HTTP/1.1 200 OK\r\ndate: Sun, 22 Nov 2026 15:31:00 GMT\r\nserver: uvicorn\r\n"
        f"content-length: {len(body)}\r\ncontent-type: application/json\r\nvary: Origin\r\n\r\n"
    )
    return head.encode() + body


def token(kind: str, content: str) -> bytes:
    """One frame of a chat stream."""
    payload = {
        "token": {
            "request_id": "req_nWxC01KlGPt4UW41kK5NP",
            "user_id": "alice",
            "session_id": "s-2",
            "type": kind,
            "content": content,
            "timestamp": 1795361462.9610486,
            "stage": "response_generation",
            "skip_rephrase": True,
        }
    }
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"


CHAT = answer(
    envelope(
        "message",
        {
            "message": {"role": "assistant", "content": "Hello!", "artifacts": None, "metadata": {"session_id": "s"}},
            "user_id": "ada",
            "session_id": "s",
            "request_id": None,
        },
    )
)
MEMORIES = answer(
    envelope(
        "memory_list",
        {
            "memories": [
                {
                    "id": f"memory-{number:014d}",
                    "content": "Prefers Python",
                    "created_at": "2026-11-22T15:42:30.945568",
                    "metadata": {"type": "preference", "timestamp": 1795362150.9442844},
                    "scope": "user",
                    "scope_id": "14",
                }
                for number in range(10)
            ],
            "count": 10,
        },
    )
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncache-control: no-cache\r\n"
    b"content-type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)
DONE = b'event: done\ndata: {"finished":true}\n\n'
CREATED = answer(json.dumps({"success": True, "data": {"formation_id": "b", "port": 1, "status": "running"}}).encode())


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def whole_stream(count: int, content: str) -> bytes:
    """The chunks of a chat stream of so many deltas."""
    return b"".join(
        [
            chunk(b": keepalive\n\n"),
            *(chunk(token("content", content)) for _ in range(count)),
            chunk(token("completed", content * count)),
            chunk(DONE),
            b"0\r\n\r\n",
        ]
    )


SMALL = whole_stream(SMALL_EVENTS, "word ")
BIG = whole_stream(LARGE_EVENTS, "word " * 2_000)
FEW = whole_stream(FEW_EVENTS, "word ")
RECORD = {
    "id": "m",
    "content": "x" * 1000,
    "created_at": "2026-11-22T15:42:30.945568",
    "metadata": {"type": "preference", "timestamp": 1795362150.9442844},
    "scope": "user",
    "scope_id": "14",
}
LARGE_ANSWER = answer(envelope("memory_list", {"memories": [RECORD] * 1000, "count": 1000}))


async def send_small_one_by_one(writer: asyncio.StreamWriter) -> None:
    """A stream whose events leave one by one, so that each arrives by itself."""
    writer.write(STREAM_HEAD)
    for _ in range(SINGLE_EVENTS):
        writer.write(chunk(token("content", "word ")))
        await asyncio.sleep(0.0003)
    writer.write(chunk(token("completed", "word " * SINGLE_EVENTS)) + chunk(DONE) + b"0\r\n\r\n")


async def send_slowly(writer: asyncio.StreamWriter) -> None:
    """A stream of twenty events over a second."""
    writer.write(STREAM_HEAD)
    for number in range(20):
        writer.write(chunk(token("content", f"{number} ")))
        await asyncio.sleep(0.05)
    content = "".join(f"{number} " for number in range(20))
    writer.write(chunk(token("completed", content)) + chunk(DONE) + b"0\r\n\r\n")


async def send_timed(writer: asyncio.StreamWriter, framing: str) -> bool:
    """A stream whose first event carries the moment of its leaving; whether the connection goes on."""
    head = b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    squeezed = zlib.compressobj(wbits=31)

    def stamped() -> bytes:
        return token("content", f"{time.monotonic():.7f}".ljust(20, "0"))

    if framing == "length":
        rest = token("completed", "x") + DONE
        head += b"content-length: %d\r\n" % (len(stamped()) + len(rest))
    elif framing == "close":
        head += b"connection: close\r\n"
    else:
        head += b"transfer-encoding: chunked\r\n"
    if framing == "gzip":
        head += b"content-encoding: gzip\r\n"
    writer.write(head + b"\r\n")
    await writer.drain()
    await asyncio.sleep(0.02)

    def framed(data: bytes, *, last: bool = False) -> bytes:
        if framing == "gzip":
            mode = zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH
            data = squeezed.compress(data) + squeezed.flush(mode)
        if framing in ("chunked", "gzip"):
            return chunk(data) + (b"0\r\n\r\n" if last else b"")
        return data

    writer.write(framed(stamped()))
    await asyncio.sleep(0.005)
    writer.write(framed(token("completed", "x") + DONE, last=True))
    await writer.drain()
    return framing != "close"


async def answer_chat(body: bytes, writer: asyncio.StreamWriter) -> bool:
    """Answer a chat by what its message asks for; whether the connection goes on."""
    message = json.loads(body)
    if message.get("stream") is False:
        writer.write(CHAT)
        return True
    asked, _, framing = str(message["message"]).partition(" ")
    if asked == "slow":
        await send_slowly(writer)
    elif asked == "single":
        await send_small_one_by_one(writer)
    elif asked == "first":
        return await send_timed(writer, framing)
    else:
        writer.write(STREAM_HEAD + {"big": BIG, "few": FEW}.get(asked, SMALL))
    return True


class Pieces:
    """A file that is only written, and emptied piece by piece."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> int:
        self.written += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """What has been written since this was called last."""
        data, self.written = bytes(self.written), bytearray()
        return data


def archive(size: int) -> Iterator[bytes]:
    """A zip with one file of so many zeros, not compressed, piece by piece."""
    pieces, zeros = Pieces(), bytes(1 << 20)
    with zipfile.ZipFile(pieces, "w") as packed:  # type: ignore[call-overload]  # it takes a file that is only written
        file = packed.open(zipfile.ZipInfo("large/filler"), "w", force_zip64=True)
        for left in range(size, 0, -len(zeros)):
            file.write(zeros[:left])
            yield pieces.take()
        file.close()
    yield pieces.take()


async def send_bundle(writer: asyncio.StreamWriter, size: int = 1 << 30) -> None:
    """A download of that many bytes, as a zip."""
    around = sum(map(len, archive(0)))
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/zip\r\ncontent-length: %d\r\n"
        b'content-disposition: attachment; filename="large.zip"\r\n\r\n' % (around + size)
    )
    for piece in archive(size):
        writer.write(piece)
        await writer.drain()


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection."""
    try:
        going_on = True
        while going_on:
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, rest = head.partition(b"\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (h.partition(b":") for h in rest.split(b"\r\n"))
            }
            left = int(headers.get(b"content-length", b"0"))
            large = left > 1 << 20
            body = b""
            while left:
                piece = await reader.read(min(left, 1 << 20))
                left -= len(piece)
                body = b"" if large else body + piece
            if b"/chat" in line:
                going_on = await answer_chat(body, writer)
            elif b"/download" in line:
                await send_bundle(writer)
            elif b"/rpc/formations" in line:
                writer.write(CREATED)
            else:
                writer.write(LARGE_ANSWER if headers.get(b"x-muxi-user-id") == b"large" else MEMORIES)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve over TCP, and over TLS where a certificate is given, until standard input closes."""
    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, backlog=2048, limit=1 << 20)
    ports = [server.sockets[0].getsockname()[1]]
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        secure = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context)
        ports.append(secure.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
