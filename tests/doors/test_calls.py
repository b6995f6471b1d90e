"""Calls as values: comparable, picklable, and unable to lead to another route."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muxi import FormationClient, ServerClient, ValidationError
from muxi.call import Call, Key, Repeat
from muxi.exchange.repeat import repeat_of
from muxi.streaming.call import StreamCall
from tests.answers import Colour, Playback, answer


def test_a_call_says_everything_about_itself() -> None:
    call = FormationClient.get_memories.call(user_id="u", limit=5)
    assert (call.method, call.path, call.operation) == ("GET", "/memories", "get_memories")
    assert (call.key, call.user_id, repeat_of(call)) == (Key.EITHER, "u", Repeat.SAFE)
    assert call.label == "get_memories (GET /memories)"
    assert Call[Any]("GET", "/x").label == "GET /x"


def test_calls_are_equal_when_they_say_the_same() -> None:
    def call(user: str) -> Call[Any]:
        return FormationClient.get_memories.call(user)

    assert call("u") == call("u")
    assert call("u") != call("v")
    assert FormationClient.chat_stream.call("x") == FormationClient.chat_stream.call("x")
    one: Call[Any] = FormationClient.chat.call("x")
    assert one != FormationClient.chat_stream.call("x")


def test_a_call_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        FormationClient.get_memories.call("u").method = "DELETE"  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize(
    "call",
    [
        FormationClient.get_memories.call(user_id="u"),
        FormationClient.chat.call({"message": "x"}, user_id="Zoë"),
        FormationClient.chat_stream.call("x"),
        ServerClient.stop_formation.call("bot"),
    ],
)
def test_calls_survive_pickling(call: Call[Any]) -> None:
    again = pickle.loads(pickle.dumps(call))  # noqa: S301  our own
    assert again == call
    assert type(again) is type(call)


def asked_for(call: Call[Any]) -> list[str]:
    """Run a call in this process, whichever it is."""
    play = Playback(answer({"count": 0}))
    Colour().formation(play).send(call)
    return [play.request.url, str(play.request.headers["X-Muxi-User-ID"])]


@pytest.mark.slow
def test_a_call_is_run_by_another_process() -> None:
    call = FormationClient.get_memories.call("ada", limit=2)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(asked_for, call).result(timeout=60) == ["http://localhost:8001/v1/memories?limit=2", "ada"]


def test_the_route_of_a_call_has_no_ids_in_it() -> None:
    call = FormationClient.get_session.call("s 1", "ada")
    assert (call.path, call.target()) == ("/sessions/{session_id}", "/sessions/s%201")


@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("bad", ["", " ", ".", "..", "a/b", "/", "../x", None, 7, b"x", "\ud800"])
def test_ids_that_lead_elsewhere_are_refused(bad: Any, proxied: bool) -> None:
    with pytest.raises(ValidationError, match="session_id") as caught:
        FormationClient.get_session.call(bad, "ada").target(proxied=proxied)
    assert caught.value.details["validation_errors"][0]["field"] == "session_id"


@pytest.mark.parametrize("text", ["room#1", "a?b", "50%", "%2e%2e"])
def test_behind_a_proxy_ids_that_it_would_cut_are_refused_too(colour: Colour, text: str) -> None:
    play = Playback(answer({}))
    colour.run(colour.formation(play).get_session, text, "ada")
    assert unquote(play.request.url).endswith(f"/sessions/{text}")
    proxied = colour.formation(play, server_url="http://localhost:7890", formation_id="bot")
    with pytest.raises(ValidationError, match=r"behind a server's proxy.*url=.*\[get_session"):
        colour.run(proxied.get_session, text, "ada")
    assert len(play.requests) == 1


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_other_id_comes_back_as_it_was_without_white_space_at_its_ends(text: str) -> None:
    if text.strip() in (".", "..") or "/" in text or not text.strip():
        return
    target = Call[Any]("GET", "/a/{id}/b", params={"id": text}).target()
    path = urlsplit(f"http://h{target}").path
    assert path.count("/") == 3
    assert target.isascii()
    assert unquote(path.split("/")[2]) == text.strip()


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"))))
@example({"user_id": " a b ", "text": " a b "})
def test_a_query_comes_back_as_it_was_and_an_id_without_white_space_at_its_ends(query: dict[str, str]) -> None:
    target = Call[Any]("GET", "/a", query=query).target()
    expected = {name: value.strip() if name.endswith("_id") else value for name, value in query.items()}
    assert dict(parse_qsl(target.partition("?")[2], keep_blank_values=True)) == expected


def test_query_values_are_written_as_the_wire_has_them() -> None:
    call = Call[Any]("GET", "/a", query={"a": True, "b": False, "c": None, "d": 0, "e": 0.5, "f": "x y&z"})
    assert call.target() == "/a?a=true&b=false&d=0&e=0.5&f=x+y%26z"
    assert Call[Any]("GET", "/a", query={"c": None}).target() == "/a"


def test_a_query_that_is_no_text_is_refused() -> None:
    with pytest.raises(ValidationError, match="not valid text"):
        Call[Any]("GET", "/a", query={"a": "\ud800"}).target()


@pytest.mark.parametrize("body", [{"a": object()}, {"a": float("nan")}, {"a": "\ud800"}, {"a": b"x"}, {"a": {1, 2}}])
def test_a_body_that_json_has_no_form_for_is_refused(colour: Colour, body: Any) -> None:
    play = Playback()
    call: Call[Any] = Call("POST", "/x", body=body, key=Key.NONE)
    with pytest.raises(ValidationError, match=r"cannot be sent as JSON.*POST /x"):
        colour.run(colour.formation(play).send, call)


def test_a_body_that_goes_in_circles_is_refused(colour: Colour) -> None:
    body: dict[str, Any] = {}
    body["self"] = body
    with pytest.raises(ValidationError, match="cannot be sent as JSON"):
        colour.run(colour.formation().send, Call[Any]("POST", "/x", body=body, key=Key.NONE))


def test_text_outside_ascii_is_sent_as_it_is(colour: Colour) -> None:
    play = Playback(answer({}))
    colour.run(colour.formation(play).send, Call[Any]("POST", "/x", body={"a": "Grüße 🚀"}, key=Key.NONE))
    assert play.request.body is not None
    assert b"".join(play.request.body.chunks()) == '{"a":"Grüße 🚀"}'.encode()


@pytest.mark.parametrize("content", [b"abc", bytearray(b"abc"), lambda: [b"a", b"bc"]])
def test_other_content_is_sent_in_place_of_json(colour: Colour, content: Any) -> None:
    play = Playback(answer({}))
    headers = {"Content-Type": "application/octet-stream"}
    colour.run(colour.formation(play).send, Call[Any]("PUT", "/x", content=content, headers=headers, key=Key.NONE))
    assert play.request.body is not None
    assert b"".join(play.request.body.chunks()) == b"abc"
    assert play.request.headers.get_all("content-type") == ["application/octet-stream"]


def test_a_file_is_sent_from_disk(colour: Colour, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    play = Playback(answer({}))
    colour.run(colour.formation(play).send, Call[Any]("PUT", "/x", content=tmp_path / "file", key=Key.NONE))
    assert play.request.body is not None
    assert (play.request.body.length, b"".join(play.request.body.chunks())) == (3, b"abc")


def test_a_name_is_given_once() -> None:
    call: StreamCall[Any] = StreamCall("GET", "/x")
    named = call.named("mine")
    assert type(named) is StreamCall
    assert (call.operation, named.operation, named.named("theirs").operation) == ("", "mine", "mine")


def test_the_headers_of_a_call_are_not_shown() -> None:
    assert "hush" not in repr(Call[Any]("GET", "/x", headers={"X-Vault": "hush"}))
