"""The log: which lines there are, what a record has beside its words, and what it never shows."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi import MuxiError, hookimpl
from muxi.call import Call, Key
from muxi.plugins import Log
from muxi.plugins.bodies import format_body
from muxi.redact import redact_data
from muxi.transport import BufferedResponse, IterableBody
from tests.answers import (
    CLIENT_KEY,
    Colour,
    Playback,
    answer,
    chat_answer,
    chat_events,
    died,
    events,
    failure,
    json_answer,
    plain,
    refused,
)


class Records(logging.Handler):
    """Keeps the records that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()  # as any handler would
        self.records.append(record)


@pytest.fixture
def log(logger: logging.Logger) -> list[logging.LogRecord]:
    """The records of the logger, at the level that it is set to."""
    handler = Records()
    logger.addHandler(handler)
    return handler.records


def lines(records: list[logging.LogRecord], level: int = logging.INFO) -> list[str]:
    """The records' words with the seconds taken out."""
    return [re.sub(r"\d+\.\d{3} s", "T s", it.getMessage()) for it in records if it.levelno == level]


def test_each_attempt_and_each_wait_has_a_line(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "muxi")
    play = Playback(refused(), failure(429, retry_after="2"), chat_answer())
    colour.run(colour.formation(play).chat, {"message": "a secret", "request_id": "req_mine"})
    assert lines(caplog.records) == [
        "chat (POST /chat) -> CONNECTION_REFUSED: nobody listens there in T s (attempt 1, request req_mine)",
        "chat (POST /chat) is retried in T s (after attempt 1: CONNECTION_REFUSED)",
        "chat (POST /chat) -> 429 in T s (attempt 2, request req_mine)",
        "chat (POST /chat) is retried in T s (after attempt 2: INTERNAL_ERROR)",
        "chat (POST /chat) -> 200 in T s (attempt 3, request req_mine)",
    ]
    assert "is retried in 2.000 s" in caplog.text


