"""Payloads are checked before anything is sent, with every wrong field named."""

from __future__ import annotations

from typing import Any

import marshmallow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import fields

from muxi import ValidationError, hookimpl
from muxi.call import Call, Key
from muxi.schemas import _MODULES, SchemaRegistry, _request_fits, _request_schema
from tests.answers import Colour, Playback, answer, chat_answer


def problems(call: Call[Any], registry: SchemaRegistry | None = None) -> dict[str, str]:
    """The fields that are wrong with a call, and what is wrong with each."""
    try:
        (registry or SchemaRegistry()).check_request(call)
    except ValidationError as error:
        return {it["field"]: it["msg"] for it in error.details["validation_errors"]}
    return {}


def chat(body: Any) -> Call[Any]:
    return Call("POST", "/chat", body=body, accepts="ChatRequest", operation="chat")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"message": "x"}, set()),
        ({"message": "x", "session_id": None, "files": [{"filename": "a"}], "new_field": [1]}, set()),
        ({"message": "x", "ui_response": {"id": "u", "value": None}}, set()),
        ({"message": "x", "ui_response": {"id": "u"}}, {"ui_response.value"}),
        ({}, {"message"}),
        ({"message": None}, {"message"}),
        ({"message": 5, "agent_id": [], "stream": "perhaps"}, {"message", "agent_id", "stream"}),
        ({"message": "x", "files": ["a"]}, {"files.0"}),
        ({"message": "x", 7: "y"}, {"7"}),
        ("text", {""}),
        (None, {""}),
        ([], {""}),
    ],
)
def test_every_wrong_field_of_a_chat_is_named(body: Any, wrong: set[str]) -> None:
    assert problems(chat(body)).keys() == wrong


def test_nothing_is_sent_where_a_payload_does_not_fit(colour: Colour) -> None:
    play = Playback()
    client = colour.formation(play)
    with pytest.raises(ValidationError, match=r"INVALID_PAYLOAD: mode: Not a valid string. \[chat \(POST /chat\)"):
        colour.run(client.chat, {"message": "x", "mode": 1})
    with pytest.raises(ValidationError, match=r"\[chat_stream"):
        colour.run(client.chat_stream, {"message": 1})
    with pytest.raises(ValidationError, match="a message or a mapping"):
        colour.run(client.chat, 5)
    with pytest.raises(ValidationError, match="Give 'content' or 'detail'"):
        colour.run(client.add_memory, user_id="ada")
    messages = [{"role": "user", "content": "x", "timestamp": "2026-01-01"}, {"role": "user", "content": "x"}]
    with pytest.raises(ValidationError, match=r"messages\.1\.timestamp"):
        colour.run(client.restore_session, "s", "ada", messages)
    assert not play.requests


class Strict(marshmallow.Schema):
    class Meta:
        unknown = marshmallow.INCLUDE

    message = fields.String(required=True, validate=marshmallow.validate.Length(max=3))


@pytest.mark.parametrize("schema", [Strict, Strict()])
def test_a_plugin_tightens_the_schema_of_an_operation(colour: Colour, schema: Any) -> None:
    class Tightens:
        @hookimpl
        def muxi_register_schemas(self, registry: SchemaRegistry) -> None:
            registry.replace_request("chat", schema)

    play = Playback(chat_answer())
    client = colour.formation(play, plugins=[Tightens()])
    colour.run(client.chat, "abc")
    with pytest.raises(ValidationError, match="Longer than maximum length 3"):
        colour.run(client.chat, "abcd")
    assert len(play.requests) == 1


def test_a_schema_can_be_given_to_an_operation_that_had_none(colour: Colour) -> None:
    class Adds:
        @hookimpl
        def muxi_register_schemas(self, registry: SchemaRegistry) -> None:
            registry.replace_request("shout", Strict)

    client = colour.formation(answer({}), plugins=[Adds()])
    call: Call[Any] = Call("POST", "/shout", body={"message": "abcd"}, operation="shout", key=Key.NONE)
    with pytest.raises(ValidationError, match="Longer than maximum"):
        colour.run(client.send, call)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
