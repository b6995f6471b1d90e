"""``POST /v1/audiochat``: voice notes go in, and their words are a message like any other."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from muxi_transports.memory.formation.access import Level, UserRule, normal_user
from muxi_transports.memory.formation.dialogue import begin
from muxi_transports.memory.formation.envelope import ApiError
from muxi_transports.memory.formation.replies import AnswerOptions, EarlyAnswer, answer_turn, stream_turn
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.validation import Field, flag, listing, mapping, record, text
from muxi_transports.memory.world import Answer, Pause

__all__ = ["ROUTES"]

_BODY = record(
    Field("files", listing(mapping), required=True),
    Field("user_id", text),
    Field("agent_id", text),
    Field("session_id", text),
    Field("request_id", text),
    Field("stream", flag, default=True),
)

_REFUSED = "Only audio files (audio/*) are accepted. For video or other files, use /chat with the files parameter."


def audiochat(incoming: Incoming) -> Answer | Generator[Pause, None, Answer]:
    """As a chat, but a ``request_id`` is echoed only, and idempotency keys count for nothing (the wire)."""
    formation, body = incoming.formation, incoming.body
    files = tuple(body.mappings("files"))
    _check(files)
    with formation.incidents.watch("the function that transcribes"):
        message = formation.transcribe(files)
    dialogue = begin(
        formation,
        message,
        user_id=incoming.user or normal_user(body.text("user_id")) or "0",
        session_id=body.text("session_id"),
        agent_id=body.text("agent_id"),
        files=files,
    )
    asked = AnswerOptions(body.text("request_id"), names_session=body.text("session_id") is not None)
    early = (
        None if message.strip() else EarlyAnswer("The voice note could not be understood.", "INPUT_VALIDATION_ERROR")
    )
    if body.get("stream") is not False:
        return stream_turn(dialogue, asked, early)
    return answer_turn(dialogue, asked, early)


def _check(files: tuple[Mapping[str, object], ...]) -> None:
    if not files:
        message = "files parameter is required for audiochat()"
        raise ApiError(400, "VALIDATION_ERROR", message, {"field": "files"})
    for file in files:
        kind = str(file.get("content_type") or file.get("mime_type") or "")
        if not kind.startswith("audio/"):
            raise ApiError(400, "VALIDATION_ERROR", _REFUSED, {"field": "files", "invalid_content_type": kind})


ROUTES = (FormationRoute("POST", "/v1/audiochat", audiochat, Level.CLIENT, UserRule.OPTIONAL, body=_BODY),)
