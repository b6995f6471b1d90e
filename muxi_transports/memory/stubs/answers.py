"""The answers of stubs, in the envelope of the route."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import TypeAlias, cast

from muxi.clock import Clock
from muxi.transport import BufferedResponse
from muxi_transports.memory.formation import envelope, frames
from muxi_transports.memory.formation.agents import Turn
from muxi_transports.memory.formation.turns import TurnToken
from muxi_transports.memory.server import answers as rpc
from muxi_transports.memory.stubs.failures import make_exception
from muxi_transports.memory.stubs.sent import SentRequest
from muxi_transports.memory.world import Answer, AnswerStream, Pause

__all__ = ["NOTHING", "Canned", "StreamItem", "buffered_answer"]


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


#: Stands for an argument that was not given, where None would be JSON's ``null``.
NOTHING = _Nothing()

#: An item of a stubbed stream: a text is a delta of a chat, a mapping a frame, bytes are sent as they are, a
#: :class:`~muxi_transports.memory.Pause` passes on the clock, and an exception breaks the stream there.
StreamItem: TypeAlias = str | bytes | Mapping[str, object] | Pause | Exception | type[Exception]

_CODES = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "RESOURCE_NOT_FOUND",
    409: "CONFLICT",
    422: "INVALID_PARAMS",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


@dataclass(frozen=True)
class Canned:
    """An answer that is known beforehand; at most one of the four contents is given.

    Args:
        status: the HTTP status.
        headers: they replace those that the content would bring.
        json: data, wrapped as the route wraps it.
        text: a text.
        content: bytes.
        events: a stream.
        raw: whether JSON goes out as it is.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = NOTHING
    text: str | None = None
    content: bytes | None = None
    events: Sequence[StreamItem] | None = None
    raw: bool = False

    def answer(self, request: SentRequest, clock: Clock, number: int) -> Answer:
        """The answer to a request.

        Args:
            request: the request.
            clock: the world's.
            number: how many have been given before, for an id.
        """
        if self.events is not None:
            kind, body = "text/event-stream; charset=utf-8", None
        elif self.text is not None:
            kind, body = "text/plain; charset=utf-8", self.text.encode()
        elif self.content is not None:
            kind, body = "application/octet-stream", self.content
        else:
            kind, body = "application/json", self._json(request, clock, number)
        headers = {"date": formatdate(clock.time(), usegmt=True), "content-type": kind}
        if body is not None:
            headers["content-length"] = str(len(body))
        given = {name.lower(): value for name, value in self.headers.items()}
        stream = b"" if self.events is None else _stream(self.events, request, clock, number)
        return Answer(self.status, [*{**headers, **given}.items()], stream if body is None else body)

    def _json(self, request: SentRequest, clock: Clock, number: int) -> bytes:
        data = {} if self.json is NOTHING else self.json
        if self.status in (204, 304):
            return b""
        shape = _shape(request.segments)
        if self.raw or shape == "plain" or (isinstance(data, Mapping) and is_envelope(data)):
            return json.dumps(data).encode()
        answer = _rpc(self.status, data) if shape == "rpc" else _formation(self.status, data, request, clock, number)
        assert isinstance(answer.body, bytes)  # noqa: S101  for the type checker: envelopes are whole
        return answer.body


def buffered_answer(response: BufferedResponse) -> Answer:
    """An answer that a function of the test has made, as it is."""
    headers = list(response.headers.items())
    if "content-length" not in response.headers:
        headers.append(("content-length", str(len(response.content))))
    return Answer(response.status, headers, response.content)


def is_envelope(data: Mapping[object, object]) -> bool:
    """True if the data is an envelope already."""
    return "success" in data and ("data" in data or "error" in data)


def _shape(segments: Sequence[str]) -> str:
    """The envelope of a route: a formation's, that of ``/rpc``, or none."""
    if segments and segments[0] in ("api", "draft"):
        segments = segments[2:]
    if segments and segments[0] == "v1":
        return "plain" if list(segments) == ["v1", "health"] else "formation"
    return "rpc" if segments and segments[0] == "rpc" else "plain"


def _formation(status: int, data: object, request: SentRequest, clock: Clock, number: int) -> Answer:
    request_id = f"req_stub{number:017d}"
    if status >= 400:
        code, message, rest = _error(status, data)
        failed = envelope.ApiError(status, code, message, rest or None)
        return envelope.failure(failed, request_id=request_id, now=clock.time())
    result = envelope.Success("stub", "stub.answered", _anything(data), status)
    key = request.headers.get("X-Muxi-Idempotency-Key")
    return envelope.success(result, request_id=request_id, idempotency_key=key, now=clock.time())


def _rpc(status: int, data: object) -> Answer:
    if status >= 400:
        return rpc.RpcError(status, _error(status, data)[1]).answer()
    return rpc.success(_anything(data), status)


def _anything(data: object) -> Mapping[str, object]:
    """Data of any kind where the wire has an object: a test may say what the wire would not."""
    return cast("Mapping[str, object]", data)


def _error(status: int, data: object) -> tuple[str, str, dict[str, object]]:
    """Code, message and the rest of what a test gave for an error."""
    rest = {str(name): value for name, value in data.items()} if isinstance(data, Mapping) else {}
    code = str(rest.pop("code", "") or _CODES.get(status) or "ERROR")
    message = str(rest.pop("message", "") or _phrase(status))
    return code, message, rest


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _stream(items: Sequence[StreamItem], request: SentRequest, clock: Clock, number: int) -> AnswerStream:
    """The pieces of a stream. Texts alone make a whole chat: what ends one follows them."""
    asked = request.json if isinstance(request.json, dict) else {}
    turn = Turn(
        message=str(asked.get("message") or ""),
        user_id=request.user or "0",
        session_id=str(asked.get("session_id") or "sess_stub"),
        request_id=str(asked.get("request_id") or f"req_stub{number:017d}"),
    )
    for item in items:
        yield _piece(item, turn, clock)
    if items and all(isinstance(item, str | Pause) for item in items):
        text = "".join(item for item in items if isinstance(item, str))
        yield frames.token(TurnToken("completed", text, {"status": "success"}), turn, clock.time())
        yield frames.DONE


def _piece(item: StreamItem, turn: Turn, clock: Clock) -> bytes | Pause:
    if isinstance(item, bytes | Pause):
        return item
    if isinstance(item, str):
        return frames.token(TurnToken("content", item), turn, clock.time())
    if isinstance(item, Mapping):
        named = "data" in item and item.keys() <= {"event", "data", "id"}
        fields = [f"{name}: {item[name]}" for name in ("event", "id") if named and name in item]
        data = item["data"] if named else item
        text = data if isinstance(data, str) else json.dumps(data)
        return "\n".join([*fields, *(f"data: {line}" for line in text.split("\n")), "\n"]).encode()
    raise make_exception(item)