#: A body of each schema that its compiled test accepts, with every kind of field that the schema knows.
FITTING: dict[str, dict[str, Any]] = {
    "AudioChatRequest": {"files": [{"content": "AA==", "content_type": "audio/ogg", "size": 1}], "stream": False},
    "ChannelsUpdate": {"channels": {"mail": {"to": "a@b.example"}}, "preferred_channel": "mail", "timezone": None},
    "ChatRequest": {
        "message": "x" * 100_000,
        "session_id": "s",
        "stream": False,
        "files": [{"filename": "a", "content": "AA==", "content_type": "text/plain", "size": 52 * 1024 * 1024}],
        "ui_response": {"id": "w", "value": [1]},
    },
    "CredentialCreate": {"service": "github", "credential": {"token": "t"}, "name": None},
    "DistilledBatch": {"batch_id": "b", "events": [{"a": 1}], "embedding_mode": "none"},
    "DistilleryRegister": {"name": "n", "public_key": "k", "scope": {"a": 1}},
    "IdentifiersLink": {"identifiers": ["a", {"b": 1}], "muxi_user_id": None},
    "KnowledgeRebuild": {"agent_id": "a", "source_id": None},
    "KnowledgeSync": {"source_id": "s"},
    "MemoryBackfill": {"user_id": "u"},
    "MemoryBatch": {"items": [{"content": [1], "scope": "group", "source": "x"}]},
    "MemoryCreate": {"content": "x", "type": "preference", "metadata": {"a": 1}, "source": "gmail"},
    "MemoryForget": {"user_id": "u", "source": "s", "reason": "r", "rebuild": True},
    "MemoryIngest": {"content": "x", "source": "gmail", "subject": None},
    "MemoryLint": {"user_id": None},
    "MemoryRebuild": {"user_id": "u", "projection": None, "dry_run": True},
    "NotificationRequest": {"user_id": "u", "message": " x", "channels": ["mail"]},
    "SchedulerJobCreate": {"type": "recurring", "schedule": "0 9 * * *", "message": "x"},
    "SchedulerJobUpdate": {"title": "t"},
    "SecretCreate": {"key": "K", "value": ""},
    "SecretUpdate": {"value": "v"},
    "SessionRestore": {"messages": [{"role": "user", "content": "x", "timestamp": "t", "metadata": None}]},
    "TriggerRequest": {"data": {}, "use_async": True, "session_id": None},
    "TuningReplace": {"content": "ä" * 16384},
    "UserResolve": {"identifier": "a", "identifier_type": None},
}


@given(data=st.data(), name=st.sampled_from(sorted(_MODULES)))
def test_what_is_let_through_without_marshmallow_it_lets_through_too(data: st.DataObject, name: str) -> None:
    body: Any = dict(FITTING[name])
    names = [*_request_schema(name).fields, "unknown", "a.b"]
    nested = st.sampled_from(
        ["filename", "content", "content_type", "size", "role", "timestamp", "metadata", "id", "value"]
    )
    value = ANYTHING | st.lists(st.dictionaries(nested, ANYTHING, max_size=3), max_size=2)
    body |= data.draw(st.dictionaries(st.sampled_from(names), value, max_size=3))
    for dropped in data.draw(st.sets(st.sampled_from(names), max_size=2)):
        body.pop(dropped, None)
    if _request_fits(name, body):
        assert _request_schema(name).validate(body) == {}


@pytest.mark.parametrize("name", sorted(_MODULES))
def test_common_payloads_need_no_marshmallow(name: str) -> None:
    assert _request_fits(name, FITTING[name])
    assert _request_schema(name).validate(FITTING[name]) == {}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("ChatRequest", {"message": None}),
        ("ChatRequest", {"message": b"x"}),
        ("ChatRequest", {"message": "x" * 100_001}),
        ("ChatRequest", {"message": "x", "files": ({},)}),
        ("ChatRequest", {"message": "x", "threshold_seconds": 1}),
        ("ChatRequest", {"message": "x", 1: None}),
        ("ChatRequest", [("message", "x")]),
        ("MemoryCreate", {"content": "x", "scope": "group"}),
        ("MemoryCreate", {"content": "x", "detail": "y"}),
        ("MemoryBatch", {"items": []}),
        ("SessionRestore", {"messages": ({},)}),
        ("TuningReplace", {"content": "ä" * 16385}),
        ("Unheard", {"a": 1}),
    ],
)
def test_whatever_is_less_common_is_left_to_the_schema(name: str, body: Any) -> None:
    assert not _request_fits(name, body)
