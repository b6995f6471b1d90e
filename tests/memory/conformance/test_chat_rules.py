"""Chats are answered by sections 2 to 4 of ``formation.md``, whatever is sent and whatever an agent replies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from muxi.clock import ManualClock
from muxi.transport import BytesBody, Headers, Request
from muxi_transports.memory import (
    Discontinuity,
    EmbeddedFormation,
    Failure,
    MemoryTransport,
    NewArtifact,
    Part,
    Pause,
    Question,
    Turn,
    Widgets,
)
from tests.memory.conformance.document import CLIENT
from tests.memory.conformance.shape import frames

_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_PARTS: st.SearchStrategy[Part] = st.one_of(
    _TEXTS,
    st.floats(0, 3).map(Pause),
    st.just(Widgets(({"type": "action_link", "id": "w", "label": "x", "url": "https://example.com"},))),
    st.just(NewArtifact("report.csv", "a,b\n")),
    st.builds(Discontinuity, _TEXTS),
)
#: What may end a reply before its last part.
_ENDS = st.sampled_from([None, None, None, Question("Which?", ("work", "home")), Failure("out of order")])
_BODIES = st.fixed_dictionaries(
    {"message": _TEXTS},
    optional={
        "stream": st.sampled_from([True, None, False, False, "false", 0]),
        "user_id": st.sampled_from(["bob", "Bob@Example.com", "", " ", None]),
        "session_id": st.sampled_from(["s", None]),
        "request_id": st.sampled_from(["mine", None]),
        "agent_id": st.sampled_from(["assistant", "nobody", None]),
        "mode": st.sampled_from(["sync", "bogus", "async", None]),
        "group_id": st.just("g"),
        "threshold_seconds": st.just(1),
        "no_such_field": st.just(5),
    },
)
_USERS = st.sampled_from([None, "ada", "Ada@Example.com", "  "])


def _user(header: str | None, body: dict[str, Any]) -> str:
    """The user of a chat: the header's before the body's, e-mail addresses in lower case, ``0`` where there is none."""
    named = next((user for user in (header, body.get("user_id")) if user and user.strip()), "0")
    return named.lower() if "@" in named else named


def _chat(
    body: dict[str, Any], user: str | None, parts: list[Part], end: Part | None
) -> tuple[MemoryTransport, int, dict[str, str], str]:
    formation = EmbeddedFormation(client_key=CLIENT, clock=ManualClock())

    @formation.agent("assistant")
    def assistant(turn: Turn) -> Iterator[Part]:
        yield from parts
        if end is not None:
            yield end

    transport = MemoryTransport(formation)
    headers = Headers({"X-Muxi-Client-Key": CLIENT, "Content-Type": "application/json"})
    if user is not None:
        headers["X-Muxi-User-ID"] = user
    sent = Request("POST", "http://memory/v1/chat", headers, BytesBody(json.dumps(body).encode()))
    response = transport.send(sent)
    received = {name.lower(): value for name, value in response.headers.items()}
    return transport, response.status, received, response.read().decode()


def _ask(transport: MemoryTransport, path: str, user: str) -> dict[str, Any]:
    headers = Headers({"X-Muxi-Client-Key": CLIENT, "X-Muxi-User-ID": user})
    found: dict[str, Any] = json.loads(transport.send(Request("GET", f"http://memory{path}", headers)).read())
    return found


@given(_BODIES, _USERS, st.lists(_PARTS, max_size=4), _ENDS)
def test_a_chat_is_answered_by_the_rules(
    body: dict[str, Any], header: str | None, parts: list[Part], end: Part | None
) -> None:
    transport, status, headers, text = _chat(body, header, parts, end)
    user = _user(header, body)
    fails = body.get("agent_id") == "nobody" or isinstance(end, Failure)
    if body.get("mode") == "async":
        assert (status, json.loads(text)["error"]["code"]) == (501, "METHOD_NOT_FOUND")
    elif body.get("stream", True) not in (False, "false", 0) or body.get("stream", True) is None:
        assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert (headers["cache-control"], headers["connection"]) == ("no-cache", "keep-alive")
        assert "content-length" not in headers
        request_id, session_id = _check_stream(text, body, user, parts, fails=fails)
        _check_tracked(transport, request_id, user, fails=fails, asks=isinstance(end, Question))
        assert _ask(transport, f"/v1/sessions/{session_id}", user)["data"]["message_count"] == (1 if fails else 2)
    elif fails:
        assert (status, json.loads(text)["error"]["code"]) == (500, "INTERNAL_ERROR")
    else:
        assert status == 200
        _check_envelope(json.loads(text), body, user)


def _check_stream(text: str, body: dict[str, Any], user: str, parts: list[Part], *, fails: bool) -> tuple[str, str]:
    """Check the frames of a turn; its request and its session."""
    assert text.startswith(": keepalive\n\n: keepalive\n\n")
    assert not [line for line in text.split("\n") if line.startswith(("id:", "retry:"))]
    found = list(frames(text))
    assert found[-1] == ("done", {"finished": True})
    rest = [frame for frame in found[:-1] if frame[0] != ": keepalive"]
    widgets = [data for event, data in rest if event == "ui"]
    assert len(widgets) <= 1
    if widgets:
        assert rest.pop() == ("ui", widgets[0])  # after the last token
    tokens = [data["token"] for event, data in rest]
    assert {event for event, _ in rest} == {"message"}
    kinds = [token["type"] for token in tokens]
    assert kinds[-1] == "completed"
    assert "completed" not in kinds[:-1]
    assert set(kinds) <= {"progress", "thinking", "planning", "content", "completed"}
    for token in tokens:
        assert list(token)[:6] == ["request_id", "user_id", "session_id", "type", "content", "timestamp"]
        assert (token["user_id"], type(token["timestamp"])) == (user, float)
        assert token["type"] != "content" or token["stage"] == "response_generation"
    [(request_id, session_id)] = {(token["request_id"], token["session_id"]) for token in tokens}
    assert request_id == body.get("request_id") or (not body.get("request_id") and request_id.startswith("req_"))
    assert session_id == body.get("session_id") or (not body.get("session_id") and session_id.startswith("sess_"))
    completed = tokens[-1]
    if fails:
        assert completed["status"] == "error"
    elif completed["status"] == "success":
        said = "".join(token["content"] for token in tokens if token["type"] == "content")
        broken = any(isinstance(part, Discontinuity) for part in parts)
        assert completed["content"] == said or broken
        assert completed.get("stream_discontinuity", False) is broken
        assert (completed["agent_used"], type(completed["processing_time_ms"])) == ("assistant", int)
    else:
        assert (completed["status"], completed["clarification"]) == ("awaiting_clarification", True)
    return request_id, session_id


def _check_tracked(transport: MemoryTransport, request_id: str, user: str, *, fails: bool, asks: bool) -> None:
    tracked = _ask(transport, f"/v1/requests/{request_id}", user)["data"]
    status = "failed" if fails else "awaiting_clarification" if asks else "completed"
    assert (tracked["status"], tracked["user_id"]) == (status, user)
    assert _ask(transport, f"/v1/requests/{request_id}", "eve")["error"]["code"] == "FORBIDDEN"


def _check_envelope(answer: dict[str, Any], body: dict[str, Any], user: str) -> None:
    data = answer["data"]
    assert list(data) == ["message", "user_id", "session_id", "request_id"]
    assert (data["user_id"], data["request_id"]) == (user, body.get("request_id"))
    sent = body.get("request_id")
    assert answer["request"]["id"] == sent if sent else answer["request"]["id"].startswith("req_")
    assert data["session_id"] == (body.get("session_id") or data["message"]["metadata"]["session_id"])
    assert list(data["message"])[:4] == ["role", "content", "artifacts", "metadata"]
    assert data["message"]["role"] == "assistant"
