"""The embedded formation answers as the recorded one did: status, codes, keys, types, order of frames."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.transport import BytesBody, Headers, Request, Response
from muxi_transports.memory import (
    Clarification,
    Discontinuity,
    EmbeddedFormation,
    MemoryTransport,
    Silence,
    Turn,
)
from muxi_transports.memory.formation.state.memories import Memory

Prepare = Callable[[EmbeddedFormation], None]


def chatted(user: str, *sessions: str) -> Prepare:
    """A user has said something in these sessions."""

    def prepare(formation: EmbeddedFormation) -> None:
        for session in sessions:
            body = {"message": "seed", "session_id": session, "stream": False}
            headers = {"X-Muxi-Client-Key": CLIENT, "X-Muxi-User-ID": user}
            capture = {"method": "POST", "path": "/v1/chat", "headers": headers, "body": json.dumps(body)}
            assert replay(formation, capture).status == 200

    return prepare


def remembered(user: str, *ids: str) -> Prepare:
    """The formation remembers something about a user."""

    def prepare(formation: EmbeddedFormation) -> None:
        now = formation.clock.time()
        for memory_id in ids:
            formation.memories.add(Memory(memory_id, user, "Prefers Go", now, {"type": "preference", "timestamp": now}))

    return prepare


def tracked(user: str, request_id: str, status: str = "processing", result: str | None = None) -> Prepare:
    """A request of a user is in progress, or has ended."""

    def prepare(formation: EmbeddedFormation) -> None:
        entry = formation.tracker.open(request_id, user)
        if status != "processing":
            formation.tracker.end(entry, status, result=result)

    return prepare


def replying(agent: Callable[[Turn], Any]) -> Prepare:
    """The formation's agent replies like this."""
    return lambda formation: formation.agents.given.update(assistant=agent)


def restored(formation: EmbeddedFormation) -> None:
    messages = [
        {"role": "user", "content": "hello", "timestamp": "2026-11-22T10:00:00Z"},
        {
            "role": "assistant",
            "content": "hi",
            "timestamp": "2026-11-22T10:00:01Z",
            "agent_id": "assistant",
            "metadata": {"x": 1},
        },
    ]
    headers = {"X-Muxi-Client-Key": CLIENT, "X-Muxi-User-ID": "sess-user"}
    body = json.dumps({"messages": messages})
    capture = {"method": "POST", "path": "/v1/sessions/rs-1/restore", "headers": headers, "body": body}
    assert replay(formation, capture).status == 200


def ingested(formation: EmbeddedFormation) -> None:
    formation.memories.note_event("mona", "crm", "c-1", "_vc8qRzU4w4DqQU8rVlE7")


def nothing(formation: EmbeddedFormation) -> None:
    pass


ask_back = replying(lambda turn: Clarification("Which region do you mean? Available: work or home", ("work", "home")))
MONA = remembered("mona", "m-1", "m-2", "m-3")
TWO_SESSIONS = chatted("sess-user", "ss-0", "ss-1", "ss-0")

CLIENT, ADMIN = "fmc_wirelab_client_0123456789", "fma_wirelab_admin_0123456789"

