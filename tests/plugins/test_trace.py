"""The trace: the steps of each call as lines, why it was or was not repeated, and what is never written."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from muxi import ConfigurationError, FormationClient, MuxiError
from muxi.plugins import Trace
from muxi.plugins.trace.texts import TextRedactor
from muxi.redact import secret_forms
from tests.answers import (
    ADMIN_KEY,
    CLIENT_KEY,
    Colour,
    answer,
    chat_answer,
    chat_events,
    died,
    failure,
    refused,
    timed_out,
)
from tests.hello import HELLO
from tests.scripted import HOLD, Script, Side


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _events(path: Path) -> list[str]:
    return [line["event"] for line in _lines(path)]


def _run(colour: Colour, path: Path, *steps: Any, call: str = "get_memories", **settings: Any) -> dict[str, Any]:
    """Make a call; return its last line."""
    client = colour.formation(*steps, plugins=[Trace(path)], **settings)
    arguments = {"chat": ("hi",), "add_memory": ("tea",)}.get(call, ())
    with suppress(MuxiError):
        colour.run(getattr(client, call), *arguments, user_id="ada")
    return _lines(path)[-1]


def test_each_step_of_a_call_has_a_line(colour: Colour, path: Path) -> None:
    client = colour.formation(failure(429, retry_after="2"), chat_answer(), plugins=[Trace(path)])
    colour.run(client.chat, {"message": "a private word", "session_id": "s1"}, user_id="ada")
    assert _events(path) == ["started", "attempt", "head", "failed", "wait", "attempt", "head", "finished"]
    lines = _lines(path)
    assert {line["v"] for line in lines} == {1}
    assert {line["pid"] for line in lines} == {os.getpid()}
    assert len({line["call"] for line in lines}) == 1
    assert [line["at"] for line in lines] == [0, 0, 0, 0, 0, 2, 2, 2]
    started, attempt, head, failed, wait, _, _, finished = lines
    assert (started["operation"], started["route"], started["user"], started["session"]) == (
        "chat",
        "/chat",
        "ada",
        "s1",
    )
    assert (started["safety"], started["key"], started["stream"]) == ("keyed", "client", False)
    assert attempt["url"] == "http://localhost:8001/v1/chat"
    assert ["X-Muxi-Client-Key", "[redacted]"] in attempt["headers"]
    assert (head["status"], failed["code"], failed["retry_after"]) == (429, "INTERNAL_ERROR", 2)
    assert (wait["delay"], wait["why"]) == (2, "the answer 429 says that the request was not carried out")
    assert (finished["outcome"], finished["attempts"], finished["request"]) == ("ok", 2, "req_wire")
    text = path.read_text("utf-8")
    assert not [word for word in (CLIENT_KEY, ADMIN_KEY, "private word") if word in text]


def test_bodies_are_written_where_they_are_asked_for(colour: Colour, path: Path) -> None:
    client = colour.formation(chat_answer("Fine."), plugins=[Trace(path, bodies=True, body_limit=60)])
    colour.run(client.chat, "x" * 100, user_id="ada")
    _, attempt, head, _ = _lines(path)
    assert attempt["body"].startswith('{"message": "xxxx')
    assert "more characters)" in attempt["body"]
    assert "thing" in head["body"]


def test_the_values_of_secrets_are_not_written(colour: Colour, path: Path) -> None:
    client = colour.formation(answer({}), plugins=[Trace(path, bodies=True)])
    colour.run(client.create_secret, "NAME", "hush-hush-value")
    assert "hush-hush-value" not in path.read_text("utf-8")
    assert "bytes that may be secret" in path.read_text("utf-8")


def test_a_stream_has_its_events_and_its_text_where_asked_for(side: Side, tmp_path: Path) -> None:
    for bodies in (False, True):
        path = tmp_path / f"{bodies}.jsonl"
        held = side.open(Script(HELLO, HELLO, HOLD), plugins=[Trace(path, bodies=bodies)])
        held.next()
        held.next()
        held.close()
        started, _, head, first, second, finished = [line for line in _lines(path) if line["event"] != "wait"][:6]
        assert (started["stream"], head["size"]) == (True, None)
        assert [(line["n"], line["type"], line["size"]) for line in (first, second)] == [(1, "text", 6), (2, "text", 6)]
        assert [line.get("text") for line in (first, second)] == (["Hello ", "Hello "] if bodies else [None, None])
        assert (finished["outcome"], finished["events"]) == ("left", 2)


def test_a_key_that_lies_across_pieces_of_a_stream_is_masked(colour: Colour, path: Path) -> None:
    pieces = ["Your key is ", CLIENT_KEY[:5], CLIENT_KEY[5:9], CLIENT_KEY[9:], " indeed."]
    client = colour.formation(chat_events(*pieces), plugins=[Trace(path, bodies=True)])
    colour.collect(client.chat_stream, "hi", user_id="ada")
    lines = [line for line in _lines(path) if line.get("type") == "text"]
    text = "".join(line["text"] for line in lines) + _lines(path)[-1]["rest"]["text"]
    assert text == "Your key is [redacted] indeed."


def test_a_text_is_the_same_whatever_its_pieces_except_for_secrets() -> None:
    secret = "a secret with spaces"
    text = f"Say {secret} and https://user:password@host/ and fmc_0123456789 to  all."
    for size in range(1, 30):
        redactor = TextRedactor(secret_forms([secret]))
        pieces = [redactor.feed(text[at : at + size]) for at in range(0, len(text), size)]
        whole = "".join(pieces) + redactor.finish()
        assert whole == "Say [redacted] and https://[redacted]@host/ and fmc_[redacted] to  all."


REASONS: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "a final answer": ((failure(404),), "get_memories", "the answer 404 is final"),
    "an unsafe call": ((died(),), "add_memory", "it may have been carried out, and add_memory is not safe to repeat"),
    "no more retries": ((refused(), refused()), "get_memories", "max_retries = 1 is used up"),
    "a long Retry-After": (
        (failure(429, retry_after="500"),),
        "get_memories",
        "Retry-After of 500 s exceeds max_retry_after = 120 s",
    ),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_end_of_a_failed_call_says_why_it_was_not_repeated(colour: Colour, path: Path, name: str) -> None:
    steps, call, why = REASONS[name]
    finished = _run(colour, path, *steps, call=call, max_retries=1)
    assert (finished["outcome"], finished["why"]) == ("failed", why)


def test_a_wait_beyond_the_deadline_is_named(colour: Colour, path: Path) -> None:
    finished = _run(colour, path, failure(429, retry_after="60"), deadline=10)
    assert finished["why"] == "the wait would have outlasted deadline = 10 s"


@pytest.mark.parametrize(
    ("step", "call", "why"),
    [
        (refused(), "add_memory", "no connection was made, so nothing was sent"),
        (timed_out(), "get_memories", "it may have been carried out, and get_memories is safe to repeat"),
        (died(), "chat", "it may have been carried out; its idempotency key prevents a second time"),
    ],
)
def test_a_wait_says_why_the_call_is_repeated(colour: Colour, path: Path, step: Any, call: str, why: str) -> None:
    _run(colour, path, step, chat_answer(), call=call)
    assert [line["why"] for line in _lines(path) if line["event"] == "wait"] == [why]


def test_a_file_that_cannot_be_written_is_logged_once_and_calls_go_on(
    colour: Colour, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trace = Trace(tmp_path / "later" / "trace.jsonl")
    client = colour.formation(answer({}), answer({}), plugins=[trace])
    colour.run(client.get_memories, "ada")
    assert caplog.text.count("cannot be written") == 1
    (tmp_path / "later").mkdir()
    colour.run(client.get_memories, "ada")
    assert len(_lines(tmp_path / "later" / "trace.jsonl")) == 4


def test_the_environment_turns_it_on_and_each_call_goes_to_the_file_of_its_time(
    colour: Colour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    monkeypatch.setenv("MUXI_TRACE", str(first))
    monkeypatch.setenv("MUXI_TRACE_BODIES", "1")
    client = colour.formation(answer({}), answer({"x": "shown"}))
    colour.run(client.get_memories, "ada")
    monkeypatch.setenv("MUXI_TRACE", str(second))
    colour.run(client.get_memories, "ada")
    assert len(_lines(first)) == len(_lines(second)) == 4
    assert "shown" in second.read_text("utf-8")


def test_without_the_variable_nothing_is_traced_and_an_own_plugin_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"url": "http://localhost", "client_key": "k"}
    assert "muxi.trace" not in FormationClient(**settings)._core.hooks.names()
    monkeypatch.setenv("MUXI_TRACE", str(tmp_path / "of-the-environment"))
    own = Trace(tmp_path / "own")
    client = FormationClient(**settings, plugins=[own])
    assert client._core.hooks.names().count("muxi.trace") == 1
    assert repr(own) == f"Trace({str(tmp_path / 'own')!r})"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"path": ""}, "path= takes the path of a file"),
        ({"path": "."}, "'.' is a folder"),
        ({"body_limit": 0}, "body_limit="),
        ({"body_limit": 10**6}, "body_limit= takes at most 200000 characters"),
        ({"max_bytes": 0}, "max_bytes="),
        ({"backups": -1}, "backups="),
        ({"name": ""}, "name="),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        Trace(**{"path": "trace.jsonl", **arguments})
