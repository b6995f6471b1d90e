"""What a formation remembers: sessions, memories, buffers and requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.transport import BufferedResponse
from muxi_transports.memory import EmbeddedFormation

Call = Callable[..., BufferedResponse]


def data(response: BufferedResponse, status: int = 200) -> dict[str, Any]:
    assert response.status == status, response.content
    payload = json.loads(response.content)
    found: dict[str, Any] = payload["error"] if status >= 400 else payload["data"]
    return found


def say(call: Call, message: str, session: str, **options: Any) -> None:
    data(call("POST", "/v1/chat", {"message": message, "session_id": session, "stream": False}, **options))


def test_health_needs_no_key_and_has_no_envelope(clock: ManualClock, call: Call) -> None:
    clock.advance(12.7)
    response = call("GET", "/v1/health", key="", user=None)
    assert json.loads(response.content) == {"status": "healthy", "version": "1.0.0", "uptime_seconds": 12}


def test_a_session_keeps_its_messages(clock: ManualClock, call: Call) -> None:
    say(call, "one", "s")
    clock.advance(5)
    say(call, "two", "s")
    session = data(call("GET", "/v1/sessions/s"))
    assert session["message_count"] == 4
    assert session["last_activity"] - session["created_at"] == 5
    page = data(call("GET", "/v1/sessions/s/messages?limit=3"))
    assert [message["text"] for message in page["messages"]] == ["one", "You said: one", "two"]
    assert [message["metadata"]["role"] for message in page["messages"]] == ["user", "assistant", "user"]
    assert (page["count"], page["has_more"]) == (3, True)


def test_sessions_come_latest_first_and_belong_to_their_user(clock: ManualClock, call: Call) -> None:
    for session in ("a", "b", "c"):
        say(call, "x", session)
        clock.advance(1)
    say(call, "x", "a")
    say(call, "x", "other", user="bob")
    listed = data(call("GET", "/v1/sessions"))
    assert [session["session_id"] for session in listed["sessions"]] == ["a", "c", "b"]
    assert data(call("GET", "/v1/sessions?limit=1"))["count"] == 1
    missing = data(call("GET", "/v1/sessions/a", user="bob"), 404)
    assert (missing["code"], missing["message"]) == ("RESOURCE_NOT_FOUND", "Session 'a' not found")


def test_a_session_is_restored_in_place(call: Call) -> None:
    say(call, "old", "s")
    messages = [
        {"role": "user", "content": "hello", "timestamp": "2026-11-22T10:00:00Z"},
        {"role": "alien", "content": "hi", "timestamp": "whenever", "metadata": {"x": 1}},
    ]
    answer = data(call("POST", "/v1/sessions/s/restore", {"messages": messages}))
    assert (answer["messages_loaded"], answer["messages_dropped"]) == (2, 0)
    restored = data(call("GET", "/v1/sessions/s/messages"))["messages"]
    assert [(message["text"], message["metadata"]["role"]) for message in restored] == [
        ("hello", "user"),
        ("hi", "alien"),
    ]
    assert restored[0]["timestamp"] == 1795341600.0
    assert restored[1]["metadata"]["x"] == 1


def test_memories_come_newest_first_in_pages(call: Call) -> None:
    ids = [data(call("POST", "/v1/memories", {"detail": f"m{n}"}))["id"] for n in range(12)]
    listed = data(call("GET", "/v1/memories"))
    assert [memory["id"] for memory in listed["memories"]] == ids[:1:-1]
    assert listed["count"] == 10
    page = data(call("GET", "/v1/memories?limit=5&offset=10"))
    assert [memory["content"] for memory in page["memories"]] == ["m1", "m0"]
    assert data(call("GET", "/v1/memories", user="bob"))["count"] == 0


def test_the_formations_memories_are_everybodys(call: Call) -> None:
    body = {"content": "open at nine", "scope": "formation"}
    assert data(call("POST", "/v1/memories", body), 403)["code"] == "FORBIDDEN"
    data(call("POST", "/v1/memories", body, key="admin"))
    assert data(call("GET", "/v1/memories", user="bob"))["count"] == 1
    assert data(call("GET", "/v1/memories?scopes=user", user="bob"))["count"] == 0


def test_a_memory_is_deleted_once_and_by_its_owner(call: Call) -> None:
    memory_id = data(call("POST", "/v1/memories", {"content": "x"}))["id"]
    refused = data(call("DELETE", f"/v1/memories/{memory_id}", user="mallory"), 404)
    assert (refused["code"], refused["message"]) == ("NOT_FOUND", f"Memory {memory_id} not found")
    assert data(call("DELETE", f"/v1/memories/{memory_id}")) == {"deleted": memory_id, "user_id": "alice"}
    assert call("DELETE", f"/v1/memories/{memory_id}").status == 404


def test_a_sources_item_is_taken_once(call: Call) -> None:
    body = {"content": {"any": "json"}, "source": "crm", "source_id": "1"}
    first = data(call("POST", "/v1/memories", body), 202)
    again = data(call("POST", "/v1/memories", body))
    assert (again["duplicate"], again["event_id"]) == (True, first["event_id"])


def test_a_memory_without_a_source_is_a_text(ask: Call) -> None:
    assert data(ask("POST", "/v1/memories", {"content": ["x"]}), 422)["code"] == "INVALID_PARAMS"


def test_memories_are_not_idempotent_by_key(call: Call) -> None:
    for _ in range(2):
        response = call("POST", "/v1/memories", {"content": "x"}, headers={"X-Muxi-Idempotency-Key": "k"})
        assert json.loads(response.content)["request"]["idempotency_key"] is None
    assert data(call("GET", "/v1/memories"))["count"] == 2


def test_buffers_are_counted_and_cleared(call: Call) -> None:
    for session in ("a", "b"):
        say(call, "x", session)
    say(call, "x", "c", user="bob")
    stats = data(call("GET", "/v1/memory/stats", key="admin"))
    assert (stats["total_entries"], stats["total_users"], stats["total_sessions"]) == (6, 2, 3)
    assert data(call("GET", "/v1/memory/buffer"))["total_messages"] == 4
    assert data(call("DELETE", "/v1/memory/buffer/a"))["messages_cleared"] == 2
    assert data(call("DELETE", "/v1/memory/buffer/a"))["messages_cleared"] == 0
    cleared = data(call("DELETE", "/v1/memory/buffer"))
    assert (cleared["messages_cleared"], cleared["sessions_cleared"]) == (2, 1)
    assert data(call("GET", "/v1/sessions"))["sessions"] == []
    assert data(call("DELETE", "/v1/memory/buffers", key="admin"))["messages_cleared"] == 2
    assert data(call("GET", "/v1/memory/buffers", key="admin"))["buffers"][0]["total_entries"] == 0


def test_the_admin_who_names_nobody_clears_the_buffers_of_all(call: Call) -> None:
    for user in ("alice", "bob"):
        for session in ("a", "b"):
            say(call, "x", session, user=user)
    assert data(call("DELETE", "/v1/memory/buffer/a", key="admin", user=None))["messages_cleared"] == 4
    cleared = data(call("DELETE", "/v1/memory/buffer", key="admin", user=None))
    assert (cleared["user_id"], cleared["messages_cleared"], cleared["sessions_cleared"]) == (None, 4, 2)


def test_requests_are_remembered_for_five_minutes(clock: ManualClock, call: Call) -> None:
    data(call("POST", "/v1/chat", {"message": "x", "stream": False, "request_id": "r"}))
    say(call, "x", "s", user="bob")
    assert [request["request_id"] for request in data(call("GET", "/v1/requests"))["requests"]] == ["r"]
    assert data(call("GET", "/v1/requests", key="admin", user=None))["count"] == 2
    refused = data(call("DELETE", "/v1/requests/r"), 400)
    assert (refused["code"], refused["message"]) == ("OPERATION_FAILED", "Cannot cancel request r: already completed")
    assert data(call("GET", "/v1/requests/r", user="bob"), 403)["code"] == "FORBIDDEN"
    clock.advance(300)
    assert data(call("GET", "/v1/requests/r"))["status"] == "completed"
    clock.advance(1)
    assert data(call("GET", "/v1/requests/r"), 404)["code"] == "REQUEST_NOT_FOUND"
    assert data(call("DELETE", "/v1/requests/r"), 404)["code"] == "NOT_FOUND"


def test_an_id_that_is_used_again_takes_the_place_of_the_earlier_request(call: Call) -> None:
    for message in ("one", "two"):
        data(call("POST", "/v1/chat", {"message": message, "stream": False, "request_id": "r"}))
    assert data(call("GET", "/v1/requests"))["count"] == 1
    assert data(call("GET", "/v1/requests/r"))["result"] == "You said: two"


@pytest.mark.parametrize("seed", [1, "one"])
def test_a_seed_repeats_the_ids(seed: int | str) -> None:
    one, other = EmbeddedFormation(seed=seed), EmbeddedFormation(seed=seed)
    assert [one.ids.new("req_") for _ in range(3)] == [other.ids.new("req_") for _ in range(3)]
    assert len(one.ids.new()) == 21
