"""Framing in detail: limits and their errors, characters around fields, comments, and what is read without a parser."""

from __future__ import annotations

import importlib.util
import sys
import tracemalloc
import types
from collections.abc import Iterator

import pytest

from muxi.streaming import sse
from muxi.streaming.sse import MAX_EVENT_BYTES, MAX_EVENT_LINES, EventTooLarge, Framer, decode, read_blocks

#: Each byte that ends no line.
BYTES = [bytes([code]) for code in range(256) if code not in b"\r\n"]


def refused(framer: Framer, chunk: bytes) -> EventTooLarge:
    with pytest.raises(EventTooLarge) as caught:
        framer.feed(chunk)
    return caught.value


# Limits


def test_an_event_may_have_64_mebibytes_and_10_000_lines() -> None:
    assert Framer().limit == MAX_EVENT_BYTES == 67_108_864
    assert MAX_EVENT_LINES == 10_000


def test_the_error_about_bytes_says_the_limit_and_so_do_those_after_it() -> None:
    framer = Framer(limit=10)
    for chunk in (b"data: 3456\n\n", b"data: 1\n\n"):
        error = refused(framer, chunk)
        assert str(error) == "an event of the stream is larger than 10 bytes"
        assert (error.limit, error.lines, error.blocks) == (10, None, b"")


def test_the_error_about_lines_says_the_limit_and_so_do_those_after_it() -> None:
    framer = Framer()
    for chunk in (b"data: x\n" * 10_001 + b"\n", b"data: 1\n\n"):
        error = refused(framer, chunk)
        assert str(error) == "an event of the stream has more than 10000 lines"
        assert (error.limit, error.lines, error.blocks) == (MAX_EVENT_BYTES, 10_000, b"")


@pytest.mark.parametrize("between", [b"\n", b"\n\n", b"\n\n\n"])
@pytest.mark.parametrize("first", [b"data: 345\n", b"id: 3\ndata\n"])
def test_each_event_of_a_chunk_has_the_whole_limit_and_not_a_byte_more(first: bytes, between: bytes) -> None:
    limit = len(first)
    most = b"data:" + b"x" * (limit - 6)
    assert len(decode(Framer(limit).feed(first + between + most + b"\n\n"))) == 2
    error = refused(Framer(limit), first + between + most + b"x\n\n" + first + b"\n")
    assert decode(error.blocks) == read_blocks(first + b"\n")


def test_a_comment_that_arrives_neither_adds_to_an_unfinished_event_nor_takes_from_it() -> None:
    framer = Framer(limit=10)
    assert framer.feed(b"data: 345\n: keep") == b""
    assert decode(framer.feed(b"alive\n\n")) == [("message", "345")]
    refused(Framer(limit=10), b"data: 3456\n:")


def test_a_comment_that_never_ends_takes_no_memory() -> None:
    framer = Framer(limit=100)
    framer.feed(b": ")
    tracemalloc.start()
    try:
        for _ in range(100):
            framer.feed(b"k" * 10_000)
        assert tracemalloc.get_traced_memory()[0] < 50_000
    finally:
        tracemalloc.stop()
    assert decode(framer.feed(b"\ndata: 1\n\n")) == [("message", "1")]
    assert framer.comments == 1


# Lines and their fields


def test_only_a_line_end_ends_a_line() -> None:
    for byte in BYTES:
        text = byte.decode(errors="replace")
        assert read_blocks(b"id: 1\ndata: " + byte + b"\n\n") == [("message", text)]
        assert read_blocks(b"data: 1" + byte + b"\n\n") == [("message", "1" + text)]
        assert read_blocks(b"event: e" + byte + b"\n\n") == [("e" + text, "")]


def test_a_character_before_the_name_of_a_field_makes_it_another_field() -> None:
    for byte in BYTES:
        assert read_blocks(byte + b"data: 1\n\n") == []
        assert read_blocks(b"\n" + byte + b"event: e\n\n") == []
        assert read_blocks(b"data: 1\n\n" + byte + b"data: 2\n\n") == [("message", "1")]
        assert read_blocks(b"data: 1\n" + byte + b"data: 2\n\n") == [("message", "1")]
        assert read_blocks(b"event: e\n" + byte + b"data: 2\n\n") == [("e", "")]


