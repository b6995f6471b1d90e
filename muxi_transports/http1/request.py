"""Heads of requests, and the chunks of bodies without a length; nothing in them breaks out of its line."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["LAST_CHUNK", "chunk", "framing_field", "request_head"]

#: The end of a body in chunks.
LAST_CHUNK = b"0\r\n\r\n"

_TOKENS = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]*")
_REQUEST_LINE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+")
_TEXT = re.compile(r"[^\0-\x08\n-\x1f\x7f]*")
# Servers and proxies want the length of a body that is absent stated for these (RFC 9110, section 8.6).
_EXPECT_BODY = frozenset({"PATCH", "POST", "PUT"})


def request_head(method: str, target: str, host: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request.

    Args:
        method: ``GET``, ``POST``, …
        target: the request target, sent as it is.
        host: the value of ``Host``, unless the headers have one.
        headers: the other fields. Values beyond ASCII are sent as UTF-8.

    Raises:
        ValueError: the method is CONNECT or, like a name, not a token; the target has characters other than visible
            ASCII; a value has control characters; a field comes twice; a body is framed twice. No value is in the
            message.
    """
    line = f"{method} {target}"
    if not _REQUEST_LINE.fullmatch(line) or method == "CONNECT":
        raise ValueError(f"{method[:40]!r} is not a method that can be sent, or its target is not visible ASCII")
    names = {name.lower() for name in headers}
    # All names at once, and all values: one by one only where something may be wrong.
    values = host + "".join(headers.values())
    if "" in headers or not _TOKENS.fullmatch("".join(headers)) or not values.isprintable():
        _check_fields({"Host": host, **headers})
    if len(names) < len(headers):
        raise ValueError("a request has each field once, its values joined by commas")
    if "content-length" in names and "transfer-encoding" in names:
        raise ValueError("a request has a Content-Length or a Transfer-Encoding, not both")
    first = "" if "host" in names else f"Host: {host}\r\n"
    fields = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    try:
        return f"{line} HTTP/1.1\r\n{first}{fields}\r\n".encode()
    except UnicodeEncodeError:
        # The error itself would hold the whole head, with its keys.
        raise ValueError("a header has half of a surrogate pair, which cannot be sent") from None


def framing_field(method: str, *, body: bool, length: int | None) -> tuple[str, str] | None:
    """The field that frames the body of a request; None where it needs none.

    Args:
        method: of the request.
        body: whether the request has a body.
        length: of the body, in bytes; None where it is not known.
    """
    if body:
        return ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
    return ("Content-Length", "0") if method in _EXPECT_BODY else None


def chunk(content: bytes) -> bytes:
    """A chunk; nothing for no content, because an empty chunk ends a body."""
    return b"%x\r\n%b\r\n" % (len(content), content) if content else b""


def _check_fields(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not name or not _TOKENS.fullmatch(name):
            raise ValueError(f"{name[:40]!r} is not the name of a header")
        if not _TEXT.fullmatch(value):
            raise ValueError(f"the value of the header {name[:40]!r} has control characters")
