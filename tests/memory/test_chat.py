"""A chat: what is streamed, what agents may reply, how turns fail, stop, wait and are repeated."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.errors import ConfigurationError
from muxi.transport import BufferedResponse, Request, Timeouts
from muxi_transports.memory import (
    Defect,
    Discontinuity,
    EmbeddedFormation,
    Failure,
    MemoryTransport,
    Part,
    Pause,
    Question,
    Silence,
    Turn,
    Widgets,
)

Call = Callable[..., BufferedResponse]
Build = Callable[..., Request]

KEEPALIVE = b": keepalive\n\n"
DONE = b'event: done\ndata: {"finished":true}\n\n'


def tokens(body: bytes) -> list[dict[str, Any]]:
    """The tokens of a stream."""
    blocks = [block for block in body.decode().split("\n\n") if block.startswith("data: ")]
    return [json.loads(block.removeprefix("data: "))["token"] for block in blocks]


def deltas(body: bytes) -> list[str]:
    return [token["content"] for token in tokens(body) if token["type"] == "content"]


def completed(body: bytes) -> dict[str, Any]:
    last = tokens(body)[-1]
    assert last["type"] == "completed"
    return last


def data(response: BufferedResponse) -> dict[str, Any]:
    assert response.status == 200, response.content
    found: dict[str, Any] = json.loads(response.content)["data"]
    return found


def test_a_message_is_echoed_word_by_word(call: Call) -> None:
    response = call("POST", "/v1/chat", {"message": "Hello  there"})
    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.content.startswith(KEEPALIVE * 2)
    assert response.content.endswith(DONE)
    assert deltas(response.content) == ["You ", "said: ", "Hello  ", "there"]
    assert completed(response.content)["content"] == "You said: Hello  there"


def test_not_streamed_the_answer_comes_in_an_envelope(call: Call) -> None:
    answer = data(call("POST", "/v1/chat", {"message": "Hello", "stream": False, "session_id": "s"}))
    assert answer == {
        "message": {
            "role": "assistant",
            "content": "You said: Hello",
            "artifacts": None,
            "metadata": {"session_id": "s"},
        },
        "user_id": "alice",
        "session_id": "s",
        "request_id": None,
    }


@pytest.mark.parametrize("stream", [None, True, "yes", 1])
def test_everything_but_false_streams(ask: Call, stream: object) -> None:
    assert ask("POST", "/v1/chat", {"message": "x", "stream": stream}).content.endswith(DONE)


@pytest.mark.parametrize(
    ("header", "body", "user"),
    [
        ("alice", None, "alice"),
        ("alice", "bob", "alice"),
        (None, "bob", "bob"),
        (None, None, "0"),
        ("   ", None, "0"),
        ("Alice@Example.COM", None, "alice@example.com"),
        (None, "Bob@Example.COM", "bob@example.com"),
        ("Grüße", None, "GrÃ¼Ã\x9fe"),
        (None, "Grüße", "Grüße"),
    ],
)
def test_the_header_names_the_user_before_the_body_does(
    call: Call, header: str | None, body: str | None, user: str
) -> None:
    message = {"message": "x", "stream": False, "user_id": body}
    assert data(call("POST", "/v1/chat", message, user=header))["user_id"] == user


def test_the_callers_request_id_is_the_id_everywhere(call: Call) -> None:
    response = call("POST", "/v1/chat", {"message": "x", "stream": False, "request_id": "mine"})
    assert json.loads(response.content)["request"]["id"] == "mine"
    assert data(response)["request_id"] == "mine"
    assert data(call("GET", "/v1/requests/mine"))["result"] == "You said: x"
    streamed = call("POST", "/v1/chat", {"message": "x", "request_id": "other"})
    assert {token["request_id"] for token in tokens(streamed.content)} == {"other"}
    assert data(call("GET", "/v1/requests/other"))["status"] == "completed"


def test_text_is_not_escaped_beyond_need(formation: EmbeddedFormation, call: Call) -> None:
    formation.agent("assistant", lambda turn: "a\u2028b\x85c — 東京 🚀\nnew line")
    body = call("POST", "/v1/chat", {"message": "x"}).content
    assert "a\u2028b\x85c — 東京 🚀\\nnew line".encode() in body
    assert completed(body)["content"] == "a\u2028b\x85c — 東京 🚀\nnew line"


def test_half_a_surrogate_pair_does_not_break_the_answer(ask: Call) -> None:
    assert data(ask("POST", "/v1/chat", b'{"message": "\\ud800", "stream": false}', headers={}))


def test_an_agent_is_a_function_of_the_turn(formation: EmbeddedFormation, ask: Call) -> None:
    seen: list[Turn] = []

    @formation.agent("assistant")
    def assistant(turn: Turn) -> Iterator[Part]:
        seen.append(turn)
        yield "fine"
        yield Widgets(({"type": "options", "id": "ui_1"},))

    formation.agent("researcher", lambda turn: "found")
    file = {"filename": "a.txt", "content": "aGk=", "size": 2}
    ask("POST", "/v1/chat", {"message": "one", "session_id": "s", "files": [file]})
    ask("POST", "/v1/chat", {"message": "two", "session_id": "s", "ui_response": {"id": "ui_1", "value": "work"}})
    ask("POST", "/v1/chat", {"message": "three", "session_id": "t", "ui_response": {"id": "ui_1", "value": "work"}})
    first, second, third = seen
    assert (first.message, first.user_id, first.session_id, first.agent_id) == ("one", "alice", "s", "assistant")
    assert (first.files, first.history, first.agent_requested) == ((file,), (), None)
    assert [(message.role, message.text) for message in second.history] == [("user", "one"), ("assistant", "fine")]
    assert second.ui_response == {"id": "ui_1", "value": "work"}
    assert third.ui_response is None, "that widget was not shown in this session"
    body = ask("POST", "/v1/chat", {"message": "x", "agent_id": "researcher"}).content
    assert completed(body)["agent_used"] == "researcher"


def test_an_async_agent_is_refused_when_it_is_given(formation: EmbeddedFormation) -> None:
    async def assistant(turn: Turn) -> str:
        return ""

    agent: Any = assistant
    with pytest.raises(ConfigurationError, match="'assistant' is async"):
        formation.agent("assistant", agent)


def test_a_generator_yields_deltas_as_they_are(formation: EmbeddedFormation, call: Call) -> None:
    def assistant(turn: Turn) -> Iterator[Part]:
        yield "one two "
        yield "three"

    formation.agent("assistant", assistant)
    body = call("POST", "/v1/chat", {"message": "x"}).content
    assert deltas(body) == ["one two ", "three"]
    assert completed(body)["content"] == "one two three"


def test_an_agent_may_reply_nothing(formation: EmbeddedFormation, ask: Call) -> None:
    formation.agent("assistant", lambda turn: "")
    body = ask("POST", "/v1/chat", {"message": "x"}).content
    assert deltas(body) == []
    assert completed(body)["content"] == ""


def test_a_pause_is_spent_on_the_clock_with_keepalives(
    formation: EmbeddedFormation, clock: ManualClock, call: Call
) -> None:
    def assistant(turn: Turn) -> Iterator[Part]:
        yield Pause(0.5)
        yield "a"
        yield Pause(2.5)
        yield "b"

    formation.agent("assistant", assistant)
    body = call("POST", "/v1/chat", {"message": "x"}).content
    assert clock.monotonic() == pytest.approx(3.0)
    assert body.count(KEEPALIVE) == 2 + 2
    assert completed(body)["processing_time_ms"] == pytest.approx(3000, abs=1)
    assert tokens(body)[-2]["timestamp"] - tokens(body)[-3]["timestamp"] == pytest.approx(2.5)


def test_pace_and_opening_pause_are_spent_on_the_clock(clock: ManualClock, build: Build) -> None:
    formation = EmbeddedFormation(clock=clock, pace=0.25, opening_pause=1.0)
    response = MemoryTransport(formation).send(build("POST", "/v1/chat", {"message": "one two"}))
    times = [(chunk[:20], clock.monotonic()) for chunk in response.chunks()]
    assert [moment for _, moment in times[:3]] == [0.0, 1.0, 1.0]
    assert times[-1][1] == pytest.approx(1.0 + 4 * 0.25)


def test_a_question_ends_the_turn(formation: EmbeddedFormation, call: Call) -> None:
    formation.agent("assistant", lambda turn: Question("Which one?", ("red", "blue")))
    body = call("POST", "/v1/chat", {"message": "x", "request_id": "r"}).content
    assert completed(body)["status"] == "awaiting_clarification"
    assert completed(body)["clarification"] is True
    ui = body.split(b"event: ui\ndata: ")[1].split(b"\n\n")[0]
    (widget,) = json.loads(ui)["ui"]
    assert widget["id"].startswith("ui_")
    assert [option["value"] for option in widget["options"]] == ["red", "blue"]
    assert data(call("GET", "/v1/requests/r"))["status"] == "awaiting_clarification"


def test_widgets_come_beside_the_answer(formation: EmbeddedFormation, ask: Call) -> None:
    link = {"type": "action_link", "id": "ui_1", "label": "Pay", "url": "https://pay.test"}

    def assistant(turn: Turn) -> Iterator[Part]:
        yield "Here: "
        yield Widgets((link,))

    formation.agent("assistant", assistant)
    body = ask("POST", "/v1/chat", {"message": "x"}).content
    ui = b"event: ui\ndata: " + json.dumps({"ui": [link]}, separators=(",", ":")).encode() + b"\n\n"
    assert body.endswith(ui + DONE)
    assert data(ask("POST", "/v1/chat", {"message": "x", "stream": False}))["message"]["ui"] == [link]


def test_a_broken_model_stream_stops_the_deltas_and_not_the_answer(formation: EmbeddedFormation, call: Call) -> None:
    formation.agent("assistant", lambda turn: Discontinuity("one two three four", after=2))
    body = call("POST", "/v1/chat", {"message": "x"}).content
    assert deltas(body) == ["one ", "two "]
    assert completed(body)["content"] == "one two three four"
    assert completed(body)["stream_discontinuity"] is True


def failing_at_once(turn: Turn) -> str:
    raise RuntimeError("no model")


def failing_on_the_way(turn: Turn) -> Iterator[Part]:
    yield "Let me "
    raise RuntimeError("no model")


@pytest.mark.parametrize("agent", [failing_at_once, failing_on_the_way, lambda turn: Failure("no model")])
def test_a_turn_that_fails_says_so(formation: EmbeddedFormation, call: Call, agent: Any) -> None:
    formation.agent("assistant", agent)
    response = call("POST", "/v1/chat", {"message": "x", "request_id": "r"})
    assert response.status == 200
    assert (completed(response.content)["status"], completed(response.content)["content"]) == ("error", "no model")
    assert response.content.endswith(DONE)
    assert data(call("GET", "/v1/requests/r"))["error"] == "no model"
    unstreamed = call("POST", "/v1/chat", {"message": "x", "stream": False})
    assert unstreamed.status == 500
    assert json.loads(unstreamed.content)["error"] == {"code": "INTERNAL_ERROR", "message": "no model", "data": None}


@pytest.mark.parametrize("reply", [None, 5, [5]])
def test_a_reply_that_is_none_says_what_one_is(formation: EmbeddedFormation, ask: Call, reply: Any) -> None:
    formation.agent("assistant", lambda turn: reply)
    with pytest.raises(TypeError, match="a reply is a text, an iterable of texts"):
        ask("POST", "/v1/chat", {"message": "x"})


def test_an_unknown_agent_fails_the_turn(ask: Call) -> None:
    streamed = ask("POST", "/v1/chat", {"message": "x", "agent_id": "nobody"})
    assert completed(streamed.content)["content"] == "No agent with ID 'nobody' exists"
    assert ask("POST", "/v1/chat", {"message": "x", "agent_id": "nobody", "stream": False}).status == 500


def test_an_early_failure_ends_the_stream_without_done(formation: EmbeddedFormation, call: Call) -> None:
    formation.agent("assistant", lambda turn: Failure("x" * 300, early=True, type="AttributeError"))
    body = call("POST", "/v1/chat", {"message": "x"}).content
    event = json.dumps({"error": "x" * 200, "type": "AttributeError"}, separators=(",", ":"))
    assert body == KEEPALIVE + f"event: error\ndata: {event}\n\n".encode()
    answer = data(call("POST", "/v1/chat", {"message": "x", "stream": False}))
    assert answer["session_id"] is None
    assert answer["message"]["metadata"] == {"error_code": "INPUT_VALIDATION_ERROR", "error_type": "validation"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"message": "x" * 100_001}, "INPUT_VALIDATION_ERROR"),
        ({"message": "x", "files": [{"filename": "a", "size": 60_000_000}]}, "FILE_VALIDATION_ERROR"),
    ],
)
def test_what_is_too_large_is_answered_with_an_error_text(ask: Call, body: dict[str, Any], code: str) -> None:
    streamed = ask("POST", "/v1/chat", body).content
    assert streamed.startswith(KEEPALIVE + b'event: error\ndata: {"error":"\'MuxiResponse\' object has no attribute')
    answer = data(ask("POST", "/v1/chat", {**body, "stream": False}))
    assert answer["message"]["metadata"]["error_code"] == code


def test_a_silent_turn_holds_the_connection_for_ten_minutes(
    formation: EmbeddedFormation, clock: ManualClock, call: Call
) -> None:
    formation.agent("assistant", lambda turn: Silence())
    body = call("POST", "/v1/chat", {"message": "x", "request_id": "r"}).content
    assert clock.monotonic() == pytest.approx(600)
    assert body.endswith(KEEPALIVE * 600 + DONE)
    assert "completed" not in {token["type"] for token in tokens(body)}
    clock.advance(1)
    status = data(call("GET", "/v1/requests/r"))
    assert (status["status"], status["error"]) == ("failed", "Request timed out (stale request reaper)")


def test_closing_a_stream_cancels_the_turn(formation: EmbeddedFormation, build: Build, ask: Call) -> None:
    closed = []

    def assistant(turn: Turn) -> Iterator[Part]:
        try:
            yield "one "
            yield "two "
        finally:
            closed.append(turn.request_id)

    formation.agent("assistant", assistant)
    response = MemoryTransport(formation).send(build("POST", "/v1/chat", {"message": "x", "request_id": "r"}))
    chunks = response.chunks()
    while b'"type":"content"' not in next(chunks):
        assert data(ask("GET", "/v1/requests/r"))["status"] == "processing"
    response.close()
    assert list(chunks) == []
    assert closed == ["r"]
    assert data(ask("GET", "/v1/requests/r"))["status"] == "cancelled"
    assert data(ask("GET", "/v1/sessions"))["count"] == 1


def test_closing_a_stream_unread_cancels_the_turn(formation: EmbeddedFormation, build: Build, ask: Call) -> None:
    response = MemoryTransport(formation).send(build("POST", "/v1/chat", {"message": "x", "request_id": "r"}))
    response.close()
    assert data(ask("GET", "/v1/requests/r"))["status"] == "cancelled"


def test_a_stream_closed_after_its_answer_was_not_cancelled(
    formation: EmbeddedFormation, build: Build, ask: Call
) -> None:
    response = MemoryTransport(formation).send(build("POST", "/v1/chat", {"message": "x", "request_id": "r"}))
    chunks = response.chunks()
    while b'"type":"completed"' not in next(chunks):
        pass
    response.close()
    assert data(ask("GET", "/v1/requests/r"))["status"] == "completed"


def test_a_cancelled_turn_stops_at_its_next_checkpoint(formation: EmbeddedFormation, build: Build, ask: Call) -> None:
    response = MemoryTransport(formation).send(build("POST", "/v1/chat", {"message": "a b c", "request_id": "r"}))
    chunks = response.chunks()
    while b'"type":"content"' not in next(chunks):
        pass
    for _ in range(2):
        assert data(ask("DELETE", "/v1/requests/r"))["cancellation"] == "cooperative"
        assert data(ask("GET", "/v1/requests/r"))["status"] == "processing"
    assert b"".join(chunks) == DONE
    assert data(ask("GET", "/v1/requests/r"))["status"] == "cancelled"


def test_the_stream_of_a_cancelled_turn_hangs_where_it_shall(clock: ManualClock, build: Build) -> None:
    formation = EmbeddedFormation(clock=clock, imitate=[Defect.CANCELLED_STREAMS_HANG])
    response = MemoryTransport(formation).send(build("POST", "/v1/chat", {"message": "a b c", "request_id": "r"}))
    chunks = response.chunks()
    while b'"type":"content"' not in next(chunks):
        pass
    tracked = formation.tracker.get("r")
    assert tracked is not None
    tracked.cancel_requested = True
    assert b"".join(chunks) == KEEPALIVE * 600 + DONE


def test_a_cancelled_turn_that_is_not_streamed_answers_with_nothing(
    formation: EmbeddedFormation, clock: ManualClock, build: Build
) -> None:
    def assistant(turn: Turn) -> Iterator[Part]:
        tracked = formation.tracker.get(turn.request_id)
        assert tracked is not None
        tracked.cancel_requested = True
        yield "never said"

    formation.agent("assistant", assistant)
    request = build("POST", "/v1/chat", {"message": "x", "stream": False, "session_id": "s"})
    answer = json.loads(MemoryTransport(formation).send(request).read())["data"]["message"]
    assert (answer["content"], answer["metadata"]) == ("", {"cancelled": True, "session_id": "s"})


def slow(turn: Turn) -> Iterator[Part]:
    yield Pause(10)
    yield f"slow {turn.message}"


def test_an_idempotency_key_gets_the_same_bytes_again(call: Call) -> None:
    def chat(message: str, user: str = "alice", key: str = "k") -> bytes:
        body = {"message": message, "stream": False}
        return call("POST", "/v1/chat", body, user=user, headers={"X-Muxi-Idempotency-Key": key}).content

    first = chat("one")
    assert json.loads(first)["request"]["idempotency_key"] == "k"
    assert chat("another body") == first
    assert chat("one", user="bob") != first
    assert chat("one", key="other") != first
    assert chat("one", key="") != chat("one", key="")


def test_a_stream_is_not_replayed(call: Call) -> None:
    headers = {"X-Muxi-Idempotency-Key": "k"}
    first = call("POST", "/v1/chat", {"message": "x"}, headers=headers)
    second = call("POST", "/v1/chat", {"message": "x"}, headers=headers)
    assert tokens(first.content)[0]["request_id"] != tokens(second.content)[0]["request_id"]


def test_errors_are_not_replayed(formation: EmbeddedFormation, ask: Call) -> None:
    replies: list[Any] = [Failure("not now"), "now"]
    formation.agent("assistant", lambda turn: replies.pop(0))
    headers = {"X-Muxi-Idempotency-Key": "k"}
    body = {"message": "x", "stream": False}
    assert ask("POST", "/v1/chat", body, headers=headers).status == 500
    assert data(ask("POST", "/v1/chat", body, headers=headers))["message"]["content"] == "now"


def test_a_replay_is_forgotten_after_a_day(clock: ManualClock, ask: Call) -> None:
    headers = {"X-Muxi-Idempotency-Key": "k"}
    body = {"message": "x", "stream": False}
    first = ask("POST", "/v1/chat", body, headers=headers).content
    clock.advance(24 * 3600)
    assert ask("POST", "/v1/chat", body, headers=headers).content == first
    clock.advance(1)
    assert ask("POST", "/v1/chat", body, headers=headers).content != first


def test_a_repeated_call_joins_the_one_that_still_runs(
    formation: EmbeddedFormation, clock: ManualClock, build: Build, ask: Call
) -> None:
    asked: list[str] = []

    def assistant(turn: Turn) -> Iterator[Part]:
        asked.append(turn.message)
        return slow(turn)

    formation.agent("assistant", assistant)
    headers = {"X-Muxi-Idempotency-Key": "k"}
    request = build("POST", "/v1/chat", {"message": "x", "stream": False}, headers=headers)
    request.timeouts = Timeouts(read=4)
    with pytest.raises(TimeoutError):
        MemoryTransport(formation).send(request)
    answer = ask("POST", "/v1/chat", {"message": "x", "stream": False}, headers=headers)
    assert data(answer)["message"]["content"] == "slow x"
    assert asked == ["x"]
    assert clock.monotonic() == pytest.approx(10)


def test_a_turn_that_is_not_streamed_goes_on_without_its_client(
    formation: EmbeddedFormation, clock: ManualClock, build: Build, ask: Call
) -> None:
    formation.agent("assistant", slow)
    request = build("POST", "/v1/chat", {"message": "x", "stream": False, "request_id": "r"})
    request.timeouts = Timeouts(total=4)
    with pytest.raises(TimeoutError):
        MemoryTransport(formation).send(request)
    clock.advance(5)
    assert data(ask("GET", "/v1/requests/r"))["status"] == "processing"
    clock.advance(2)
    assert data(ask("GET", "/v1/requests/r"))["result"] == "slow x"


def test_simultaneous_calls_with_one_key_do_the_work_once(formation: EmbeddedFormation, build: Build) -> None:
    asked: list[str] = []
    together = threading.Barrier(3)

    def assistant(turn: Turn) -> str:
        asked.append(turn.message)
        return "once"

    formation.agent("assistant", assistant)
    answers: list[bytes] = []

    def chat() -> None:
        together.wait(10)
        headers = {"X-Muxi-Idempotency-Key": "k"}
        request = build("POST", "/v1/chat", {"message": "x", "stream": False}, headers=headers)
        answers.append(MemoryTransport(formation).send(request).read())

    threads = [threading.Thread(target=chat) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 3
    assert len(set(answers)) == 1
    assert asked == ["x"]
