"""Asking for a text, and conversations that keep their session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from muxi import AsyncFormationClient, FormationClient, ListTruncated, ValidationError
from tests.answers import Colour


def test_ask_returns_the_text(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    script = answers(reply("Tea."))
    ask = lambda client: client.ask("Tea?", user_id="ada", session_id="s", agent_id="desk", files=[b"x"])  # noqa: E731
    assert both(ask, script) == "Tea."
    (body,) = script.bodies
    assert (body["message"], body["session_id"], body["agent_id"], body["stream"]) == ("Tea?", "s", "desk", False)
    assert len(body["files"]) == 1
    assert script.requests[0].headers["X-Muxi-User-ID"] == "ada"


def test_ask_sends_no_more_than_it_was_given(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    script = answers(reply("Tea."))
    both(lambda client: client.ask("Tea?"), script)
    assert script.bodies[0].keys() == {"message", "stream", "request_id"}


def test_ask_says_that_the_answer_is_yet_to_come(both: Any, answers: Callable[..., Any]) -> None:
    message = {"status": "processing", "request_id": "req_b", "message": "Running in the background."}
    script = answers({"message": message, "user_id": "ada", "session_id": None, "request_id": None})
    with pytest.raises(ValidationError, match="wait_for_request") as caught:
        both(lambda client: client.ask("Tea?"), script)
    assert (caught.value.code, caught.value.request_id) == ("ANSWER_PENDING", "req_b")


@pytest.mark.parametrize("message", [None, 3, {"message": "x"}])
def test_what_is_no_message_is_refused(both: Any, answers: Callable[..., Any], message: Any) -> None:
    script = answers()
    with pytest.raises(ValidationError):
        both(lambda client: client.ask(message), script)
    assert not script.requests


def test_a_conversation_keeps_its_session(memory: Any, colour: Colour) -> None:
    client = memory()
    talk = client.conversation(user_id="ada")
    assert colour.run(talk.ask, "Hello") == "You said: Hello"
    assert "".join(event["text"] for event in colour.collect(talk.stream, "Again") if event["type"] == "text") == (
        "You said: Again"
    )
    said = [message["text"] for message in colour.run(talk.messages)]
    assert said == ["Hello", "You said: Hello", "Again", "You said: Again"]
    other = client.conversation(user_id="ada")
    assert other.session_id != talk.session_id
    assert colour.run(other.messages) == []
    resumed = client.conversation(user_id="ada", session_id=talk.session_id)
    assert len(colour.run(resumed.messages)) == 4
    colour.run(talk.clear)
    assert colour.run(resumed.messages) == []


def test_a_conversation_shows_whose_it_is(colour: Colour) -> None:
    talk = colour.formation().conversation(user_id="ada", session_id="s-1", agent_id="desk")
    assert repr(talk).endswith("Conversation of 'ada' in session 's-1'>")
    assert (talk.user_id, talk.session_id, talk.agent_id) == ("ada", "s-1", "desk")


@pytest.mark.parametrize(
    "ids", [{"user_id": ""}, {"user_id": None}, {"user_id": "a", "session_id": " "}, {"user_id": 3}]
)
def test_a_conversation_refuses_what_is_no_id(colour: Colour, ids: Any) -> None:
    with pytest.raises(ValidationError, match=r"(user|session)_id takes a text"):
        colour.formation().conversation(**ids)


@pytest.fixture
def memory(colour: Colour) -> Callable[[], Any]:
    from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport

    kinds: Any = (
        (AsyncFormationClient, AsyncMemoryTransport)
        if type(colour).__name__.startswith("Async")
        else (FormationClient, MemoryTransport)
    )
    return lambda: kinds[0](transport=kinds[1](EmbeddedFormation()))


def test_a_conversation_that_is_too_long_to_list_says_so(colour: Colour) -> None:
    from tests.answers import Playback, answer

    page = {"session_id": "s", "messages": [], "count": 0, "has_more": True}
    talk = colour.formation(Playback(answer(page))).conversation(user_id="ada", session_id="s")
    with pytest.raises(ListTruncated):
        colour.run(talk.messages)
