"""The shapes of a server's answers; each kind of error has one of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from muxi.surrogates import replace_halves
from muxi_transports.memory.world import Answer

__all__ = ["RpcError", "empty", "go_json", "phrase", "plain", "proxy_error", "success", "unauthorized"]


class RpcError(Exception):
    """The error of a route of the server.

    Args:
        status: the HTTP status.
        message: the text for people.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def answer(self) -> Answer:
        """The error in the shape of ``/rpc``, which is also that of an unknown path."""
        return plain(
            self.status, go_json({"error": phrase(self.status), "message": self.message, "code": self.status}) + b"\n"
        )


def success(data: Mapping[str, object], status: int = 200) -> Answer:
    """A result in the envelope of ``/rpc``."""
    return plain(status, go_json({"success": True, "data": data}) + b"\n")


def unauthorized(message: str) -> Answer:
    """A refusal; the keys come in another order than those of the other errors."""
    return plain(401, go_json({"code": 401, "error": "Unauthorized", "message": message}) + b"\n")


def proxy_error(status: int, error: str, message: str) -> Answer:
    """An error of the proxy itself: printed, not encoded, so that a quote in an id breaks the JSON (the wire)."""
    text = f'{{"error": "{error}", "message": "{message}", "code": {status}}}'
    return plain(status, text.encode("utf-8", "surrogateescape"))


def plain(status: int, body: bytes, content_type: str = "application/json") -> Answer:
    """An answer with its length."""
    return Answer(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))], body)


def empty(status: int, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer without a body."""
    return Answer(status, [*headers, ("Content-Length", "0")])


def go_json(value: object) -> bytes:
    """JSON as Go's encoder writes it: what matters to HTML and JavaScript is escaped, what is no text is U+FFFD."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return replace_halves(text).encode()


def phrase(status: int) -> str:
    """The text of a status as Go has it."""
    return HTTPStatus(status).phrase
