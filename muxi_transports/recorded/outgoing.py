"""Requests before they are sent: the part that is recorded and compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from muxi.transport import Body, BytesBody, FileBody, Headers, Request
from muxi_transports.recorded.exchange import RecordedRequest

__all__ = ["Outgoing", "inspect_request"]

#: The longest body of a request that is kept, in bytes; of others there is a digest.
LONGEST = 256 * 1024

# Headers that name the SDK and the machine, and would differ in every recording.
_PASSING = ("user-agent", "x-muxi-sdk", "x-muxi-client")


class Outgoing(NamedTuple):
    """A request that is to be sent."""

    #: As it was given, or with a body that can be sent although it has been looked at.
    request: Request
    #: With its secrets still in it.
    recorded: RecordedRequest


def inspect_request(request: Request) -> Outgoing:
    """Read a request's body, and keep of it what has to be kept. A file is read as well."""
    headers = Headers((name, value) for name, value in request.headers.items() if name.lower() not in _PASSING)
    if request.body is None:
        return Outgoing(request, RecordedRequest(request.method, request.url, headers, secrets=request.secrets))
    body = request.body if request.body.repeatable else BytesBody(b"".join(request.body.chunks()))
    content, digest = _fingerprint(_pieces(body))
    recorded = RecordedRequest(request.method, request.url, headers, content, digest, request.secrets)
    return Outgoing(request if body is request.body else replace(request, body=body), recorded)


def _pieces(body: Body) -> Iterable[bytes]:
    # The progress callback of a file reports sending, not this reading.
    return FileBody(body.path).chunks() if isinstance(body, FileBody) else body.chunks()


def _fingerprint(pieces: Iterable[bytes]) -> tuple[bytes | None, str | None]:
    """The body if it is a text of bearable length, else its digest."""
    digest = hashlib.sha256()
    kept: list[bytes] = []
    length = 0
    for piece in pieces:
        digest.update(piece)
        length += len(piece)
        if length <= LONGEST:
            kept.append(piece)
        else:
            kept.clear()
    content = b"".join(kept)
    if length <= LONGEST and _is_text(content):
        return content, None
    return None, f"sha256:{digest.hexdigest()}"


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
