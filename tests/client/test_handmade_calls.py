"""Calls that users make as values are refused for a wrong field before anything is sent."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from muxi import Call, StreamCall, ValidationError
from muxi.call import Key, Repeat
from tests.answers import Colour, Playback, json_answer
from tests.client.test_wrong_arguments import STRANGE

#: Fields whose values go into the request as they are, or whose annotation takes any.
LEFT_OUT = {
    "body": "anything that JSON has; tests/client/test_wrong_arguments.py tries it",
    "content": "as the body",
}
FITTING: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("operation", "accepts", "returns", "into", "cancel", "user_id"), (str,)),
    **dict.fromkeys(("user_required", "tracked", "plain_text", "turn"), (bool,)),
    **dict.fromkeys(("params", "query", "headers", "limits"), (dict,)),
    "timeout": (int, float),
    "beside": (tuple,),
    "events": (str,),
}
OPTIONAL = ("user_id", "repeat", "accepts", "returns", "timeout", "into", "progress", "cancel")


def fields_of(kind: type[Call[Any]]) -> list[str]:
    return [name for name in inspect.signature(kind).parameters if name not in LEFT_OUT]


def is_taken(name: str, value: object) -> bool:
    """Return whether a value is of the type of its field: what is wrong about it is said by later checks."""
    if value is None:
        return name in OPTIONAL
    if name == "progress":
        return callable(value)
    return type(value) in FITTING.get(name, ())


@pytest.mark.parametrize(
    ("kind", "name"),
    [*((Call, name) for name in fields_of(Call)), *((StreamCall, name) for name in ("events", "cancel"))],
)
def test_a_wrong_field_of_a_call_is_named_before_anything_is_sent(
    kind: type[Call[Any]], name: str, colour: Colour
) -> None:
    play = Playback()
    client = colour.formation(play)
    refused = []
    for what, value in STRANGE.items():
        if is_taken(name, value):  # its own check may refuse it later, or the server
            continue
        with pytest.raises(ValidationError) as caught:
            colour.run(client.send, kind(**{"method": "GET", "path": "/agents", name: value}))
        assert caught.value.code == "INVALID_PARAMETER", what
        assert str(caught.value.message).startswith(name), what
        refused.append(what)
    assert len(refused) > len(STRANGE) // 2
    assert play.requests == []


@pytest.mark.parametrize("call", [None, 5, "GET /agents", object(), Call])
def test_what_is_no_call_is_not_sent(call: Any, colour: Colour) -> None:
    play = Playback(json_answer(200, {}))

    with pytest.raises(ValidationError, match="call takes a Call, got"):
        colour.run(colour.formation(play).send, call)

    assert play.requests == []


@pytest.mark.parametrize(
    "call",
    [
        Call("get", "/agents"),
        Call("GET /", "/agents"),
        Call("", "/agents"),
        Call("GET", "agents"),
        Call("GET", "//elsewhere.example/agents"),
        Call("GET", "/agents?limit=1"),
        Call("GET", "/agents/../secrets"),
        Call("GET", "/agents/with space"),
        Call("GET", "/agents", query={"limit": float("nan")}),
        Call("POST", "/agents", accepts="NoSuchSchema", body={}),
    ],
    ids=repr,
)
def test_a_call_that_cannot_be_sent_as_it_stands_is_refused(call: Call[Any], colour: Colour) -> None:
    play = Playback(json_answer(200, {}))

    with pytest.raises(ValidationError):
        colour.run(colour.formation(play).send, call)

    assert play.requests == []


def test_a_call_with_its_right_fields_is_sent(colour: Colour) -> None:
    play = Playback(json_answer(200, {"agents": []}))
    call: Call[Any] = Call(
        "GET",
        "/agents/{agent_id}",
        params={"agent_id": "desk"},
        query={"limit": 1, "rate": 0.5},
        headers={"X-One": "1"},
        key=Key.ADMIN,
        repeat=Repeat.SAFE,
        timeout=5,
    )

    colour.run(colour.formation(play).send, call)

    assert [request.url.partition("/v1")[2] for request in play.requests] == ["/agents/desk?limit=1&rate=0.5"]
