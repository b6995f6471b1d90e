"""Redaction: which texts are given to the function, and that nothing of them is sent."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muxi import ConfigurationError, FormationClient, MuxiError, PluginError, hookimpl
from muxi.call import Call, Key
from muxi.plugins import Redaction, mask_emails_and_numbers
from muxi.transport import BytesBody, Request
from muxi_transports.memory import EmbeddedFormation, MemoryTransport
from tests.answers import AsyncColour, Colour, Playback, answer, chat_answer, chat_events, refused


def _shout(text: str) -> str:
    return text.upper()


def _sent(colour: Colour, body: Any, **arguments: Any) -> Any:
    playback = Playback(answer({}))
    client = colour.formation(playback, plugins=[Redaction(_shout, **arguments)])
    colour.run(client.send, Call.post("/any", body=body, key=Key.NONE))
    return playback.body()


def test_messages_are_redacted_and_ids_are_not(colour: Colour) -> None:
    playback = Playback(chat_answer())
    client = colour.formation(playback, plugins=[Redaction(_shout)])
    request = {
        "message": "ada's cat",
        "session_id": "ses_a",
        "mode": "fast",
        "ui_response": {"id": "w_a", "value": ["b"]},
    }
    before = copy.deepcopy(request)
    colour.run(client.chat, request, user_id="ada")
    sent = playback.body()
    assert (sent["message"], sent["session_id"], sent["mode"]) == ("ADA'S CAT", "ses_a", "fast")
    assert sent["ui_response"] == {"id": "w_a", "value": ["B"]}
    assert playback.request.headers["X-Muxi-User-ID"] == "ada"
    assert request == before


def test_memories_sessions_triggers_and_streams_are_redacted(colour: Colour) -> None:
    playback = Playback(answer({}), answer({}), answer({}), chat_events("x"))
    client = colour.formation(playback, plugins=[Redaction(_shout)])
    colour.run(client.add_memory, "likes tea", user_id="ada")
    assert playback.body()["content"] == "LIKES TEA"
    messages = [
        {
            "role": "user",
            "content": "hi",
            "timestamp": "2026-01-01T00:00:00z",
            "metadata": {"note": "x", "agent_id": "a"},
        }
    ]
    colour.run(client.restore_session, session_id="ses_a", messages=messages, user_id="ada")
    assert playback.body()["messages"] == [
        {
            "role": "user",
            "content": "HI",
            "timestamp": "2026-01-01T00:00:00z",
            "metadata": {"note": "X", "agent_id": "a"},
        }
    ]
    colour.run(
        client.fire_trigger,
        "order",
        {"who": {"name": "ada", "ids": ["a"]}, "lines": [{"item": "tea", "price": 3}]},
        user_id="ada",
    )
    assert playback.body()["data"] == {"who": {"name": "ADA", "ids": ["a"]}, "lines": [{"item": "TEA", "price": 3}]}
    colour.collect(client.chat_stream, "hi", user_id="ada")
    assert playback.body()["message"] == "HI"


def test_files_uploads_and_bodies_of_the_callers_own_are_left_alone(colour: Colour) -> None:
    body = {"message": "a", "files": [{"filename": "a.txt", "content": "aGk="}]}
    assert _sent(colour, body) == {"message": "A", "files": [{"filename": "a.txt", "content": "aGk="}]}
    playback = Playback(answer({}))
    client = colour.formation(playback, plugins=[Redaction(_shout)])
    colour.run(client.send, Call.post("/any", content=b'{"message": "a"}', key=Key.NONE))
    assert playback.body() == {"message": "a"}


def test_fields_say_what_is_content(colour: Colour) -> None:
    body = {"message": "a", "identifier": "b", "nested": [{"user_id": "c"}]}
    assert _sent(colour, body, fields=["identifier", "user_id"]) == {
        "message": "a",
        "identifier": "B",
        "nested": [{"user_id": "C"}],
    }


def test_the_length_and_the_signature_are_those_of_what_is_sent(colour: Colour) -> None:
    playback = Playback(answer({}))
    client = colour.server(playback, plugins=[Redaction(lambda text: text * 3)])
    colour.run(client.send, Call.post("/rpc/any", body={"message": "é"}, key=Key.SIGNATURE))
    body = playback.request.body
    assert body is not None
    content = b"".join(body.chunks())
    assert json.loads(content) == {"message": "ééé"}
    assert body.length == len(content)
    assert playback.request.headers["Authorization"].startswith("MUXI-HMAC ")


def test_it_is_asked_once_over_all_attempts(colour: Colour) -> None:
    asked: list[str] = []

    def number(text: str) -> str:
        asked.append(text)
        return f"{len(asked)}"

    bodies: list[Any] = []

    def refuse(request: Request) -> Any:
        assert request.body is not None
        bodies.append(json.loads(b"".join(request.body.chunks()))["message"])
        raise refused()

    client = colour.formation(refuse, refuse, refuse, plugins=[Redaction(number)], max_retries=2)
    with pytest.raises(MuxiError):
        colour.run(client.chat, "hi", user_id="ada")
    assert (asked, bodies) == (["hi"], ["1", "1", "1"])


def test_it_sees_what_other_plugins_have_put_in(colour: Colour) -> None:
    from muxi.transport import BytesBody

    class Adds:
        @hookimpl
        def muxi_prepare_request(self, request: Request) -> None:
            request.body = BytesBody(b'{"message": "added"}')

    playback = Playback(chat_answer())
    colour.run(colour.formation(playback, plugins=[Redaction(_shout), Adds()]).chat, "hi", user_id="ada")
    assert playback.body() == {"message": "ADDED"}


def test_a_function_that_raises_fails_the_call_and_nothing_is_sent(colour: Colour) -> None:
    def fails(text: str) -> str:
        raise LookupError("no recogniser")

    client = colour.formation(plugins=[Redaction(fails)])
    with pytest.raises(
        PluginError, match=r"'muxi.redaction' failed in muxi_prepare_request: LookupError: no recogniser"
    ):
        colour.run(client.chat, "hi", user_id="ada")


@pytest.mark.parametrize("found", [None, b"x", 5])
def test_a_function_that_returns_no_text_fails_the_call(colour: Colour, found: Any) -> None:
    client = colour.formation(plugins=[Redaction(lambda _: found)])
    with pytest.raises(ConfigurationError, match=f"redact= returned {type(found).__name__} instead of a text"):
        colour.run(client.chat, "hi", user_id="ada")


def test_an_async_function_works_on_an_async_client_and_is_refused_on_a_sync_one() -> None:
    async def shout(text: str) -> str:
        return text.upper()

    colour, playback = AsyncColour(), Playback(answer({}), answer({}))
    redaction = Redaction(shout)
    client = colour.formation(playback, plugins=[redaction])
    colour.run(client.add_memory, "likes tea", user_id="ada")
    assert playback.body()["content"] == "LIKES TEA"
    colour.end()
    with pytest.raises(ConfigurationError, match="redact= is an async function, which a sync client cannot await"):
        Colour().formation(plugins=[redaction]).add_memory("likes tea", user_id="ada")


def test_a_call_without_a_body_is_none_of_its_business(colour: Colour) -> None:
    def fails(text: str) -> str:
        raise LookupError("no")

    colour.run(colour.formation(answer({}), plugins=[Redaction(fails)]).get_memories, "ada")


def test_the_formation_gets_nothing_else() -> None:
    formation = EmbeddedFormation()
    client = FormationClient(
        transport=MemoryTransport(formation),
        client_key="any",
        url="http://memory",
        plugins=[Redaction(mask_emails_and_numbers)],
    )
    answered = client.chat("Write to ada@example.com or call +49 (30) 1234-5678", user_id="ada")
    assert "Write to [email] or call [number]" in json.dumps(answered)
    assert "example.com" not in json.dumps(answered)


#: Half of a surrogate pair cannot be sent.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda children: (
        st.lists(children) | st.dictionaries(st.sampled_from(["message", "data", "id", "files", "x"]) | _TEXT, children)
    ),
    max_leaves=20,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_JSON)
def test_a_function_that_changes_nothing_leaves_everything_as_it_is(body: Any) -> None:
    playback = Playback(answer({}))
    client = Colour().formation(playback, plugins=[Redaction(lambda text: text)])
    client.send(Call.post("/any", body={"data": body}, key=Key.NONE))
    assert playback.body() == {"data": body}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("ada.lovelace+home@mail.example.co.uk, please", "[email], please"),
        ("+49 30 1234567", "[number]"),
        ("(030) 123-4567!", "[number]!"),
        ("4111 1111 1111 1111.", "[number]."),
        ("DE89 3704 0044 0532 0130 00", "[number]"),
        ("call 110", "call 110"),
        ("in 2026 there were 12.5 %", "in 2026 there were 12.5 %"),
        ("v1.2.3 of room 4711", "v1.2.3 of room 4711"),
        ("me@home", "me@home"),
        *((f"{name}@a.bc", "[email]") for name in ("a", "a.b", "a+b", "a%b", "a-b", "a_b", "1")),
        ("a@b-c.d-e.fg!", "[email]!"),
        ("ä@b.cd", "[email]"),
        ("<a@b.c>", "<[email]>"),
        ("a@b.", "a@b."),
        ("@b.cd", "@b.cd"),
        ("123456", "123456"),
        ("1234567", "[number]"),
        ("1 2.3/4-5(6)7", "[number]"),
        ("1  2  3  4  5  6  7", "[number]"),
        ("1   2   3   4   5   6   7", "1   2   3   4   5   6   7"),
        ("1,2,3,4,5,6,7", "1,2,3,4,5,6,7"),
        ("a1234567", "a1234567"),
        (".1234567", ".1234567"),
        ("1234567a", "1234567a"),
        ("DE89" + "A" * 11, "[number]"),
        ("DE89" + "A" * 10, "DE89" + "A" * 10),
        ("DE89" + "A" * 30, "[number]"),
        ("DE89" + "A" * 31, "DE89" + "A" * 31),
        ("DE89-A-B-C-D-E-F-G-H-I-J-K", "[number]"),
        ("de89" + "A" * 11, "de89" + "A" * 11),
        ("D89" + "A" * 11, "D89" + "A" * 11),
        ("DE8" + "A" * 12, "DE8" + "A" * 12),
        ("", ""),
    ],
)
def test_what_looks_like_an_email_or_a_long_number_is_masked(text: str, masked: str) -> None:
    assert mask_emails_and_numbers(text) == masked


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"redact": None}, "redact= takes a function"),
        ({"redact": "mask"}, "redact="),
        ({"redact": _shout, "fields": "message"}, "fields= takes a collection"),
        ({"redact": _shout, "fields": []}, "fields= takes names that are not empty, and at least one"),
        ({"redact": _shout, "fields": [5]}, "fields="),
        ({"redact": _shout, "name": ""}, "name="),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Redaction(**arguments)


#: Names below a field of content whose values are none.
NO_CONTENT = ("id", "ids", "timestamp", "type", "role", "files")


def near(names: tuple[str, ...]) -> list[str]:
    """Each name with one letter left out, unless it is one of the names then."""
    found = {name[:at] + name[at + 1 :] for name in names for at in range(len(name))}
    return sorted(found - {*names, ""})


def test_ids_kinds_times_and_files_below_a_field_are_no_content(colour: Colour) -> None:
    names = [*NO_CONTENT, "agent_id", "agent_ids", "created_timestamp", "ID", "Agent_Id", "TYPE"]
    body = {"content": dict.fromkeys(names, "text")}
    assert _sent(colour, body) == body


def test_names_that_are_nearly_those_are_content(colour: Colour) -> None:
    names = [*near(NO_CONTENT), "kids", "paid", "mistype", "a_type", "a_role", "typerole", "rolefiles", "ids2"]
    assert _sent(colour, {"content": dict.fromkeys(names, "text")}) == {"content": dict.fromkeys(names, "TEXT")}


@pytest.mark.parametrize("field", ["content", "data", "detail", "message", "metadata", "text", "title", "ui_response"])
def test_each_field_of_content_is_redacted(colour: Colour, field: str) -> None:
    assert _sent(colour, {field: "text", "other": "text"}) == {field: "TEXT", "other": "text"}


def test_files_are_content_only_where_they_are_asked_for(colour: Colour) -> None:
    body = {"files": [{"name": "text"}], "content": "text"}
    assert _sent(colour, body) == {"files": [{"name": "text"}], "content": "TEXT"}
    assert _sent(colour, body, fields=["files"]) == {"files": [{"name": "TEXT"}], "content": "text"}


def test_a_body_that_another_plugin_changes_for_each_attempt_is_redacted_each_time(colour: Colour) -> None:
    class Counting:
        """Puts the number of the attempt into the body."""

        name = "counting"

        @hookimpl(tryfirst=True)
        def muxi_prepare_request(self, request: Request, context: Any) -> None:
            request.body = BytesBody(json.dumps({"message": f"attempt {context.attempt}"}).encode())

    playback = Playback(refused(), answer({}))
    client = colour.formation(playback, plugins=[Redaction(_shout), Counting()])
    colour.run(client.send, Call.post("/any", body={"message": "x"}, key=Key.NONE))
    assert playback.body() == {"message": "ATTEMPT 2"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"redact": 5}, "redact= takes a function of a text, got 5"),
        ({"redact": str, "fields": 5}, "fields= takes a collection of names, got 5"),
        ({"redact": str, "fields": "text"}, "fields= takes a collection of names, got 'text'"),
        ({"redact": str, "fields": []}, "fields= takes names that are not empty, and at least one, got []"),
        ({"redact": str, "fields": [""]}, "fields= takes names that are not empty, and at least one, got ['']"),
        ({"redact": str, "fields": [5]}, "fields= takes names that are not empty, and at least one, got [5]"),
    ],
)
def test_a_wrong_argument_has_these_words(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Redaction(**arguments)
    assert caught.value.message == message


def test_a_function_that_returns_no_text_has_these_words(colour: Colour) -> None:
    client = colour.formation(Playback(), plugins=[Redaction(lambda text: 5)])  # type: ignore[arg-type]  # wrong
    with pytest.raises(ConfigurationError) as caught:
        colour.run(client.chat, "hi", user_id="ada")
    assert caught.value.message == "the function given as redact= returned int instead of a text"


def test_an_async_function_for_a_sync_client_has_these_words() -> None:
    async def shout(text: str) -> str:
        return text.upper()

    client = Colour().formation(Playback(), plugins=[Redaction(shout)])
    with pytest.raises(ConfigurationError) as caught:
        client.chat("hi", user_id="ada")
    assert caught.value.message == (
        "redact= is an async function, which a sync client cannot await; give a function that returns the text, or use "
        "the async client"
    )


def test_a_number_is_told_from_signs_between_letters() -> None:
    assert mask_emails_and_numbers("DE12!!!!!!!!!!!") == "DE12!!!!!!!!!!!"
    assert mask_emails_and_numbers("DE12 3456 7890 ABCD") == "[number]"
