"""A server of canned answers, as thin as can be, so that a benchmark measures the client.

Run by itself: ``python server.py`` prints its port and serves until its standard input closes.
"""

from __future__ import annotations

import asyncio
import json
import sys

EVENTS = 1000


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


STREAM = b"".join(
    [
        chunk(b": keepalive\n\n"),
        *(chunk(token("content", "word ")) for _ in range(EVENTS)),
        chunk(token("completed", "word " * EVENTS)),
        chunk(DONE),
        b"0\r\n\r\n",
    ]
)


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
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
                if b'"stream":false' in body or b'"stream": false' in body:
                    writer.write(CHAT)
                elif b"slow" in body:
                    writer.write(STREAM_HEAD)
                    for number in range(20):
                        writer.write(chunk(token("content", f"{number} ")))
                        await asyncio.sleep(0.05)
                    content = "".join(f"{number} " for number in range(20))
                    writer.write(chunk(token("completed", content)) + chunk(DONE) + b"0\r\n\r\n")
                else:
                    writer.write(STREAM_HEAD + STREAM)
            elif b"/rpc/formations" in line:
                writer.write(CREATED)
            else:
                writer.write(MEMORIES)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, backlog=2048, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