#: What is recorded, and what must have happened before.
ANSWERS: dict[str, Prepare] = {
    "accept_sse_with_stream_false": nothing,
    "buffer_admin": chatted("alice", "s-1"),
    "buffer_alice": chatted("alice", "s-1"),
    "buffer_del": chatted("ida", "i1"),
    "buffer_del_all_admin": chatted("alice", "s-1"),
    "buffer_del_session": chatted("alice", "s-2"),
    "buffer_del_session_admin_nouser": chatted("alice", "s-3"),
    "buffer_stats": chatted("alice", "s-1"),
    "buffers_dep": chatted("alice", "s-1"),
    "busy0": nothing,
    "cancel_again2": tracked("carl", "cxl-2", "completed", "w1"),
    "cancel_completed": tracked("carl", "done-3", "completed", "quick"),
    "cancel_early": tracked("dora", "early-1"),
    "cancel_first_second_status": tracked("dora", "early-5", "cancelled"),
    "cancel_other_user": tracked("carl", "cxl-1"),
    "cancel_stream_again": tracked("carl", "cxl-1"),
    "cancel_unknown": nothing,
    "chat_422_missing": nothing,
    "chat_422_types": nothing,
    "chat_badjson": nothing,
    "chat_email_user": nothing,
    "chat_emptybody": nothing,
    "chat_extra_fields": nothing,
    "chat_file_notdict": nothing,
    "chat_file_plain": nothing,
    "chat_mode_async": nothing,
    "chat_mode_bogus": nothing,
    "chat_nojson_ct": nothing,
    "chat_request_id": nothing,
    "chat_sync": nothing,
    "chat_sync_threat": replying(lambda turn: Silence()),
    "chat_sync_unknown_agent": nothing,
    "cors_preflight": nothing,
    "hdr_lower": nothing,
    "hdr_utf8_user": nothing,
    "health": nothing,
    "health_root": nothing,
    "idem_1": nothing,
    "idem_body_user1": nothing,
    "idem_mem2": nothing,
    "ing_dup": ingested,
    "ing_nosourceid": nothing,
    "ing_one": nothing,
    "mem_create": nothing,
    "mem_create_body_user": nothing,
    "mem_create_content": nothing,
    "mem_create_none": nothing,
    "mem_create_scope_bad": nothing,
    "mem_create_scope_formation": nothing,
    "mem_create_scope_group": nothing,
    "mem_create_scope_group_noid": nothing,
    "mem_del_again": nothing,
    "mem_list_admin_nouser": nothing,
    "mem_list_admin_user": MONA,
    "mem_list_limit0": nothing,
    "mem_list_limit101": nothing,
    "mem_list_offneg": nothing,
    "mem_list_scopes": MONA,
    "mem_list_scopes_bad": nothing,
    "mem_list_userparam": MONA,
    "nf_root": nothing,
    "nf_root2": nothing,
    "no_dual_key": nothing,
    "req_status_completed": tracked("carl", "done-3", "completed", "quick"),
    "req_status_disconnect_7s": tracked("carl", "disc-4", "cancelled"),
    "req_status_processing": tracked("carl", "cxl-1"),
    "req_status_unknown": nothing,
    "requests_list_admin": tracked("alice", "req_1"),
    "root": nothing,
    "sess_get": TWO_SESSIONS,
    "sess_get_404": nothing,
    "sess_list": TWO_SESSIONS,
    "sess_list_bad": nothing,
    "sess_list_big": nothing,
    "sess_list_nouser": nothing,
    "sess_msgs": TWO_SESSIONS,
    "sess_msgs_404": nothing,
    "sess_msgs_before": TWO_SESSIONS,
    "sess_msgs_limit": TWO_SESSIONS,
    "sess_restore_badrole": nothing,
    "sess_restore_badts": nothing,
    "sess_restore_empty": nothing,
    "sess_restore_get": restored,
    "sess_restore_msgs": restored,
    "sess_restore_nots": nothing,
    "trig_async_poll1": tracked("alice", "req_2XAI7BXw_kiDU2_2Zl6JB"),
    "trig_async_poll_other": tracked("alice", "req_2XAI7BXw_kiDU2_2Zl6JB"),
    "ui_response_bad": nothing,
    "ui_sync": ask_back,
    "v1": nothing,
    "v1slash": nothing,
}

#: Recorded streams, and the agent that replies as the recorded model did.
STREAMS: dict[str, Callable[[str], Prepare]] = {
    "chat_no_session_no_user": lambda answer: replying(lambda turn: answer),
    "chat_request_id_stream": lambda answer: replying(lambda turn: answer),
    "chat_stream": lambda answer: replying(lambda turn: answer),
    "chat_stream_agent": lambda answer: lambda formation: formation.agents.given.update(researcher=lambda turn: answer),
    "chat_stream_clarify": lambda answer: replying(lambda turn: Clarification(answer)),
    "chat_stream_midfail": lambda answer: replying(lambda turn: Discontinuity(answer, after=3)),
    "chat_stream_plain": lambda answer: replying(lambda turn: answer),
    "chat_stream_uni": lambda answer: replying(lambda turn: answer),
    "idem_stream": lambda answer: replying(lambda turn: answer),
    "ui_stream": lambda answer: replying(lambda turn: Clarification(answer, ("work", "home"))),
}


