"""``POST /v1/chat``: a message goes in, an answer comes out, at once or as a stream."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass

from muxi_transports.memory.formation import frames
from muxi_transports.memory.formation.access import Level, UserRule, normal_user
from muxi_transports.memory.formation.agents import Failure, Reply, Turn, ask
from muxi_transports.memory.formation.app import EmbeddedFormation
from muxi_transports.memory.formation.envelope import ApiError, Success
from muxi_transports.memory.formation.router import Incoming, Route
from muxi_transports.memory.formation.state.buffer import Message
from muxi_transports.memory.formation.state.replays import Scope
from muxi_transports.memory.formation.state.tracker import Tracked
from muxi_transports.memory.formation.turns import Outcome, Token, TurnSteps, run
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
from muxi_transports.memory.work import Work
from muxi_transports.memory.world import Answer, AnswerStream, Pause, begun

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


@dataclass(frozen=True)
class _Early:
    """An answer that is ready before the turn begins; streamed, the runtime stumbles over it."""

    content: str
    code: str
    stream_error: str = "'MuxiResponse' object has no attribute '__aiter__'"
    stream_type: str = "AttributeError"


@dataclass(frozen=True)
class _Opened:
    """A turn that has begun."""

    formation: EmbeddedFormation
    turn: Turn
    tracked: Tracked

    def reply(self) -> Reply:
        """What the agent says to it."""
        agent = self.formation.agents.find(self.turn.agent_id)
        return ask(agent, self.turn) if agent else Failure(f"No agent with ID '{self.turn.agent_id}' exists")

    def steps(self, reply: Reply) -> TurnSteps:
        """The life of the turn."""
        formation = self.formation
        return run(self.turn, reply, self.tracked, clock=formation.clock, ids=formation.ids, pace=formation.pace)

    def say(self, role: str, content: str) -> None:
        """Keep a message of the turn in the buffer."""
        turn, now = self.turn, self.formation.clock.time()
        metadata = {
            "role": role,
            "timestamp": now,
            "agent_id": "overlord",
            "user_id": turn.user_id,
            "session_id": turn.session_id,
            "request_id": turn.request_id,
            "formation_id": self.formation.formation_id,
        }
        self.formation.buffer.append(turn.user_id, turn.session_id, Message(content, now, metadata))

    def end(self, outcome: Outcome) -> None:
        """Note how it ended. A silent turn has not: the tracker gives it up after 600 s."""
        tracker, content = self.formation.tracker, outcome.content
        with self.formation.lock:
            if outcome.kind in ("success", "clarification"):
                self.say("assistant", content)
            if outcome.kind == "success":
                tracker.end(self.tracked, "completed", result=content)
            elif outcome.kind == "clarification":
                tracker.end(self.tracked, "awaiting_clarification")
            elif outcome.kind == "error":
                tracker.end(self.tracked, "failed", error=content)
            elif outcome.kind == "cancelled":
                tracker.end(self.tracked, "cancelled")

    def leave(self) -> None:
        """The client has left: that cancels the turn."""
        with self.formation.lock:
            if not self.tracked.ended:
                self.formation.tracker.end(self.tracked, "cancelled")


def chat(incoming: Incoming) -> Generator[Pause, None, Answer]:
    """Streamed unless ``stream`` is exactly false; the Accept header plays no part."""
    formation, body = incoming.formation, incoming.body
    if body.text("mode") == "async":
        message = (
            "Async mode requires webhook configuration. "
            "Use stream=true for real-time responses or mode=sync for immediate responses."
        )
        raise ApiError(501, "METHOD_NOT_FOUND", message)
    if body.get("stream") is not False:
        headers = [
            ("cache-control", "no-cache"),
            ("connection", "keep-alive"),
            ("content-type", "text/event-stream; charset=utf-8"),
        ]
        return Answer(200, headers, begun(_stream(_open(incoming), _too_large(body))))
    key = incoming.request.headers.get("X-Muxi-Idempotency-Key") or None
    with formation.lock:
        if key is None:
            work = Work(_answer(incoming, None), formation.clock)
        else:
            scope = Scope("POST", incoming.request.path, incoming.user, key)
            work = formation.replays.join(scope, lambda: _answer(incoming, key))
    try:
        answer = yield from work.join()
    except GeneratorExit:
        # A client that leaves does not stop what is not streamed; a repeated call with its key joins it.
        formation.background.adopt(work)
        raise
    return answer


def _open(incoming: Incoming) -> _Opened:
    formation, body = incoming.formation, incoming.body
    with formation.lock:
        user_id = incoming.user or normal_user(body.text("user_id")) or "0"
        session_id = body.text("session_id") or formation.ids.new("sess_")
        turn = Turn(
            message=str(body.get("message")),
            user_id=user_id,
            session_id=session_id,
            agent_id=body.text("agent_id") or formation.agents.default,
            request_id=body.text("request_id") or formation.ids.new("req_"),
            agent_requested=body.text("agent_id"),
            history=formation.buffer.session(user_id, session_id),
            files=tuple(body.mappings("files")),
            ui_response=body.mapping("ui_response"),
        )
        opened = _Opened(formation, turn, formation.tracker.open(turn.request_id, user_id))
        opened.say("user", turn.message)
    return opened


def _stream(opened: _Opened, early: _Early | None) -> AnswerStream:
    formation, turn = opened.formation, opened.turn
    try:
        yield b""
        yield frames.KEEPALIVE
        if formation.opening_pause:
            yield Pause(formation.opening_pause)
        reply = early or opened.reply()
        if isinstance(reply, Failure) and reply.early:
            reply = _Early(reply.message, "INPUT_VALIDATION_ERROR", reply.message, reply.type)
        if isinstance(reply, _Early):
            opened.end(Outcome("error", reply.content))
            yield frames.early_error(reply.stream_error, reply.stream_type)
            return
        yield frames.KEEPALIVE
        outcome = yield from frames.framed(opened.steps(reply), turn, formation.clock)
        opened.end(outcome)
        if outcome.completed is None:
            yield from frames.silence()
        else:
            yield frames.token(outcome.completed, turn, formation.clock.time())
        if outcome.widgets:
            yield frames.ui(outcome.widgets)
        yield frames.DONE
    except GeneratorExit:
        opened.leave()
        raise


def _answer(incoming: Incoming, key: str | None) -> Generator[Pause, None, Answer]:
    opened = _open(incoming)
    early = _too_large(incoming.body)
    reply = early or opened.reply()
    if isinstance(reply, Failure) and reply.early:
        reply = _Early(reply.message, "INPUT_VALIDATION_ERROR")
    if isinstance(reply, _Early):
        opened.end(Outcome("error", reply.content))
        metadata: Mapping[str, object] = {"error_code": reply.code, "error_type": "validation"}
        return _wrap(incoming, opened, key, _message(reply.content, metadata), session_id=None)
    outcome = yield from _unheard(opened.steps(reply))
    opened.end(outcome)
    session_id = opened.turn.session_id
    if outcome.kind == "error":
        raise ApiError(500, "INTERNAL_ERROR", outcome.content)
    marks: dict[str, object] = {}
    if outcome.kind == "clarification":
        marks = {"clarification": True, "mode": "direct"}
    elif outcome.kind == "cancelled":
        marks = {"cancelled": True}
    message = _message(outcome.content, {**marks, "session_id": session_id})
    if outcome.widgets:
        message["ui"] = list(outcome.widgets)
    return _wrap(incoming, opened, key, message, session_id=session_id)


def _unheard(steps: TurnSteps) -> Generator[Pause, None, Outcome]:
    """The life of a turn without its tokens."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
            if not isinstance(step, Token):
                yield step


