"""What frames mean: the mapping of chat frames to events, and how a stream ends."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from muxi.errors import ServerError, StreamInterrupted, TurnFailed
from muxi.streaming.chat import ChatReader, EventReader, FrameReader, check_turn, reader_for, remainder
from muxi.streaming.sse import Framer

DONE = b'event: done\ndata: {"finished":true}\n\n'


def token(kind: object, content: object = "", **more: object) -> bytes:
    return b"data: " + json.dumps({"token": {"type": kind, "content": content, **more}}).encode() + b"\n\n"


def read(*pieces: bytes) -> ChatReader:
    reader = ChatReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def said(reader: ChatReader) -> str:
    return "".join(event.get("text", "") for event in reader.ready if event["type"] == "text")


def test_an_event_answers_both_generations_of_code() -> None:
    frame = token("content", "Hello", stage="response_generation")
    [event] = read(frame).ready
    assert event == {
        "type": "text",
        "text": "Hello",
        "event": "message",
        "data": frame.decode()[len("data: ") : -2],
        "token": {"type": "content", "content": "Hello", "stage": "response_generation"},
    }


@pytest.mark.parametrize("kind", ["thinking", "planning", "progress", "of a newer runtime"])
def test_tokens_of_other_kinds_keep_their_type_and_are_no_text_of_the_answer(kind: str) -> None:
    reader = read(token(kind, "Hm."))
    assert [(event["type"], event["text"]) for event in reader.ready] == [(kind, "Hm.")]
    assert said(reader) == ""


@pytest.mark.parametrize("content", [None, 5, ["a"]])
@pytest.mark.parametrize("kind", [None, 5, {"a": 1}, ""])
def test_a_token_with_fields_of_unknown_types_is_still_an_event(kind: object, content: object) -> None:
    [event] = read(token(kind, content)).ready
    assert event["type"] == "message"
    assert isinstance(event["text"], str)


@pytest.mark.parametrize("data", [b"no json", b"[1]", b"{}", b'{"token": 5}', b"[" * 100_000, b"9" * 5_000])
def test_a_frame_that_nobody_knows_is_handed_on_as_it_is(data: bytes) -> None:
    [event] = read(b"event: news\ndata: " + data + b"\n\n").ready
    assert event == {"type": "news", "event": "news", "data": data.decode()}


def test_text_of_an_unknown_shape_counts_as_said() -> None:
    reader = read(b'data: {"type": "text", "text": "Hello"}\n\n', token("completed", "Hello you"))
    assert said(reader) == "Hello you"


def test_done_is_the_last_event_and_nothing_after_it_counts() -> None:
    reader = read(token("completed", "Hi") + DONE + token("content", "late"), token("content", "later"))
    reader.end()
    assert [event["type"] for event in reader.ready] == ["text", "completed", "done"]
    assert reader.finished
    assert reader.failure is None


@pytest.mark.parametrize("done", [b"event: done\n\n", b"event: done\ndata\n\n", b"event:done\r\ndata: x\r\n\r\n"])
def test_done_needs_no_data(done: bytes) -> None:
    assert read(done).finished


def test_the_result_is_the_completed_text_with_what_was_said_about_it() -> None:
    widget = {"type": "options", "id": "ui_1"}
    reader = read(
        token("content", "Hi"),
        token("completed", "Hi!", status="success", session_id="s", artifacts=[{"filename": "a"}], timestamp=1.5),
        b"event: ui\ndata: " + json.dumps({"ui": [widget]}).encode() + b"\n\n" + DONE,
    )
    assert reader.result() == {
        "role": "assistant",
        "content": "Hi!",
        "artifacts": [{"filename": "a"}],
        "metadata": {"status": "success", "session_id": "s"},
        "ui": [widget],
    }
    assert [event.get("ui") for event in reader.ready if event["type"] == "ui"] == [[widget]]


def test_done_without_completed_is_no_success() -> None:
    reader = read(token("thinking", "Let me check with you first", session_id="s"), DONE)
    assert reader.failure is None
    with pytest.raises(TurnFailed, match="Let me check with you first") as caught:
        reader.result()
    assert caught.value.code == "NOT_COMPLETED"


def test_a_completed_turn_that_failed_raises_after_the_text_before_it() -> None:
    reader = read(token("content", "Well, "), token("completed", "no such agent", status="error", request_id="req_1"))
    assert said(reader) == "Well, "
    failure = reader.failure
    assert isinstance(failure, TurnFailed)
    assert (failure.code, failure.message, failure.request_id) == ("TURN_FAILED", "no such agent", "req_1")
    assert failure.text == "Well, "


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ('{"error": "no __aiter__", "type": "AttributeError"}', "AttributeError", "no __aiter__"),
        ('{"error": "OVERLOADED", "message": "try later"}', "OVERLOADED", "try later"),
        ('{"error": true, "message": "bus gone"}', "STREAM_ERROR", "bus gone"),
        ("plain words", "STREAM_ERROR", "plain words"),
        ("", "STREAM_ERROR", "the stream failed"),
    ],
)
@pytest.mark.parametrize(("reader", "cls"), [(ChatReader(), TurnFailed), (FrameReader(), ServerError)])
def test_an_error_frame_is_an_error_in_the_wire_s_words(
    reader: EventReader[Any], cls: type[Exception], data: str, code: str, message: str
) -> None:
    reader = type(reader)()
    reader.feed(f"event: error\ndata: {data}\n\n".encode())
    assert type(reader.failure) is cls
    assert reader.failure is not None
    assert (reader.failure.code, reader.failure.message) == (code, message)


def test_an_end_without_done_is_an_interruption_with_what_had_arrived() -> None:
    reader = read(token("content", "Half an ", session_id="s", request_id="req_1"), b'data: {"token": {"type": "con')
    reader.end()
    failure = reader.failure
    assert isinstance(failure, StreamInterrupted)
    assert failure.partial == {
        "role": "assistant",
        "content": "Half an ",
        "metadata": {"session_id": "s", "request_id": "req_1"},
    }
    assert pickle.loads(pickle.dumps(failure)).partial == failure.partial  # noqa: S301  our own


def test_completed_without_done_is_an_interruption_too() -> None:
    reader = read(token("content", "All"), token("completed", "All of it."))
    reader.end()
    assert isinstance(reader.failure, StreamInterrupted)
    assert reader.failure.text == "All of it."


def test_streams_without_a_terminator_simply_end() -> None:
    reader = FrameReader()
    reader.feed(b"event: log\ndata: 1\n\nevent: log\ndata: 2")
    reader.end()
    assert reader.finished
    assert list(reader.ready) == [{"event": "log", "data": "1"}]
    with pytest.raises(TypeError, match="iterate over its events"):
        reader.result()


@pytest.mark.parametrize("kind", [ChatReader, FrameReader])
def test_an_event_that_is_too_large_is_an_interruption_after_the_events_before_it(
    kind: type[EventReader[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muxi.streaming.chat.Framer", lambda: Framer(limit=20))
    reader = kind()
    reader.feed(b"data: 1\n\ndata: 12345678901234567890\n\n")
    reader.end()
    assert [event["data"] for event in reader.ready] == ["1"]
    assert isinstance(reader.failure, StreamInterrupted)
    assert reader.failure.code == "EVENT_TOO_LARGE"
    assert "larger than 20 bytes" in str(reader.failure)


@pytest.mark.parametrize(
    ("deltas", "content", "broken", "rest"),
    [
        pytest.param("", "All.", False, "All.", id="no deltas came"),
        pytest.param("All.", "All.", False, "", id="the deltas said it all"),
        pytest.param("All", "All of it.", True, " of it.", id="the deltas stopped early"),
        pytest.param("All ", "All", False, "", id="white space at the end was cleaned away"),
        pytest.param("\n All", "All", False, "", id="white space at the beginning was cleaned away"),
        pytest.param("A\x00l\x07l", "All", False, "", id="control characters were cleaned away"),
        pytest.param("A\x00ll ", "All of it.", True, "of it.", id="cleaned, and stopped early"),
        pytest.param(" A\x00ll ", "All of it.", True, "of it.", id="cleaned at both ends, and stopped early"),
        pytest.param(
            "A\x00 👩\u200d🚀", "A 👩\u200d🚀 flies", True, " flies", id="joined characters are no control characters"
        ),
        pytest.param("Something else", "All.", True, "All.", id="the answer was begun anew"),
        pytest.param("Something else", "All.", False, "", id="nobody says that the deltas are not the answer"),
        pytest.param("All", "All\n", False, "\n", id="the completed text alone ends in a line feed"),
        pytest.param("", "", False, "", id="nothing was said"),
    ],
)
def test_deltas_and_remainder_say_the_answer_once(deltas: str, content: str, broken: bool, rest: str) -> None:
    assert remainder(deltas, content, broken=broken) == rest


def test_a_reader_is_made_for_the_kind_of_stream_that_a_call_names() -> None:
    assert isinstance(reader_for("chat"), ChatReader)
    assert isinstance(reader_for("frames"), FrameReader)
    assert reader_for("chat") is not reader_for("chat")


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"error_code": "INPUT_VALIDATION_ERROR"}, "INPUT_VALIDATION_ERROR"),
        ({"cancelled": True}, "CANCELLED"),
        ({"status": "error"}, "TURN_FAILED"),
    ],
)
def test_a_failed_turn_that_was_not_streamed_is_told_from_an_answer(metadata: dict[str, object], code: str) -> None:
    message = {"role": "assistant", "content": "no", "metadata": metadata}
    with pytest.raises(TurnFailed) as caught:
        check_turn({"message": message, "request_id": "req_1"})
    assert (caught.value.code, caught.value.request_id, caught.value.text) == (code, "req_1", "no")


@pytest.mark.parametrize(
    "message",
    [None, {}, {"content": "hi", "metadata": {"status": "success"}}, {"status": "processing", "request_id": "r"}],
)
def test_what_did_not_fail_passes(message: object) -> None:
    check_turn({"message": message})
