"""The bytes of the hostile server's answers, whole ones and refusals."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable

__all__ = ["GARBAGE", "answer", "content_of", "envelope", "error", "frames_of", "gzipped", "head", "page", "parts_of"]

#: Fills an answer, so that there is something to cut.
_FILLING = "All work and no play makes a dull server. " * 6


def content_of(marker: str) -> str:
    """The text of a whole answer: it has the call's marker at both ends."""
    return f"{marker} {_FILLING}{marker}."


def envelope(data: object, kind: str = "message") -> bytes:
    """A success in the formation's envelope."""
    body = {
        "object": kind,
        "timestamp": 1795362270462,
        "type": f"{kind}.retrieved",
        "request": {"id": "req_soak", "idempotency_key": None},
        "success": True,
        "error": None,
        "data": data,
    }
    return json.dumps(body).encode()


def error(code: str, message: str) -> bytes:
    """A failure in the formation's envelope."""
    body = {
        "object": "error",
        "timestamp": 1795362270462,
        "type": "error.internal",
        "request": {"id": "req_soak", "idempotency_key": None},
        "success": False,
        "error": {"code": code, "message": message, "data": None},
        "data": {},
    }
    return json.dumps(body).encode()


def parts_of(kind: str, marker: str) -> tuple[str, bytes]:
    """Media type and body of the whole answer to a unary call of that kind."""
    content = content_of(marker)
    if kind == "download":
        return "application/octet-stream", content.encode()
    if kind == "upload":
        data = {"formation_id": "soaked", "message": content, "port": 18201, "status": "running", "url": "/api/soaked"}
        return "application/json", json.dumps({"success": True, "data": data}).encode()
    return "application/json", envelope(_DATA[kind.partition("-")[0]](marker, content))


_DATA: dict[str, Callable[[str, str], object]] = {
    "memories": lambda marker, content: {"memories": [_memory(marker, content)], "count": 1},
    "note": lambda marker, content: {**_memory(marker, content), "scope_id": None},
    "removal": lambda marker, content: {"deleted": content, "user_id": marker},
    "chat": lambda marker, content: {
        "message": {"role": "assistant", "content": content, "artifacts": None, "metadata": {"session_id": "s"}},
        "user_id": marker,
        "session_id": "s",
        "request_id": None,
    },
}


def _memory(marker: str, content: str) -> dict[str, object]:
    return {
        "id": marker,
        "content": content,
        "created_at": "2026-11-22T15:42:30.945568",
        "metadata": {"type": "preference", "timestamp": 1795362150.9442844},
        "scope": "user",
        "scope_id": "14",
    }


def frames_of(marker: str) -> list[bytes]:
    """The frames of a chat stream whose answer is the content of that marker."""
    words = content_of(marker).split(" ")
    pieces = [word + " " for word in words[:-1]] + words[-1:]
    tokens = [_token(marker, "content", piece) for piece in pieces]
    done = b'event: done\ndata: {"finished": true}\n\n'
    return [b": keepalive\n\n", *tokens, _token(marker, "completed", "".join(pieces)), done]


def _token(marker: str, kind: str, content: str) -> bytes:
    token = {"request_id": "req_soak", "user_id": marker, "session_id": "s", "type": kind, "content": content}
    return b"data: " + json.dumps({"token": token}).encode() + b"\n\n"


def page(title: str) -> bytes:
    """What a gateway says for itself."""
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()


def head(status: str, *lines: str) -> bytes:
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", "Server: hostile", *lines, "", ""]).encode()


def answer(status: str, body: bytes, media: str = "application/json", *lines: str) -> bytes:
    """A whole answer with its length."""
    return head(status, f"Content-Type: {media}", f"Content-Length: {len(body)}", *lines) + body


def gzipped(data: bytes) -> bytes:
    """The data, compressed."""
    press = zlib.compressobj(wbits=31)
    return press.compress(data) + press.flush()


#: What comes in place of an answer's head, by the name of the fault.
GARBAGE: dict[str, bytes] = {
    "tls-alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "ssh-banner": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no-status": b"HTTP/1.1 OK\r\n\r\n",
    "long-status": b"HTTP/1.1 2000 OK\r\n\r\n",
    "status-000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "other-version": b"HTTP/9.9 200 OK\r\n\r\n",
    "no-colon": b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
    "negative-length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "list-of-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n12345",
    "unknown-coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: wrapped\r\n\r\n",
    "control-bytes": bytes(range(1, 32)) * 3 + b"\r\n\r\n",
    "empty-lines": b"\r\n\r\n\r\n\r\n",
    "page-without-head": b"<html>Bad gateway</html>\r\n\r\n",
}