def load(wire: Path, name: str) -> dict[str, Any]:
    capture: dict[str, Any] = json.loads((wire / "captures" / "formation" / f"{name}.json").read_text("utf-8"))
    return capture


def replay(formation: EmbeddedFormation, request: dict[str, Any]) -> Response:
    # The recorder noted header values as latin-1, as the runtime reads them; they are sent as UTF-8.
    headers = Headers((name, value.encode("latin-1").decode()) for name, value in request["headers"].items())
    if request["body"] is not None:
        headers.setdefault("Content-Type", "application/json")
    body = None if request["body"] is None else BytesBody(request["body"].encode())
    sent = Request(request["method"], f"http://127.0.0.1:8001{request['path']}", headers, body)
    return MemoryTransport(formation).send(sent)


def shape(value: object) -> object:
    """A value with its types in place of what it says; a list is the shape of its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.fixture
def recorded(clock: ManualClock) -> EmbeddedFormation:
    return EmbeddedFormation("wire-lab", client_key=CLIENT, admin_key=ADMIN, clock=clock, seed=1)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_as_recorded(name: str, wire: Path, recorded: EmbeddedFormation) -> None:
    capture = load(wire, name)
    ANSWERS[name](recorded)
    response = replay(recorded, capture["request"])
    expected = capture["response"]
    assert response.status == expected["status"]
    assert [header.lower() for header, _ in response.headers.items()] == [h[0].lower() for h in expected["headers"]]
    assert response.content_type == dict(expected["headers"])["content-type"].split(";")[0]
    body = response.read()
    assert response.headers["content-length"] == str(len(body))
    if response.content_type != "application/json":
        assert body.decode() == expected["body"]
        return
    answer, wanted = json.loads(body), json.loads(expected["body"])
    assert list(answer) == list(wanted)
    if "error" in wanted:
        assert answer["error"] == wanted["error"]
        assert (answer["object"], answer["type"]) == (wanted["object"], wanted["type"])
        assert answer["request"]["idempotency_key"] == wanted["request"]["idempotency_key"]
    assert shape(answer) == shape(wanted)
    assert json.dumps(shape(answer)) == json.dumps(shape(wanted)), "the keys come in another order"


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_as_recorded(name: str, wire: Path, recorded: EmbeddedFormation) -> None:
    capture = load(wire, name)
    expected = capture["response"]
    wanted = list(frames(expected["body"]))
    completed = next(
        frame["token"] for _, frame in wanted if frame and frame.get("token", {}).get("type") == "completed"
    )
    STREAMS[name](completed["content"])(recorded)
    response = replay(recorded, capture["request"])
    assert [(header.lower(), _stable(value)) for header, value in response.headers.items()] == [
        (header.lower(), _stable(value)) for header, value in expected["headers"]
    ]
    got = list(frames(response.read().decode()))
    assert [outline(frame) for frame in got] == [outline(frame) for frame in wanted]
    assert [shape(frame) for _, frame in got] == [shape(frame) for _, frame in wanted]
    assert json.dumps([shape(frame) for _, frame in got]) == json.dumps([shape(frame) for _, frame in wanted])


def test_a_silent_turn_begins_as_recorded(wire: Path, recorded: EmbeddedFormation) -> None:
    capture = load(wire, "chat_stream_threat")
    replying(lambda turn: Silence())(recorded)
    response = replay(recorded, capture["request"])
    got, wanted = list(frames(response.read().decode())), list(frames(capture["response"]["body"]))
    assert [outline(frame) for frame in got[: len(wanted)]] == [outline(frame) for frame in wanted]


def frames(body: str) -> Iterator[tuple[str, Any]]:
    """Event name and data of each frame; a comment is an event of its own."""
    for block in body.split("\n\n"):
        lines = block.split("\n")
        if not block or block == "\n":
            continue
        if lines[0].startswith(":"):
            yield lines[0], None
            continue
        fields = dict(line.split(": ", 1) for line in lines if line)
        yield fields.get("event", "message"), json.loads(fields["data"])


def outline(frame: tuple[str, Any]) -> tuple[str, str | None, str | None]:
    event, data = frame
    token = (data or {}).get("token", {})
    return event, token.get("type"), token.get("stage")


def _stable(value: str) -> str:
    return "a date" if value.endswith(" GMT") else value
