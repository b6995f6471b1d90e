"""Framing: any bytes, cut anywhere, give what a plain reading of the WHATWG rules gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sseclient import SSEClient

from muxi.streaming import sse
from muxi.streaming.sse import MAX_EVENT_LINES, EventTooLarge, Framer, ServerSentEvent, decode, json_object, read_blocks


class Reading(NamedTuple):
    """What came of a stream."""

    events: list[tuple[str, str]]
    comments: int
    #: Whether it was given up because an event was too large.
    too_large: bool = False


def read_by_the_rules(stream: bytes) -> Reading:
    """Section 9.2.6 of the HTML standard, word by word; only that a block without data is kept if it has a name."""
    text = stream.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff")
    lines: list[str] = []
    line = ""
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\r" and text[position : position + 1] == "\n":
            position += 1
        if character in "\r\n":
            lines.append(line)
            line = ""
        else:
            line += character
    # A line that has not ended belongs to a block that has not ended, which is discarded.
    events: list[tuple[str, str]] = []
    comments = 0
    data = name = ""
    for line in lines:
        if line == "":
            if data or name:
                events.append((name or "message", data.removesuffix("\n")))
            data = name = ""
            continue
        if line[0] == ":":
            comments += 1
            continue
        field, colon, value = line.partition(":")
        if colon and value[:1] == " ":
            value = value[1:]
        if field == "event":
            name = value
        elif field == "data":
            data += value + "\n"
    return Reading(events, comments)


def read_in_pieces(pieces: Iterable[bytes], limit: int = sse.MAX_EVENT_BYTES) -> Reading:
    framer = Framer(limit)
    events: list[ServerSentEvent] = []
    for piece in pieces:
        try:
            events += decode(framer.feed(piece))
        except EventTooLarge as error:
            return Reading([(event, data) for event, data in [*events, *decode(error.blocks)]], 0, too_large=True)
    return Reading([(event, data) for event, data in events], framer.comments)


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    marks = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[start:end] for start, end in pairwise(marks)]


def singly(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


FRAGMENTS = [
    *(
        b"data",
        b"event",
        b"id",
        b"retry",
        b"date",
        b"Data",
        b" data",
        b"\xef\xbb\xbfdata",
        b"data:",
        b"event:",
        b"data: ",
    ),
    *(
        b"event: done",
        b"data: {}",
        b": keepalive",
        b":",
        b"::",
        b" ",
        b"  ",
        b"\t",
        b"\0",
        b"\x0b",
        b"\x0c",
        b"\x1c",
        b"\x1e",
    ),
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r", b"\n\r\n", b"\r\n\n"),
    *(
        b"\xef\xbb\xbf",
        b"\xef",
        b"\xef\xbb",
        b"\xff",
        b"\xc3",
        b"\xc3\xa9",
        b"\xe2\x82",
        b"\xf0\x9f\x98\x80",
        b"\xed\xa0\x80",
    ),
    *("\u2028".encode(), "\u2029".encode(), "\x85".encode(), b"x", b"grapes", b"\xe2\x80"),
]
LINES = st.builds(
    lambda parts, end: b"".join(parts) + end,
    st.lists(st.sampled_from(FRAGMENTS), max_size=4),
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b""]),
)
#: Lines that are near to fields and comments, each alone or with the empty line that ends an event.
NEAR_FIELDS = st.builds(
    bytes.join,
    st.sampled_from([b"\n", b"\r", b"\r\n"]),
    st.lists(
        st.sampled_from(
            [
                *(b"data: 1", b"data:2", b"data", b"data:", b"event: e", b"event:", b"event: ", b"id: 1", b"\xef"),
                *(b":", b": c", b":data: 3", b" data: 4", b"xdata: 5", b"data: \xff", b"\xef\xbb\xbfdata: 6"),
                *([b""] * 8),
            ]
        ),
        max_size=12,
    ),
)
STREAMS = st.one_of(
    NEAR_FIELDS,
    st.lists(LINES, max_size=12).map(b"".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(b"".join),
    st.binary(max_size=60),
)
#: The same examples in every run, and no timing.
steadily = settings(derandomize=True, deadline=None, max_examples=3 * settings().max_examples)
PLACES = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)


@steadily
@given(STREAMS, PLACES)
def test_any_stream_cut_anywhere_reads_as_the_standard_says(stream: bytes, places: list[int]) -> None:
    expected = read_by_the_rules(stream)
    assert read_in_pieces(cut(stream, places)) == expected
    assert read_in_pieces(singly(stream)) == expected
    assert read_in_pieces([stream]) == expected


#: What may stand behind ``data:`` on a line, and events of one such line, which the framer leaves to the own reader.
_DATA = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
_PLAIN = st.builds("data:{}{}\n\n".format, st.sampled_from(["", " ", "  ", "\t"]), _DATA)
_OTHER = st.sampled_from(
    ["data\n\n", "data: a\ndata: b\n\n", "event: e\ndata: a\n\n", "data: a\nid: 1\n\n", "retry: 5\ndata:\n\n"]
)


@steadily
@given(st.one_of(st.lists(_PLAIN, max_size=8), st.lists(st.one_of(_PLAIN, _OTHER), max_size=8)).map("".join))
def test_the_reader_of_plain_blocks_gives_what_sseclient_py_gives(stream: str) -> None:
    blocks = Framer().feed(stream.encode())
    assert blocks.decode() == stream
    assert decode(blocks) == [(event.event, event.data) for event in SSEClient(iter((blocks,))).events()]


@steadily
@given(STREAMS)
def test_whatever_the_framer_hands_over_reads_as_sseclient_py_reads_it(stream: bytes) -> None:
    blocks = Framer().feed(stream)
    assert decode(blocks) == [(event.event, event.data) for event in SSEClient(iter((blocks,))).events()]


@steadily
@given(STREAMS, PLACES)
def test_a_stream_in_two_pieces_reads_the_same_wherever_it_is_cut(stream: bytes, places: list[int]) -> None:
    expected = read_by_the_rules(stream)
    for place in range(len(stream) + 1):
        assert read_in_pieces([stream[:place], b"", stream[place:]]) == expected


@steadily
@given(STREAMS, PLACES, st.integers(min_value=1, max_value=40))
def test_the_size_limit_does_not_depend_on_how_a_stream_is_cut(stream: bytes, places: list[int], limit: int) -> None:
    whole = read_in_pieces([stream], limit)
    assert read_in_pieces(singly(stream), limit) == whole
    assert read_in_pieces(cut(stream, places), limit) == whole
    unlimited = read_by_the_rules(stream)
    if whole.too_large:
        assert whole.events == unlimited.events[: len(whole.events)]
    else:
        assert whole == unlimited


@pytest.mark.parametrize("pieces", [lambda s: [s], singly], ids=["whole", "byte by byte"])
def test_an_event_as_large_as_the_limit_is_read_and_one_byte_more_is_refused(
    pieces: Callable[[bytes], list[bytes]],
) -> None:
    event = b"data: 345\n"
    assert read_in_pieces(pieces(event + b"\n"), 10).events == [("message", "345")]
    assert read_in_pieces(pieces(b"data: 3456\n\n"), 10) == Reading([], 0, too_large=True)
    assert read_in_pieces(pieces(b"data: 3\ndata: 4\n\n"), 15).too_large
    assert read_in_pieces(pieces(b"\n\n\n" + event + b"\n\n\n" + event + b"\n"), 10).events == [("message", "345")] * 2


@pytest.mark.parametrize("first", [b"d", b"\xbb", b"\xefx", b"\xef\xbc"])
def test_a_short_first_chunk_is_not_held_back(first: bytes) -> None:
    with pytest.raises(EventTooLarge):
        Framer(limit=0).feed(first)


def test_a_short_first_comment_is_counted_at_once() -> None:
    framer = Framer()
    framer.feed(b":\n")
    assert framer.comments == 1


def test_the_beginning_of_a_byte_order_mark_is_held_back() -> None:
    framer = Framer(limit=0)
    assert [framer.feed(piece) for piece in (b"\xef", b"\xbb", b"\xbf:\n")] == [b""] * 3
    assert framer.comments == 1


@pytest.mark.parametrize("data", ['{"a": 1}', ' {"a": 1}', '{"a": 1} \t\r\n', '\r\n{"a": 1}\n'])
def test_white_space_around_a_json_object_is_no_part_of_it(data: str) -> None:
    assert json_object(data) == {"a": 1}


@pytest.mark.parametrize(
    "data", ["", "{", '{"a": 1}~', '{"a": 1} x', '{"a": 1}{"b": 2}', "[1]", '"a"', "1", "null", "[" * 100_000]
)
def test_any_other_data_is_no_json_object(data: str) -> None:
    assert json_object(data) is None


def test_comments_and_line_ends_of_any_kind_are_no_part_of_an_event_s_size() -> None:
    stream = b": " + b"k" * 500 + b"\r\ndata: 345\r\n: keepalive\r\n\r\n"
    assert read_in_pieces([stream], 10) == Reading([("message", "345")], 2)
    assert read_in_pieces(singly(stream), 10) == Reading([("message", "345")], 2)


def test_an_event_of_too_many_lines_is_refused_and_one_of_the_most_is_read() -> None:
    most = b"data: x\n" * MAX_EVENT_LINES + b"\n"
    assert [event.data for event in read_blocks(most)] == ["\n".join(["x"] * MAX_EVENT_LINES)]

    with pytest.raises(EventTooLarge, match=f"has more than {MAX_EVENT_LINES} lines") as caught:
        Framer().feed(b"data: before\n\n" + b"data: x\n" * 200_000 + b"\n")
    assert [event.data for event in decode(caught.value.blocks)] == ["before"]


def test_events_before_one_that_is_too_large_are_not_lost() -> None:
    framer = Framer(limit=10)
    with pytest.raises(EventTooLarge, match="larger than 10 bytes") as caught:
        framer.feed(b"data: 1\n\ndata: " + b"x" * 10 + b"\n\ndata: 3\n\n")
    assert decode(caught.value.blocks) == [("message", "1")]
    with pytest.raises(EventTooLarge) as again:
        framer.feed(b"data: 4\n\n")
    assert again.value.blocks == b""


def test_an_endless_event_is_refused_as_soon_as_it_is_too_large() -> None:
    framer = Framer(limit=1000)
    for _ in range(10):
        framer.feed(b"x" * 100)
    with pytest.raises(EventTooLarge):
        framer.feed(b"x")


def test_a_recorded_stream_with_an_event_that_is_too_large_raises() -> None:
    with pytest.raises(EventTooLarge):
        read_blocks(b"data: 123456789\n\n", limit=10)


def test_an_event_of_eight_megabytes_arrives_in_small_pieces() -> None:
    stream = b"data: " + b"x" * (8 << 20) + b"\n\n"
    reading = read_in_pieces(stream[at : at + 1024] for at in range(0, len(stream), 1024))
    assert [(name, len(data)) for name, data in reading.events] == [("message", 8 << 20)]


def test_comments_that_never_end_a_block_are_counted_and_forgotten() -> None:
    framer = Framer(limit=100)
    for _ in range(1000):
        assert framer.feed(b": keepalive\n") == b""
    assert framer.comments == 1000


def test_a_comment_counts_when_its_line_has_ended() -> None:
    framer = Framer()
    framer.feed(b"data: 1\n: keep")
    assert framer.comments == 0
    framer.feed(b"alive\r")
    assert framer.comments == 1


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b"event: done\n\n", [("done", "")], id="an event without data is kept"),
        pytest.param(b"event: a\nevent:\n\n", [], id="unless its name was taken back"),
        pytest.param(b"id: 1\n\n", [], id="a block without name and data is nothing"),
        pytest.param(b'data: 1\n\ndata: {"par', [("message", "1")], id="an unterminated block is nothing"),
        pytest.param(b"data: 1\ndata: 2\n", [], id="nor is one that lacks its empty line"),
        pytest.param(b"data\n\n", [("message", "")], id="an empty data field is data"),
        pytest.param(b"data: 1\n\r\ndata: 2\n\r\n", [("message", "1"), ("message", "2")], id="mixed line ends"),
        pytest.param(b"\xef\xbb\xbfdata: 1\n\n", [("message", "1")], id="a byte order mark is dropped"),
        pytest.param(b"data: \xff\xc3\n\n", [("message", "\ufffd\ufffd")], id="invalid UTF-8 is replaced"),
        pytest.param("data: a\u2028b\x85c\n\n".encode(), [("message", "a\u2028b\x85c")], id="three ends of line only"),
        pytest.param(b"data: 1\ndata:  2\n\n", [("message", "1\n 2")], id="data lines are joined"),
    ],
)
def test_what_a_stream_means(stream: bytes, events: list[tuple[str, str]]) -> None:
    assert read_blocks(stream) == events
    assert read_by_the_rules(stream).events == events


def test_a_block_is_handed_over_with_the_byte_that_ends_it() -> None:
    framer = Framer()
    assert framer.feed(b"data: 1\r") == b""
    assert decode(framer.feed(b"\r")) == [("message", "1")]
    assert framer.feed(b"\n") == b""
