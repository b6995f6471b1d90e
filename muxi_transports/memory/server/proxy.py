"""The proxy to the formations: ``/api/{id}/…`` and ``/mcp/{id}/…`` for live ones, ``/draft/{id}/…`` for drafts."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlunsplit

from muxi.transport import Headers, Request
from muxi_transports.memory.server.answers import empty, proxy_error
from muxi_transports.memory.server.registry import Hosted
from muxi_transports.memory.work import Work
from muxi_transports.memory.world import Answer, AnswerStream, Exchange, Pause, start_stream

__all__ = ["ProxyTarget", "forward", "parse_target"]

#: Headers of a request that do not go on as they came.
_OWN_HEADERS = ("content-length", "host", "transfer-encoding", "x-muxi-server")


class ProxyTarget(NamedTuple):
    """The target of a path of the proxy."""

    #: ``api``, ``draft`` or ``mcp``.
    kind: str
    formation_id: str
    #: The path in the formation, decoded once.
    path: str


def parse_target(path: str) -> ProxyTarget | None:
    """Take a decoded path apart; None where it is not for the proxy."""
    match = re.fullmatch(r"/(api|draft|mcp)/([^/]+)(/.*)?", path, re.DOTALL)
    if match is None:
        return None
    rest = match[3] or "/"
    if match[1] == "mcp":
        rest = "/mcp" if rest == "/" else rest if re.match(r"/mcp(?:/|$)", rest) else f"/mcp{rest}"
    return ProxyTarget(match[1], match[2], rest)


def forward(
    target: ProxyTarget, hosted: Hosted | None, request: Request, url: SplitResult, *, version: str
) -> Generator[Pause, None, Answer]:
    """Hand a request to its formation and its answer back.

    Args:
        target: where the request is going.
        hosted: the formation; None where there is none of that id.
        request: the request as it came.
        url: its URL.
        version: the server's version, for a header of the forwarded request.
    """
    if request.method == "OPTIONS":
        return empty(200)
    kind = "Draft formation" if target.kind == "draft" else "Formation"
    if hosted is None:
        noun = kind[0].lower() + kind[1:]
        return proxy_error(404, f"{kind} not found", f"No {noun} with id '{target.formation_id}'")
    if hosted.process_status != "running":
        message = f"Formation '{hosted.id}' is not running (status: {hosted.process_status})"
        return proxy_error(503, f"{kind} unavailable", message)
    if not hosted.alive:
        return proxy_error(502, "Bad gateway", f"{kind} did not respond")
    path = _decoded_again(target.path)
    if path is None:
        return proxy_error(500, "Internal server error", "Failed to parse target URL")
    inner = Request(
        request.method,
        urlunsplit(("http", f"localhost:{hosted.port}", quote(path, errors="surrogateescape"), url.query, "")),
        _headers(request, url, version),
        request.body,
        request.timeouts,
        request.stream,
    )
    exchange: Exchange = hosted.formation.respond(inner)
    answer = yield from exchange
    if isinstance(answer.body, bytes):
        return answer
    return Answer(answer.status, answer.headers, start_stream(_relay(hosted, answer.body)))


def _decoded_again(path: str) -> str | None:
    """The path as the formation gets it: the proxy parses the decoded path as a URL once more.

    So ``%2F`` has become a slash, ``%3F`` and ``%23`` cut the path, and a stray ``%`` is None.
    """
    path = re.split(r"[?#]", path, maxsplit=1)[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", path):
        return None
    return unquote(path, errors="surrogateescape")


def _headers(request: Request, url: SplitResult, version: str) -> Headers:
    """The headers as the formation gets them; a body is sent on in chunks, whatever its length."""
    headers = request.headers
    passed = Headers(item for item in headers.items() if item[0].lower() not in _OWN_HEADERS)
    if request.body is not None:
        passed["Transfer-Encoding"] = "chunked"
    passed.setdefault("Accept-Encoding", "gzip")
    peer = headers.get("X-Forwarded-For", "") or headers.get("X-Real-IP") or "127.0.0.1"
    passed["X-Forwarded-For"] = peer.split(",")[0].strip()
    passed["X-Forwarded-Proto"] = url.scheme or "http"
    passed["X-Forwarded-Host"] = headers.get("Host") or url.netloc
    passed["X-Muxi-Server"] = version
    return passed


def _relay(hosted: Hosted, stream: AnswerStream) -> AnswerStream:
    """Hand a stream on. A client that leaves does not cancel it: the formation goes on to its end."""
    try:
        yield b""
        for piece in stream:  # noqa: UP028  `yield from` would close the formation's stream with this one
            yield piece
    except GeneratorExit:
        formation = hosted.formation
        formation.background.adopt(Work(_drain(stream), formation.clock))
        raise


def _drain(stream: AnswerStream) -> Generator[Pause, None, None]:
    for piece in stream:
        if isinstance(piece, Pause):
            yield piece
