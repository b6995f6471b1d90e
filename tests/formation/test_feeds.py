"""The streams that are not chats: the log, and feeds of events, also as today's runtime writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.client.endpoints import stream
from muxi.errors import ServerError
from muxi.streaming.call import StreamCall
from muxi.streaming.chat import EventReader, reader_for
from muxi.streaming.feeds import EventFeedReader, LogReader
from muxi.transport import BufferedResponse
from tests.answers import Colour, Playback, events, failure
from tests.conftest import Capture
from tests.formation.methods import calls, endpoints

Load = Callable[[str], Capture]


def read(reader: EventReader[Any], *chunks: bytes) -> list[Any]:
    for chunk in chunks:
        reader.feed(chunk)
    reader.end()
    return list(reader.ready)


def escaped(*payloads: Any) -> bytes:
    """Events as today's runtime writes them: with the text ``\\n\\n`` where line feeds are meant."""
    return b"".join(b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\\n\\n" for payload in payloads)


def test_the_recorded_log(capture: Load) -> None:
    entries = read(LogReader(), capture("lg_user").body)
    assert [(entry["event_type"], entry["level"]) for entry in entries] == [
        ("chat.message", "info"),
        ("system.internal", "error"),
        ("agent.done", "info"),
    ]
    assert entries[0]["message"] == "Grüße\nline2"
    assert entries[0]["data"] == {"agent_id": "assistant", "k": 1}


def test_the_recorded_feed_whose_frames_are_malformed(capture: Load) -> None:
    body = capture("ev_user").body
    assert b"\n" not in body
    happened = read(EventFeedReader(), body)
    assert [(event["type"], event["message"]) for event in happened] == [
        ("chat.message", "Grüße\nline2"),
        ("agent.done", "third"),
    ]


@pytest.mark.parametrize("name", ["ev_user", "lg_user"])
def test_however_the_bytes_are_cut(capture: Load, name: str) -> None:
    body = capture(name).body
    kind = EventFeedReader if name == "ev_user" else LogReader
    whole = read(kind(), body)
    assert whole
    for at in range(len(body)):
        assert read(kind(), body[:at], body[at:]) == whole
    assert read(kind(), *(bytes([byte]) for byte in body)) == whole


NASTY = st.text(st.sampled_from('abc\\"n\n{}: dt\u2028é'), max_size=20)


@given(st.lists(st.dictionaries(NASTY, NASTY, max_size=3), max_size=4), st.lists(st.integers(0, 300), max_size=4))
def test_whatever_the_events_say_and_however_they_are_cut(payloads: list[dict[str, str]], cuts: list[int]) -> None:
    payloads = [{**payload, "type": "t"} for payload in payloads]
    for body in (
        escaped(*payloads),
        b"".join(b"data: " + json.dumps(payload).encode() + b"\n\n" for payload in payloads),
    ):
        edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
        chunks = [body[start:end] for start, end in pairwise(edges)]
        assert read(EventFeedReader(), *chunks) == payloads


def test_a_text_that_looks_like_the_end_of_a_frame_is_a_text() -> None:
    tricky = {"type": "t", "message": '}\n\ndata: {"type": "u"}\\'}
    assert read(EventFeedReader(), escaped(tricky, {"type": "v"})) == [tricky, {"type": "v"}]


def test_frames_as_they_should_be_are_understood_too() -> None:
    body = b': hello\n\nevent: task.done\ndata: {"message": "m"}\n\ndata: {"type": "stream_open"}\r\n\r\ndata: 5\n\n'
    assert read(EventFeedReader(), body) == [
        {"type": "task.done", "message": "m"},
        {"type": "stream_open"},
        {"type": "message", "message": "5"},
    ]


@pytest.mark.parametrize(
    ("reader", "body", "message"),
    [
        (LogReader, b'event: error\ndata: {"error": true, "message": "the bus is gone"}\n\n', "the bus is gone"),
        (LogReader, b"event: error\ndata: broken\n\n", "broken"),
        (EventFeedReader, escaped({"error": "Unauthorized or request not streaming"}), "Unauthorized or request"),
        (EventFeedReader, b'event: error\ndata: {"error": true, "message": "gone"}\n\n', "gone"),
        (EventFeedReader, b"event: error\ndata:\n\n", "the stream failed"),
    ],
)
def test_an_error_in_the_stream_is_raised(
    colour: Colour, reader: type[EventReader[Any]], body: bytes, message: str
) -> None:
    client = colour.formation(BufferedResponse(200, [("content-type", "text/event-stream")], body))
    follow = client.stream_logs if reader is LogReader else client.stream_events
    with pytest.raises(ServerError, match=message) as failed:
        colour.collect(follow)
    assert failed.value.code == "STREAM_ERROR"


def test_lines_of_the_log_that_are_no_json_are_handed_on() -> None:
    assert read(LogReader(), b"event: log\ndata: plain\n\n") == [{"event_type": "log", "message": "plain"}]


def test_a_clean_end_is_an_end_and_silence_is_no_fault(colour: Colour) -> None:
    client = colour.formation(Playback(events(), events('data: {"type":"chat.message"}')))
    assert colour.collect(client.stream_events, "ada") == []
    assert colour.collect(client.stream_events, "ada") == [{"type": "chat.message"}]


def test_there_are_no_watchdogs(colour: Colour) -> None:
    playback = Playback(events(), events())
    client = colour.formation(playback)
    colour.collect(client.stream_events, "ada")
    colour.collect(client.stream_logs, {"level": "info"})
    for request in playback.requests:
        assert (request.timeouts.read, request.timeouts.total, request.timeouts.head) == (None, None, 30.0)


def test_errors_before_the_first_event_are_raised_by_the_call(colour: Colour) -> None:
    with pytest.raises(ServerError, match="No module named"):
        colour.collect(colour.formation(failure(500, message="No module named")).stream_request, "u", "s", "r")


def test_the_filters_of_the_log_may_be_a_mapping_or_arguments(colour: Colour) -> None:
    playback = Playback(events(), events())
    client = colour.formation(playback)
    colour.collect(client.stream_logs, {"level": "info", "user_id": "ada"})
    colour.collect(client.stream_logs, level="info", user_id="ada")
    assert {request.url.partition("?")[2] for request in playback.requests} == {"user_id=ada&level=info"}


def test_all_users_events_take_the_admin_key(colour: Colour) -> None:
    playback = Playback(events(), events(), events())
    client = colour.formation(playback)
    colour.collect(client.stream_events)
    colour.collect(client.stream_session, "", "s")
    colour.collect(client.stream_session, "ada", "s")
    assert [bool(key) for key in playback.header("x-muxi-admin-key")] == [True, True, False]
    assert playback.header("x-muxi-user-id") == [None, None, "ada"]


def test_every_stream_has_a_reader() -> None:
    for name in endpoints(stream):
        call = calls()[name]
        assert isinstance(call, StreamCall)
        assert isinstance(reader_for(call.events), EventReader)
