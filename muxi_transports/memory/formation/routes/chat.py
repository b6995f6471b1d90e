"""``POST /v1/chat``: a message goes in, an answer comes out, at once or as a stream."""

from __future__ import annotations

from collections.abc import Generator

from muxi_transports.memory.formation.access import Level, UserRule, normal_user
from muxi_transports.memory.formation.dialogue import Dialogue, begin
from muxi_transports.memory.formation.envelope import ApiError
from muxi_transports.memory.formation.idempotency import run_once
from muxi_transports.memory.formation.replies import AnswerOptions, EarlyAnswer, answer_turn, stream_turn
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.validation import (
    Field,
    Fields,
    anything,
    flag,
    listing,
    mapping,
    number,
    record,
    text,
)
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES"]

#: The longest message, in characters, and the largest file, in bytes as declared (the wire).
_MESSAGE_LIMIT = 100_000
_FILE_LIMIT = 52 * 1024 * 1024

_BODY = record(
    Field("message", text, required=True),
    Field("user_id", text),
    Field("agent_id", text),
    Field("session_id", text),
    Field("group_id", text),
    Field("request_id", text),
    Field("mode", text, default="sync"),
    Field("files", listing(mapping)),
    Field("stream", flag, default=True),
    Field("webhook_url", text),
    Field("threshold_seconds", number),
    Field("source_channel", text),
    Field("ui_response", record(Field("id", text, required=True), Field("value", anything, required=True))),
)


def chat(incoming: Incoming) -> Answer | Generator[Pause, None, Answer]:
    """Streamed unless ``stream`` is exactly false; the Accept header plays no part."""
    body = incoming.body
    if body.text("mode") == "async":
        message = (
            "Async mode requires webhook configuration. "
            "Use stream=true for real-time responses or mode=sync for immediate responses."
        )
        raise ApiError(501, "METHOD_NOT_FOUND", message)
    if body.get("stream") is not False:
        return stream_turn(_open(incoming), _answer_options(incoming), _too_large(body))
    return run_once(
        incoming, lambda key: answer_turn(_open(incoming), _answer_options(incoming, key), _too_large(incoming.body))
    )


def _open(incoming: Incoming) -> Dialogue:
    body = incoming.body
    return begin(
        incoming.formation,
        str(body.get("message")),
        user_id=incoming.user or normal_user(body.text("user_id")) or "0",
        session_id=body.text("session_id"),
        agent_id=body.text("agent_id"),
        request_id=body.text("request_id"),
        files=tuple(body.mappings("files")),
        ui_response=body.mapping("ui_response"),
        group_id=body.text("group_id"),
        source_channel=body.text("source_channel"),
    )


def _answer_options(incoming: Incoming, key: str | None = None) -> AnswerOptions:
    body = incoming.body
    return AnswerOptions(body.text("request_id"), key, webhook_url=body.text("webhook_url"))


def _too_large(body: Fields) -> EarlyAnswer | None:
    if (length := len(str(body.get("message")))) > _MESSAGE_LIMIT:
        return EarlyAnswer(
            f"Message is too long: {length} characters (max: {_MESSAGE_LIMIT}).", "INPUT_VALIDATION_ERROR"
        )
    for file in body.mappings("files"):
        size = file.get("size")
        if isinstance(size, int | float) and size > _FILE_LIMIT:
            return EarlyAnswer(f"File is too large: {size} bytes (max: {_FILE_LIMIT}).", "FILE_VALIDATION_ERROR")
    return None


ROUTES = (FormationRoute("POST", "/v1/chat", chat, Level.CLIENT, UserRule.OPTIONAL, body=_BODY),)
