"""The answers to a turn: a stream, one message, or a promise of a later one."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

from muxi_transports.memory.formation import frames
from muxi_transports.memory.formation.agents import Escalation, Failure, Later, Reply
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.dialogue import Dialogue
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.times import iso
from muxi_transports.memory.formation.turns import TurnOutcome, artifact_data
from muxi_transports.memory.world import Answer, AnswerStream, Pause, start_stream

__all__ = ["AnswerOptions", "EarlyAnswer", "answer_turn", "send_webhook", "stream_turn"]

_PROMISE = "Your workflow has been approved and is now running in the background. I'll notify you when it's complete."
_RETRYING = "This has failed. I'm going to retry with a different approach and let you know asynchronously. "
_ANNOUNCED = {
    "webhook": "You'll receive a webhook notification when it resolves.",
    "polling": "Ask for the status of the request to see when it resolves.",
}


@dataclass(frozen=True)
class EarlyAnswer:
    """An answer that is known before the turn begins. Streamed, it is an error (the wire)."""

    content: str
    code: str
    stream_error: str = "'MuxiResponse' object has no attribute '__aiter__'"
    stream_type: str = "AttributeError"


@dataclass(frozen=True)
class AnswerOptions:
    """The caller's options for the answer.

    Args:
        request_id: the id that was sent; the answer repeats it.
        key: the idempotency key, likewise.
        webhook_url: where the outcome goes of what takes long.
        names_session: whether the answer has the session beside the message, too.
    """

    request_id: str | None = None
    key: str | None = None
    webhook_url: str | None = None
    names_session: bool = True


def stream_turn(dialogue: Dialogue, asked: AnswerOptions, early: EarlyAnswer | None = None) -> Answer:
    """A turn as a stream of events."""
    headers = [
        ("cache-control", "no-cache"),
        ("connection", "keep-alive"),
        ("content-type", "text/event-stream; charset=utf-8"),
    ]
    return Answer(200, headers, start_stream(_stream(dialogue, asked, early)))


def answer_turn(
    dialogue: Dialogue, asked: AnswerOptions, early: EarlyAnswer | None = None
) -> Generator[Pause, None, Answer]:
    """A turn as one answer, once it has ended or has been put off."""
    reply = _as_early(early or dialogue.reply())
    if isinstance(reply, EarlyAnswer):
        dialogue.end(TurnOutcome("error", reply.content))
        metadata: Mapping[str, object] = {"error_code": reply.code, "error_type": "validation"}
        return _wrap(dialogue, asked, _message(reply.content, metadata), session_id=None)
    if isinstance(reply, Later | Escalation):
        return _answer_later(dialogue, asked, reply)
    outcome = yield from dialogue.unheard(reply)
    if outcome.kind == "error":
        raise ApiError(500, "INTERNAL_ERROR", outcome.content)
    if outcome.artifacts and dialogue.formation.imitates(Defect.ARTIFACTS_FAIL_CHATS):
        raise ApiError(500, "INTERNAL_ERROR", "Object of type datetime is not JSON serializable")
    message = _message(outcome.content, {**_end_metadata(dialogue, outcome), "session_id": dialogue.turn.session_id})
    if outcome.artifacts:
        now = dialogue.formation.clock.time()
        message["artifacts"] = [artifact_data(artifact, now) for artifact in outcome.artifacts]
    if outcome.widgets:
        message["ui"] = list(outcome.widgets)
    return _wrap(dialogue, asked, message, session_id=dialogue.turn.session_id)


def send_webhook(dialogue: Dialogue, outcome: TurnOutcome, url: str | None, *, seconds: float | None) -> None:
    """Send the webhook about how a turn ended.

    Args:
        dialogue: the turn.
        outcome: how.
        url: where to; None for the formation's own, if it has one.
        seconds: how long it took; None for work that the runtime does not time.
    """
    formation, turn = dialogue.formation, dialogue.turn
    target = url or formation.webhooks.default_url
    if target is None or outcome.kind == "cancelled":
        return
    if outcome.kind == "clarification":
        formation.webhooks.clarify(
            target, turn.request_id, turn.user_id, question=outcome.content, message=turn.message
        )
        return
    failed = outcome.kind == "error"
    formation.webhooks.complete(
        target,
        turn.request_id,
        text=None if failed else outcome.content,
        error=outcome.content if failed else None,
        user_id=turn.user_id,
        seconds=seconds,
    )


def _stream(dialogue: Dialogue, asked: AnswerOptions, early: EarlyAnswer | None) -> AnswerStream:
    formation = dialogue.formation
    try:
        yield b""
        yield frames.KEEPALIVE
        if formation.opening_pause:
            yield Pause(formation.opening_pause)
        reply = _as_early(early or dialogue.reply())
        if isinstance(reply, EarlyAnswer):
            dialogue.end(TurnOutcome("error", reply.content))
            yield frames.early_error(reply.stream_error, reply.stream_type)
            return
        yield frames.KEEPALIVE
        started = formation.clock.monotonic()
        outcome = yield from frames.frame_tokens(dialogue.steps(reply), dialogue.turn, formation.clock)
        dialogue.end(outcome)
        if isinstance(reply, Later):
            send_webhook(dialogue, outcome, asked.webhook_url, seconds=formation.clock.monotonic() - started)
        if outcome.completed is not None:
            yield frames.token(outcome.completed, dialogue.turn, formation.clock.time())
        elif outcome.kind != "cancelled" or formation.imitates(Defect.CANCELLED_STREAMS_HANG):
            yield from frames.silence()
        if outcome.widgets:
            yield frames.ui(outcome.widgets)
        yield frames.DONE
    except GeneratorExit:
        dialogue.leave()
        raise


def _as_early(reply: Reply | EarlyAnswer) -> Reply | EarlyAnswer:
    if isinstance(reply, Failure) and reply.early:
        return EarlyAnswer(reply.message, "INPUT_VALIDATION_ERROR", reply.message, reply.type)
    return reply


def _answer_later(dialogue: Dialogue, asked: AnswerOptions, reply: Later | Escalation) -> Answer:
    """Answer at once; the turn goes on in the background."""
    formation, turn = dialogue.formation, dialogue.turn
    url = asked.webhook_url or formation.webhooks.default_url
    if isinstance(reply, Escalation):
        dialogue.tracked.escalated = True
        formation.work(_tried_again(dialogue, reply, url))
        delivery = "webhook" if url else "polling"
        content = f"{_RETRYING}Your request ID is {turn.request_id}. {_ANNOUNCED[delivery]}"
        metadata = {
            "escalated": True,
            "request_id": turn.request_id,
            "session_id": turn.session_id,
            "delivery": delivery,
        }
        return _wrap(dialogue, asked, _message(content, metadata), session_id=turn.session_id)
    formation.work(_finished_later(dialogue, reply, url))
    promise = {
        "request_id": turn.request_id,
        "status": "processing",
        "message": _PROMISE,
        "workflow_id": formation.ids.new("wrk_"),
        "timestamp": iso(formation.clock.time()),
    }
    return _wrap(dialogue, asked, promise, session_id=turn.session_id)


def _finished_later(dialogue: Dialogue, reply: Later, url: str | None) -> Generator[Pause, None, None]:
    started = dialogue.formation.clock.monotonic()
    dialogue.tracked.stuck = dialogue.formation.imitates(Defect.PROMISED_CHATS_STAY_RUNNING)
    outcome = yield from dialogue.in_background(reply)
    send_webhook(dialogue, outcome, url, seconds=dialogue.formation.clock.monotonic() - started)


def _tried_again(dialogue: Dialogue, reply: Escalation, url: str | None) -> Generator[Pause, None, None]:
    formation = dialogue.formation
    outcome = yield from dialogue.in_background(reply)
    if url is not None and outcome.kind != "cancelled":
        unknown = formation.imitates(Defect.ESCALATIONS_SIGNED_WITH_UNKNOWN_KEY)
        formation.webhooks.end_escalation(
            url,
            dialogue.turn.request_id,
            state="achieved" if outcome.kind == "success" else "impossible",
            outcome=outcome.content,
            secret=formation.ids.new("sk_muxi_") if unknown else None,
        )


def _end_metadata(dialogue: Dialogue, outcome: TurnOutcome) -> dict[str, object]:
    """The metadata of a message that depend on the end of its turn."""
    if outcome.kind == "clarification":
        return {"clarification": True, "mode": "direct"}
    if outcome.kind == "cancelled":
        return {"cancelled": True}
    if outcome.kind == "approval":
        workflow_id = dialogue.formation.ids.new("wrk_")
        return {"workflow_id": workflow_id, "approval_required": True, "requires_user_response": True}
    return {}


def _message(content: str, metadata: Mapping[str, object]) -> dict[str, object]:
    return {"role": "assistant", "content": content, "artifacts": None, "metadata": metadata}


def _wrap(dialogue: Dialogue, asked: AnswerOptions, message: Mapping[str, object], *, session_id: str | None) -> Answer:
    data = {
        "message": message,
        "user_id": dialogue.turn.user_id,
        "session_id": session_id if asked.names_session else None,
        "request_id": asked.request_id,
    }
    result = Success("message", "chat.completed", data)
    return dialogue.formation.wrap(result, request_id=asked.request_id, idempotency_key=asked.key)
