"""Answers and failures in which a server repeats a key, or breaks a rule with a key in its hands."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from muxi.testing.transport_suite import Reply
from tests.secrets.carriers import Receiver
from tests.secrets.marks import spellings
from tests.transports.raw_server import Peer

__all__ = ["FAILURES", "Scenario", "Work", "envelope", "memories", "raw", "says"]

Work = Callable[[Any], Any]


class Scenario(NamedTuple):
    """What a formation does, and the call that meets it."""

    receiver: Callable[[str], Receiver]
    work: Work
    #: Whether an application within the process can do it too.
    anywhere: bool


def envelope(message: str, code: str = "UNAUTHORIZED") -> bytes:
    return json.dumps(
        {"success": False, "error": {"code": code, "message": message, "data": {"key": message}}}
    ).encode()


def says(
    status: str, body: Callable[[str], bytes], *headers: str, content_type: str = "application/json"
) -> Callable[[str], Receiver]:
    """An answer that repeats the key in every spelling."""

    def make(secret: str) -> Receiver:
        content = body(" | ".join(spellings(secret)))

        def serve(peer: Peer) -> None:
            peer.request()
            peer.answer(content, status, f"Content-Type: {content_type}", *headers)

        code, _, reason = status.partition(" ")
        return Receiver(serve, Reply(int(code), [("Content-Type", content_type)], content, reason=reason))

    return make


def raw(*pieces: bytes, reset: bool = False) -> Callable[[str], Receiver]:
    """Bytes in place of an answer."""

    def make(secret: str) -> Receiver:
        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(*(piece.replace(b"KEY", secret.encode()) for piece in pieces))
            peer.reset() if reset else peer.close()

        return Receiver(serve)

    return make


OK = b"HTTP/1.1 200 OK\r\n"
SSE = OK + b"Content-Type: text/event-stream\r\n"


def memories(client: Any) -> Any:
    return client.get_memories("ada")


def chat_stream(client: Any) -> Any:
    return client.chat_stream("hi", user_id="ada")


def said(status: str, body: Callable[[str], bytes], work: Work = memories, **rest: Any) -> Scenario:
    return Scenario(says(status, body, **rest), work, anywhere=True)


def sent(*pieces: bytes, work: Work = memories, reset: bool = False) -> Scenario:
    return Scenario(raw(*pieces, reset=reset), work, anywhere=False)


FAILURES: dict[str, Scenario] = {
    "401 that repeats the key": said("401 Unauthorized", envelope),
    "403 that repeats the key": said("403 Forbidden", envelope),
    "404 that repeats the key": said("404 Not Found", envelope),
    "409 that repeats the key": said("409 Conflict", envelope),
    "422 that repeats the key": said("422 Unprocessable Entity", envelope),
    "429 that repeats the key": said("429 Too Many", envelope),
    "500 that repeats the key": said("500 No", envelope),
    "503 that repeats the key": said("503 Busy", envelope),
    "the key as a code": said("400 Bad", lambda text: envelope("no", text)),
    "the key as a field's name": said("400 Bad", lambda text: json.dumps({"error": {"code": "A", text: 1}}).encode()),
    "a page that repeats the key": said("502 Bad", lambda text: f"<p>{text}".encode(), content_type="text/html"),
    "a flat error": said("400 Bad", lambda text: json.dumps({"error": "Bad", "message": text}).encode()),
    "success that is a failure": said("200 OK", lambda text: envelope(text)),
    "an answer that is no JSON": said("200 OK", lambda text: text.encode()),
    "an answer that is cut JSON": said("200 OK", lambda text: json.dumps({"data": text}).encode()[:-2]),
    "a list in place of an object": said("200 OK", lambda text: json.dumps([text]).encode()),
    "a result of another type": said("200 OK", lambda text: json.dumps({"memories": text, "count": text}).encode()),
    "a turn that failed": said(
        "200 OK",
        lambda text: json.dumps({"message": {"content": text, "metadata": {"error_code": text}}}).encode(),
        lambda client: client.chat("hi", user_id="ada"),
    ),
    "a page in place of a stream": said("200 OK", lambda text: text.encode(), chat_stream, content_type="text/html"),
    "a refused stream": said("401 Unauthorized", envelope, chat_stream),
    "a stream without its end": said(
        "200 OK", lambda text: f": {text}\n\ndata: {{}}\n\n".encode(), chat_stream, content_type="text/event-stream"
    ),
    "a stream with an error event": said(
        "200 OK",
        lambda text: b"event: error\ndata: " + json.dumps({"error": text, "code": text}).encode() + b"\n\n",
        chat_stream,
        content_type="text/event-stream",
    ),
    "a reason that repeats the key": sent(b"HTTP/1.1 401 KEY\r\nContent-Length: 0\r\n\r\n"),
    "a header that repeats the key": sent(b"HTTP/1.1 400 No\r\nX-Tag: KEY\r\nContent-Length: 0\r\n\r\n"),
    "a status line that is none": sent(b"hello KEY\r\n\r\n"),
    "a status that is none": sent(b"HTTP/1.1 000 KEY\r\nContent-Length: 0\r\n\r\n"),
    "a length that is none": sent(OK + b"Content-Length: KEY\r\n\r\n"),
    "a chunk size that is none": sent(OK + b"Transfer-Encoding: chunked\r\n\r\nKEY\r\n"),
    "a trailer that is none": sent(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nKEY\r\n\r\n"),
    "a header without a colon": sent(OK + b"KEY\r\n\r\n"),
    "a head that is cut": sent(b"HTTP/1.1 200 OK\r\nX-Tag: KEY"),
    "a body that is cut": sent(OK + b'Content-Length: 900\r\n\r\n{"data": "KEY'),
    "a reset": sent(reset=True),
    "nothing at all": sent(),
    "a coding that is none": sent(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
    "an answer that is too large": sent(OK + b"Content-Length: 99999999999\r\nX-Tag: KEY\r\n\r\nKEY"),
    "a stream that is cut": sent(SSE + b"Content-Length: 900\r\n\r\ndata: {}\n\n", work=chat_stream),
    "a stream that is reset": sent(SSE + b"\r\n: ping\n\n", work=chat_stream, reset=True),
    "an error event": sent(SSE + b'\r\nevent: error\ndata: {"error": "KEY", "code": "KEY"}\n\n', work=chat_stream),
    "a redirect elsewhere": sent(
        b"HTTP/1.1 307 Go\r\nLocation: http://other.example/KEY?token=KEY\r\nContent-Length: 0\r\n\r\n"
    ),
    "a redirect with a password": sent(
        b"HTTP/1.1 307 Go\r\nLocation: http://u:KEY@other.example/\r\nContent-Length: 0\r\n\r\n"
    ),
    "a redirect that repeats the key": sent(
        b"HTTP/1.1 307 Go\r\nLocation: /KEY?token=KEY\r\nContent-Length: 0\r\n\r\n"
    ),
    "a redirect that is none": sent(b"HTTP/1.1 307 Go\r\nLocation: http://[KEY\r\nContent-Length: 0\r\n\r\n"),
}