def _message(content: str, metadata: Mapping[str, object]) -> dict[str, object]:
    return {"role": "assistant", "content": content, "artifacts": None, "metadata": metadata}


def _wrap(
    incoming: Incoming, opened: _Opened, key: str | None, message: Mapping[str, object], *, session_id: str | None
) -> Answer:
    sent_id = incoming.body.text("request_id")
    data = {"message": message, "user_id": opened.turn.user_id, "session_id": session_id, "request_id": sent_id}
    result = Success("message", "chat.completed", data)
    return opened.formation.wrap(result, request_id=sent_id, idempotency_key=key)


def _too_large(body: Fields) -> _Early | None:
    if (length := len(str(body.get("message")))) > _MESSAGE_LIMIT:
        return _Early(f"Message is too long: {length} characters (max: {_MESSAGE_LIMIT}).", "INPUT_VALIDATION_ERROR")
    for file in body.mappings("files"):
        size = file.get("size")
        if isinstance(size, int | float) and size > _FILE_LIMIT:
            return _Early(f"File is too large: {size} bytes (max: {_FILE_LIMIT}).", "FILE_VALIDATION_ERROR")
    return None


ROUTES = (Route("POST", "/v1/chat", chat, Level.CLIENT, UserRule.OPTIONAL, body=_BODY),)
