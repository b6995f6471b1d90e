"""What the wire allows in a query is checked before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from muxi.call import Limit
from muxi.errors import ValidationError
from muxi.exchange.outgoing import check_limits
from muxi.operations.limits import Choice, Range
from tests.answers import Colour, Playback, answer

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("get_memories", {"user_id": "u", "limit": 0}, "query.limit"),
    ("get_memories", {"user_id": "u", "limit": 101}, "query.limit"),
    ("get_memories", {"user_id": "u", "offset": -1}, "query.offset"),
    ("get_memories", {"user_id": "u", "scopes": "user,galaxy"}, "query.scopes"),
    ("get_sessions", {"user_id": "u", "limit": 0}, "query.limit"),
    ("get_sessions", {"user_id": "u", "limit": 1001}, "query.limit"),
    ("get_session_messages", {"session_id": "s", "user_id": "u", "limit": 1001}, "query.limit"),
    ("get_history", {"user_id": "u", "limit": 101}, "query.limit"),
    ("get_artifacts", {"user_id": "u", "limit": 101}, "query.limit"),
    ("get_audit_log", {"limit": 1001}, "query.limit"),
    ("get_audit_log", {"limit": True}, "query.limit"),
    ("get_audit_log", {"resource_type": "user"}, "query.resource_type"),
]


@pytest.mark.parametrize(("method", "arguments", "field"), WRONG)
def test_a_value_out_of_range_is_told_before_sending(
    colour: Colour, method: str, arguments: dict[str, Any], field: str
) -> None:
    playback = Playback()
    with pytest.raises(ValidationError, match=field) as refused:
        colour.run(getattr(colour.formation(playback), method), **arguments)
    assert [problem["field"] for problem in refused.value.details["validation_errors"]] == [field]
    assert refused.value.status_code == 0
    assert playback.requests == []


def test_the_ends_of_a_range_are_in_it(colour: Colour) -> None:
    playback = Playback(answer(), answer())
    client = colour.formation(playback)
    colour.run(client.get_memories, "u", 1, offset=0, scopes="user, Group")
    colour.run(client.get_memories, "u", 100)
    assert len(playback.requests) == 2


def test_every_wrong_parameter_is_told() -> None:
    limits: dict[str, Limit] = {"limit": Range(1, 100), "offset": Range(0), "kind": Choice(("a", "b"))}
    with pytest.raises(ValidationError) as refused:
        check_limits(limits, {"limit": "many", "offset": -1, "kind": 3, "other": object()})
    assert refused.value.details["validation_errors"] == [
        {"field": "query.limit", "msg": "Must be a whole number, not 'many'."},
        {"field": "query.offset", "msg": "Must be greater than or equal to 0."},
        {"field": "query.kind", "msg": "Must be one of: a, b; not 3."},
    ]


def test_what_is_not_given_is_not_checked() -> None:
    check_limits({"limit": Range(1, 100)}, {"limit": None})
    check_limits({"limit": Range(1, 100)}, {})