def test_the_seconds_are_those_of_the_attempt(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    logger.setLevel(logging.INFO)
    play = Playback()

    def slow(seconds: float, response: BufferedResponse) -> Any:
        def respond(request: object) -> BufferedResponse:
            play.clock.advance(seconds)
            return response

        return respond

    play.steps = [slow(3, failure(429, retry_after="60")), slow(0.25, answer({}))]
    colour.run(colour.formation(play, logger=logger).get_memories, "ada")
    assert [vars(it)["muxi_seconds"] for it in log if vars(it)["muxi_event"] == "attempt"] == [3.0, 0.25]


def test_records_have_the_facts_as_attributes(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    logger.setLevel(logging.INFO)
    play = Playback(died(), failure(429, retry_after="2"), answer({}))
    colour.run(colour.formation(play, logger=logger).get_session_messages, "s_1", user_id="ada")
    facts = [{name: value for name, value in vars(it).items() if name.startswith("muxi_")} for it in log]
    for it in facts:
        assert (it["muxi_call"], it["muxi_method"]) == ("get_session_messages", "GET")
        assert it["muxi_route"] == "/sessions/{session_id}/messages", "the template, whatever the id"
    assert [(it["muxi_event"], it["muxi_attempt"]) for it in facts] == [
        ("attempt", 1),
        ("wait", 1),
        ("attempt", 2),
        ("wait", 2),
        ("attempt", 3),
    ]
    assert [it.get("muxi_status") for it in facts] == [None, None, 429, None, 200]
    assert [it.get("muxi_code") for it in facts] == ["CONNECTION_LOST", "CONNECTION_LOST", None, "INTERNAL_ERROR", None]
    assert facts[3]["muxi_delay"] == 2
    assert [it["muxi_request_id"] for it in facts] == [None, None, "req_wire", None, "req_wire"]


def test_the_servers_request_id_is_found_too(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    logger.setLevel(logging.INFO)
    reply = json_answer(200, {"success": True, "request_id": "req_server", "data": {"formations": []}})
    colour.run(colour.server(reply, logger=logger).list_formations)
    assert lines(log) == ["list_formations (GET /rpc/formations) -> 200 in T s (attempt 1, request req_server)"]


def test_a_stream_has_a_line_for_its_head_and_one_for_its_end(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    logger.setLevel(logging.INFO)
    cut = events('data: {"token": {"type": "content", "content": "Hi"}}')
    client = colour.formation(chat_events("a secret"), cut, failure(401), logger=logger)
    colour.run(colour.run(client.chat_stream, {"message": "hi", "request_id": "req_1"}).result)
    interrupted = colour.run(client.chat_stream, {"message": "hi", "request_id": "req_2"})
    with pytest.raises(MuxiError):
        colour.run(interrupted.result)
    with pytest.raises(MuxiError):
        colour.run(client.chat_stream, {"message": "hi", "request_id": "req_3"})
    assert lines(log) == [
        "chat_stream (POST /chat) -> 200 in T s (attempt 1, request req_1)",
        "chat_stream (POST /chat) stream ended after T s",
        "chat_stream (POST /chat) -> 200 in T s (attempt 1, request req_2)",
        "chat_stream (POST /chat) stream failed with STREAM_INTERRUPTED after T s",
        "chat_stream (POST /chat) -> 401 in T s (attempt 1, request req_3)",
    ]


def test_a_stream_that_is_closed_early_was_left(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    logger.setLevel(logging.INFO)
    client = colour.formation(chat_events("a secret"), logger=logger)
    colour.run(colour.run(client.chat_stream, {"message": "hi", "request_id": "req_1"}).close)
    assert lines(log)[1:] == ["chat_stream (POST /chat) stream was closed after T s"]


def test_an_attempt_that_a_plugin_answers_or_refuses_has_a_line_and_took_no_time(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    class Cache:
        @hookimpl(tryfirst=True)
        def muxi_intercept(self) -> BufferedResponse:
            return answer({"cached": True})

    class Sealed:
        name = "vault"

        @hookimpl
        def muxi_prepare_request(self) -> None:
            raise LookupError("sealed")

    logger.setLevel(logging.DEBUG)
    colour.run(colour.formation(logger=logger, plugins=[Cache()]).get_memories, "ada")
    with pytest.raises(MuxiError):
        colour.run(colour.formation(logger=logger, plugins=[Sealed()]).get_memories, "ada")
    assert [it.getMessage() for it in log if it.levelno == logging.INFO] == [
        "get_memories (GET /memories) -> 200 in 0.000 s (attempt 1, request req_wire)",
        "get_memories (GET /memories) -> PLUGIN_ERROR: the plugin 'vault' failed in muxi_prepare_request: LookupError: "
        "sealed in 0.000 s (attempt 1)",
    ]
    assert "sends" not in "".join(lines(log, logging.DEBUG)), "nothing was sent"


def test_a_plugin_that_replaces_the_answer_takes_no_line_away(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    class Rewriter:
        @hookimpl(tryfirst=True)
        def muxi_response_received(self) -> BufferedResponse:
            return answer({"mine": True})

    logger.setLevel(logging.INFO)
    play = Playback(failure(500))
    colour.run(colour.formation(play, logger=logger, plugins=[Rewriter()]).get_memories, "ada")
    assert lines(log) == ["get_memories (GET /memories) -> 500 in T s (attempt 1, request req_wire)"]


def test_nothing_is_logged_at_the_usual_level(colour: Colour, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(MuxiError):
        colour.run(colour.formation(refused(), failure(401)).get_memories, "ada")
    assert caplog.records == []


# Bodies


def test_what_was_sent_and_what_came_is_shown_at_debug_without_secrets(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    logger.setLevel(logging.DEBUG)
    echo = answer({"echo": f"your key is {CLIENT_KEY}", "token": "hush", "total_tokens": 7, "k": "hush-header"})
    client = colour.formation(echo, logger=logger, headers={"X-Api-Key": "hush-header"})
    colour.run(client.add_memory, "I am Ada", user_id="ada")
    sent, came = lines(log, logging.DEBUG)
    assert sent.startswith("add_memory (POST /memories) sends POST http://localhost:8001/v1/memories Headers([")
    assert "I am Ada" in sent
    assert "('X-Muxi-User-ID', 'ada')" in sent
    assert came.startswith("add_memory (POST /memories) got 200 Headers([")
    assert '"echo": "your key is [redacted]"' in came
    assert '"token": "[redacted]", "total_tokens": 7, "k": "[redacted]"' in came
    assert not [line for line in lines(log, logging.DEBUG) if "hush" in line]
    assert [vars(it)["muxi_event"] for it in log] == ["request", "attempt", "response"]


def test_bodies_are_not_shown_at_info(colour: Colour, log: list[logging.LogRecord], logger: logging.Logger) -> None:
    logger.setLevel(logging.INFO)
    colour.run(colour.formation(chat_answer("a secret"), logger=logger).chat, "a secret")
    assert "a secret" not in "".join(lines(log))


def test_how_much_is_shown_can_be_chosen(colour: Colour, log: list[logging.LogRecord], logger: logging.Logger) -> None:
    logger.setLevel(logging.DEBUG)
    text = "word " * 2000
    client = colour.formation(chat_answer(text), logger=logger)
    colour.run(client.chat, text)
    assert [re.findall(r"… \(\d+ more characters\)$", line) != [] for line in lines(log, logging.DEBUG)] == [True, True]
    assert max(map(len, lines(log, logging.DEBUG))) < 3000
    log.clear()
    plugin = Log(logger, body_limit=0)
    colour.run(colour.formation(chat_answer(text), plugins=[plugin]).chat, text)
    assert "word" not in "".join(lines(log, logging.DEBUG))


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("update_secret", ("API", "hush-value")),
        ("create_credential", ("ada", {"service": "github", "credential": {"what": "hush-value"}})),
    ],
)
def test_the_payloads_of_secrets_are_never_shown(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger, call: str, arguments: tuple[Any, ...]
) -> None:
    logger.setLevel(logging.DEBUG)
    reply = answer({"value": "hush-value"})
    client = colour.formation(reply, logger=logger)
    colour.run(getattr(client, call), *arguments)
    shown = "".join(lines(log, logging.DEBUG))
    assert "hush" not in shown
    assert shown.count("bytes that may be secret>") == 2


def test_files_are_named_by_their_size(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger, tmp_path: Path
) -> None:
    logger.setLevel(logging.DEBUG)
    file = tmp_path / "bundle.tar.gz"
    file.write_bytes(b"hush" * 100)
    contents: list[tuple[Any, str]] = [
        (file, "<file of 400 bytes>"),
        (b"hush", "<4 bytes of no content type>"),
        (lambda: [b"hush"], "<stream>"),
        (IterableBody(lambda: [b"hush"], 4), "<4 bytes>"),
    ]
    for content, shown in contents:
        client = colour.formation(plain(200, b'{"a": "hush', "application/octet-stream"), logger=logger)
        with pytest.raises(MuxiError):
            colour.run(client.send, Call("POST", "/x", content=content, key=Key.CLIENT))
        sent, came = lines(log, logging.DEBUG)
        assert sent.endswith(shown)
        assert came.endswith("<11 bytes of application/octet-stream>")
        log.clear()


def test_a_stream_is_not_read_for_the_log(colour: Colour, log: list[logging.LogRecord], logger: logging.Logger) -> None:
    logger.setLevel(logging.DEBUG)
    client = colour.formation(chat_events("hush"), logger=logger)
    colour.run(colour.run(client.chat_stream, "hi").result)
    assert [line.endswith("<stream>") for line in lines(log, logging.DEBUG)] == [False, True]
    assert "hush" not in "".join(lines(log, logging.DEBUG))


def test_the_body_of_a_file_in_a_chat_is_named_by_its_size(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    logger.setLevel(logging.DEBUG)
    colour.run(colour.formation(chat_answer(), logger=logger).chat, "look", files=[("a.bin", b"\0" * 3000)])
    (sent, _) = lines(log, logging.DEBUG)
    assert '"content": "<4000 characters>"' in sent


@pytest.mark.parametrize(
    ("content", "kind", "shown"),
    [
        (b'{"password": "p", "n": 1}', "application/json", '{"password": "[redacted]", "n": 1}'),
        (b'{"a": {"apiKey": ["x"]}}', "application/problem+json; charset=utf-8", '{"a": {"apiKey": "[redacted]"}}'),
        (b'{"secret": ""}', "application/json", '{"secret": ""}'),
        (b'{"half', "application/json", "<6 bytes that are no JSON>"),
        (b"a\nb http://u:p@h", "text/plain", r"a\nb http://[redacted]@h"),
        (b"\xff\x00", "text/html", "\ufffd\\x00"),
        (b"PK", "application/zip", "<2 bytes of application/zip>"),
        (b"[" * 2_000_000, "application/json", "<2000000 bytes of application/json>"),
    ],
)
def test_a_body_is_shown_as_what_it_is(content: bytes, kind: str, shown: str) -> None:
    assert format_body(content, kind, 200) == shown


def test_a_body_of_many_brackets_breaks_no_call(
    colour: Colour, log: list[logging.LogRecord], logger: logging.Logger
) -> None:
    logger.setLevel(logging.DEBUG)
    # As deep as the parser goes, and no longer what goes through the data.
    depth = 500 if sys.version_info < (3, 13) else 1500
    deep = b'{"data": ' + b"[" * depth + b"]" * depth + b', "success": true}'
    reply = BufferedResponse(200, [("Content-Type", "application/json")], deep)
    colour.run(colour.formation(reply, logger=logger).get_memories, "ada")
    shown = lines(log, logging.DEBUG)[1]
    assert shown.endswith('"[redacted]"' + "]" * 99 + ', "success": true}') or "nested too deep" in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(data=JSON, limit=st.integers(1, 300))
def test_any_body_is_one_line_of_bounded_length(data: Any, limit: int) -> None:
    shown = format_body(json.dumps(data).encode(), "application/json", limit)
    assert len(shown) <= limit + 40
    assert "\n" not in shown


@given(data=JSON, secret=st.text("xyz", min_size=12))
def test_no_given_secret_survives_in_data(data: Any, secret: str) -> None:
    shown = json.dumps(redact_data({"said": f"it is {secret}", "rest": data, "password": secret}, (secret,)))
    assert secret not in shown


# Debugging


def test_debugging_shows_the_log_without_any_set_up(
    colour: Colour, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        colour.run(colour.formation(answer({}), debug=True, logger=logger).get_memories, "ada")
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 6, "sent, a line, and what came, for each call, however many clients there are"
    assert "tests.plugins.log get_memories (GET /memories) -> 200" in shown[1]


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_the_environment_can_ask_for_it(
    colour: Colour,
    logger: logging.Logger,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    shown: bool,
) -> None:
    monkeypatch.setenv("MUXI_DEBUG", value)
    colour.run(colour.formation(answer({}), logger=logger).get_memories, "ada")
    assert ("-> 200" in capsys.readouterr().err) == shown


def test_debugging_leaves_a_programs_own_handlers_alone(logger: logging.Logger, capsys: Any) -> None:
    handler = logging.NullHandler()
    logger.addHandler(handler)
    Colour().formation(answer({}), debug=True, logger=logger).get_memories("ada")
    assert logger.handlers == [handler]
    assert capsys.readouterr().err == ""