@pytest.mark.parametrize(("value", "events"), [("", []), (" ", []), ("  ", [(" ", "")]), (" ~", [("~", "")])])
def test_the_name_of_an_event_is_what_follows_one_space(value: str, events: list[tuple[str, str]]) -> None:
    assert read_blocks(f"event:{value}\n\n".encode()) == events


@pytest.mark.parametrize("comment", [b":", b": data: 2", b":data: 2", b":data", b"::"])
@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        pytest.param(b"", b"data: 1\n\n", ["1"], id="first"),
        pytest.param(b"data: 1\n", b"\n", ["1"], id="last of an event"),
        pytest.param(b"data: 1\n", b"data: 3\n\n", ["1\n3"], id="within an event"),
        pytest.param(b"data: 1\n\n", b"data: 3\n\n", ["1", "3"], id="between two events"),
        pytest.param(b"data: 1\n\n", b"", ["1"], id="after the events"),
    ],
)
def test_a_comment_is_counted_and_is_no_part_of_an_event(
    before: bytes, comment: bytes, after: bytes, events: list[str]
) -> None:
    framer = Framer()
    blocks = framer.feed(before + comment + b"\n" + after)
    assert [event.data for event in decode(blocks)] == events
    assert framer.comments == 1
    assert blocks == Framer().feed(before + after)


def test_a_line_end_of_two_characters_stays_one_when_an_empty_chunk_comes_between_them() -> None:
    framer = Framer()
    assert b"".join(map(framer.feed, [b"data: 1\r", b"", b"\ndata: 2\r", b"", b"\n"])) == b""
    assert decode(framer.feed(b"\r")) == [("message", "1\n2")]


# Without copies, without a parser


@pytest.fixture
def other_parser(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """An empty module in the place of ``sseclient``."""
    module = types.ModuleType("sseclient")
    monkeypatch.setitem(sys.modules, "sseclient", module)
    sse._client_class.cache_clear()
    yield module
    sse._client_class.cache_clear()


@pytest.mark.parametrize(
    "chunk", [b"data: 1\n\n", b"data:\n\n", b"data: 1\n\ndata:2\n\n", b"data:data:\n\ndata: \n\ndata::\n\n"]
)
def test_a_chunk_of_whole_events_of_one_line_is_handed_on_without_a_copy(chunk: bytes) -> None:
    framer = Framer()
    assert framer.feed(chunk) is chunk
    assert framer.feed(chunk) is chunk


def test_events_of_one_line_are_read_without_the_parser(other_parser: types.ModuleType) -> None:
    class Unused:
        def __init__(self, chunks: object) -> None:
            raise AssertionError("the parser was called")

        events = None

    other_parser.SSEClient = Unused  # type: ignore[attr-defined]  # the module is made here
    assert read_blocks(b"data: 1\n\ndata:2\n\n\ndata:\n\n") == [("message", "1"), ("message", "2"), ("message", "")]
    with pytest.raises(AssertionError, match="the parser was called"):
        read_blocks(b"data: 1\n\nid: 2\ndata: 2\n\n")


def test_the_parser_is_loaded_for_the_first_event_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.find_spec("muxi.streaming.sse")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "sseclient", None)  # its import fails
    spec.loader.exec_module(module)
    assert module.read_blocks(b": keepalive\n\n") == []
    with pytest.raises(ImportError, match="sseclient"):
        module.read_blocks(b"data: 1\n\n")


@pytest.mark.parametrize("members", [{}, {"SSEClient": type("SSEClient", (), {"iter_content": None})}])
def test_the_unrelated_package_of_the_same_name_is_told_apart(
    other_parser: types.ModuleType, members: dict[str, object]
) -> None:
    vars(other_parser).update(members)
    assert read_blocks(b": keepalive\n\n") == []  # no event, no parser
    with pytest.raises(ImportError) as caught:
        decode(b"data: 1\n\n")
    assert str(caught.value) == (
        "the package imported as 'sseclient' is not sseclient-py but the unrelated 'sseclient' distribution; "
        "run: pip uninstall sseclient sseclient-py && pip install sseclient-py"
    )
