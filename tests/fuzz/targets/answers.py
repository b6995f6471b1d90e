"""Targets: whole answers, above the transport: status, headers, envelopes, error bodies, downloads."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

from muxi import FormationClient, MuxiError, meta
from muxi.transport import BufferedResponse, Headers, Request, Response
from tests.fuzz.corpus import recorded_answers
from tests.fuzz.registry import goes_on, target
from tests.fuzz.targets.decisions import Decision
from tests.fuzz.targets.scripted import Parts, ScriptedTransport, as_received, formation, one_of, only_errors, server

_TRANSPORT = ScriptedTransport()
_CLIENT, _SERVER = formation(_TRANSPORT), server(_TRANSPORT)
_STRICT = _CLIENT.with_options(validate_responses="strict")
_HEADERS = (
    b"Location: ", b"Retry-After: ", b"Content-Type: application/json", b"Content-Type: text/event-stream",
    b"Content-Disposition: attachment; filename*=UTF-8''", b"Date: ", b"X-Request-ID: ", b"301", b"307", b"429",
    b"503", b"204", b"199", b"000", b"Fri, 31 Dec 9999 23:59:59 GMT", b"http://[", b"//", b"?", b"#",
)  # fmt: skip


def _split(data: bytes) -> tuple[int, Headers, bytes]:
    """Status, headers and body of an input that looks like an answer of HTTP."""
    head, _, body = data.partition(b"\n\n")
    status, *lines = head.split(b"\n")
    digits = bytes(byte for byte in status[:3] if 48 <= byte <= 57)
    headers = Headers()
    for line in lines:
        name, _, value = line.partition(b":")
        with contextlib.suppress(MuxiError):  # transports refuse such a line
            headers.add(as_received(name), as_received(value))
    return int(digits or b"200"), headers, body


def _answers() -> Iterator[bytes]:
    for status, headers, body in recorded_answers():
        lines = [str(status), *(f"{name}: {value}" for name, value in headers)]
        yield "\n".join(lines).encode() + b"\n\n" + body
    yield b"307\nLocation: /v1/else?where#here\n\n"
    yield b"429\nRetry-After: 1\nContent-Type: application/json\n\n{}"
    yield b"503\nRetry-After: Fri, 27 Nov 2026 10:00:00 GMT\n\nbusy"
    yield b"200\nContent-Disposition: attachment; filename=\"a.txt\"; filename*=UTF-8''%C3%A4.txt\n\ncontent"


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="muxi-fuzz-")


@cache
def _decision() -> Decision:
    calls = (
        FormationClient.get_memories.call("u"),
        FormationClient.chat.call("hi", user_id="u"),
        FormationClient.delete_memory.call("u", "m"),
        FormationClient.get_agents.call(),
        FormationClient.download_artifact.call("a", "file", "u"),
    )
    return Decision(_CLIENT, *calls)


@target("answer", _answers, *_HEADERS)
def answer(data: bytes) -> None:
    status, headers, body = _split(data)
    response = BufferedResponse(status, headers, body)
    only_errors(_decision().about(response, data))
    response.retry_after(_CLIENT.clock.time())
    if not goes_on(data):
        return

    def respond(request: Request) -> Response:
        return Parts(status, headers, [body])

    _TRANSPORT.answer = respond
    file = Path(_folder().name, "file")
    one_of(
        data,
        lambda: meta(_CLIENT.get_memories("u")),
        lambda: meta(_CLIENT.chat("hi", user_id="u")),
        lambda: _CLIENT.chat_stream("hi", user_id="u").result(),
        lambda: _CLIENT.delete_memory("u", "m"),
        lambda: _CLIENT.with_raw_response.get_agents(),
        lambda: _CLIENT.download_artifact("a", file, "u"),
        lambda: list(_CLIENT.iter_memories("u")),
        lambda: _SERVER.list_formations(),
        lambda: _SERVER.download_formation("bot", file),
    )


#: Calls whose results are looked into by the SDK itself, beside decoding.
_CALLS = (
    "get_memories", "get_user_buffer", "get_artifacts", "get_requests", "get_sessions", "get_scheduler_jobs",
    "list_credentials",
)  # fmt: skip


def _bodies() -> Iterator[bytes]:
    return (body for _, _, body in recorded_answers() if body.startswith(b"{"))


@target("envelope", _bodies, b'"error":', b'"data":', b'"request":', b'"success":false', b'"code":', b'"message":')
def envelope(data: bytes) -> None:
    only_errors(_strict_decision().about(_json_answer(data), data))
    if not goes_on(data):
        return
    _TRANSPORT.answer = partial(_json, data)
    one_of(
        data,
        *(partial(getattr(_CLIENT, name), "u") for name in _CALLS),
        partial(_STRICT.chat, "hi", user_id="u"),
        partial(_STRICT.get_memories, "u"),
        partial(_CLIENT.wait_for_request, "r", "u", timeout=3),
        partial(_CLIENT.chat_parsed, "hi", _Anything),
    )


@cache
def _strict_decision() -> Decision:
    calls = (getattr(FormationClient, name).call("u") for name in _CALLS)
    return Decision(_STRICT, *calls, FormationClient.chat.call("hi", user_id="u"), strict=True)


def _json_answer(body: bytes) -> BufferedResponse:
    status = (200, 200, 200, 400, 500)[len(body) % 5]
    return BufferedResponse(status, [("Content-Type", "application/json")], body)


def _json(body: bytes, request: Request) -> Response:
    answer = _json_answer(body)
    return Parts(answer.status, answer.headers, [body])


class _Anything:
    """A schema that takes everything."""

    def load(self, data: object) -> object:
        json.dumps(data)
        return data
