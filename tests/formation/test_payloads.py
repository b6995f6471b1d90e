"""Payloads are checked before anything is sent, and every wrong field is told by its path."""

from __future__ import annotations

from typing import Any

import pytest

from muxi.errors import ValidationError
from muxi.schemas import _MODULES
from tests.answers import Colour, Playback, answer
from tests.formation.methods import calls

WRONG: list[tuple[str, dict[str, Any], set[str]]] = [
    ("add_memory", {"user_id": "u"}, {""}),
    ("add_memory", {"user_id": "u", "content": "x", "scope": "galaxy", "metadata": 3}, {"scope", "metadata"}),
    ("add_memory", {"user_id": "u", "content": "x", "scope": "group"}, {"scope_id"}),
    ("ingest_memory", {"user_id": "u", "content": "x", "source": ""}, {"source"}),
    ("ingest_memories", {"user_id": "u", "items": []}, {"items"}),
    ("ingest_memories", {"user_id": "u", "items": [{}] * 101}, {"items"}),
    ("ingest_memories", {"user_id": "u", "items": [{}, {"source": 3}, "x"]}, {"items.1.source", "items.2"}),
    (
        "create_credential",
        {"user_id": "u", "payload": {"service": "my svc", "credential": []}},
        {"service", "credential"},
    ),
    ("create_credential", {"user_id": "u", "payload": "x"}, {""}),
    ("create_scheduler_job", {"job_type": "hourly", "schedule": 5, "message": None}, {"type", "schedule", "message"}),
    ("update_scheduler_job", {"job_id": "j", "title": 5, "schedule": 6}, {"title", "schedule"}),
    ("fire_trigger", {"name": "t", "data": [1]}, {"data"}),
    ("fire_trigger", {"name": "t", "data": "text", "session_id": 5}, {"data", "session_id"}),
    ("create_secret", {"key": 1, "value": 2}, {"key", "value"}),
    ("update_secret", {"key": "K", "value": None}, {"value"}),
    ("replace_tuning", {"content": 5}, {"content"}),
    ("replace_tuning", {"content": "ü" * 16385}, {"content"}),
    ("resolve_user", {"identifier": 5}, {"identifier"}),
    ("link_user_identifier", {"muxi_user_id": 5, "identifiers": "z"}, {"muxi_user_id", "identifiers"}),
    (
        "update_user_channels",
        {"user_id": "u", "timezone": 5, "channels": {"telegram": "1"}},
        {"timezone", "channels.telegram"},
    ),
    ("send_notification", {"user_id": "u", "message": "  "}, {"message"}),
    ("send_notification", {"user_id": 5, "message": "m", "channels": ["last", 5]}, {"user_id", "channels.1"}),
    ("rebuild_memory", {"user_id": 5, "dry_run": "perhaps"}, {"user_id", "dry_run"}),
    ("forget_memory_source", {"user_id": "u", "source": 5, "rebuild": "x"}, {"source", "rebuild"}),
    ("backfill_memory", {"user_id": 5}, {"user_id"}),
    ("lint_memory", {"user_id": 5}, {"user_id"}),
    ("register_distillery", {"name": 5, "public_key": 6, "scope": 7}, {"name", "public_key", "scope"}),
    ("rebuild_knowledge", {"agent_id": 5, "source_id": 6}, {"agent_id", "source_id"}),
    ("sync_agent_knowledge", {"agent_id": "a", "source_id": 6}, {"source_id"}),
    (
        "ingest_distilled",
        {"batch": {"batch_id": "", "events": [], "embedding_mode": "zzz"}, "distillery_id": "d", "sign": bytes},
        {"batch_id", "events", "embedding_mode"},
    ),
    (
        "restore_session",
        {"session_id": "s", "user_id": "u", "messages": [{"role": "user"}]},
        {"messages.0.content", "messages.0.timestamp"},
    ),
]


@pytest.mark.parametrize(("method", "arguments", "fields"), WRONG)
def test_every_wrong_field_is_told_before_sending(
    colour: Colour, method: str, arguments: dict[str, Any], fields: set[str]
) -> None:
    playback = Playback()
    with pytest.raises(ValidationError) as refused:
        colour.run(getattr(colour.formation(playback), method), **arguments)
    assert {problem["field"] for problem in refused.value.details["validation_errors"]} == fields
    assert refused.value.call is not None
    assert method in refused.value.call
    assert playback.requests == []


def test_each_schema_is_tried_here_or_with_the_chats() -> None:
    made = calls()
    tried = {made[method].accepts for method, _, _ in WRONG}
    assert set(_MODULES) - tried == {"KnowledgeSync", "ChatRequest", "AudioChatRequest"}


def test_what_the_sdk_does_not_know_is_let_through(colour: Colour) -> None:
    playback = Playback(answer(), answer())
    client = colour.formation(playback)
    colour.run(client.create_credential, "u", {"service": "s", "credential": {"token": "t"}, "flavour": "new"})
    assert playback.body()["flavour"] == "new"
    colour.run(client.ingest_memories, [{"content": "c", "source": "s", "flavour": {"a": (1, 2)}}], user_id="u")
    assert playback.body()["items"][0]["flavour"] == {"a": [1, 2]}


def test_every_schema_that_a_call_names_is_there() -> None:
    assert {call.accepts for call in calls().values()} - set(_MODULES) == {None}
