"""The reader of answers: what it promises between its calls."""

from __future__ import annotations

import ast
import http.client
import re
from pathlib import Path

import pytest

from muxi_transports import http1
from muxi_transports.http1 import AnswerError, AnswerReader, IncompleteAnswer, MalformedAnswer, NoAnswer
from tests.http1.table import CHUNKED, ROWS, Refused, answer


def test_content_comes_out_as_soon_as_it_has_arrived() -> None:
    reader = AnswerReader("GET")

    assert reader.feed(CHUNKED[:-1]) == b""
    assert reader.head is None
    assert reader.feed(CHUNKED[-1:] + b"3\r\none\r\n9\r\ntw") == b"onetw"
    assert reader.head is not None
    assert reader.feed(b"o") == b"o"
    assert not reader.ended


def test_content_that_arrives_alone_is_not_copied() -> None:
    reader = AnswerReader("GET")
    reader.feed(answer(b"Content-Length: 5000"))
    body = b"x" * 4000

    assert reader.feed(body) is body


def test_nothing_is_reusable_before_its_end() -> None:
    reader = AnswerReader("GET")
    seen = [(reader.ended, reader.reusable)]
    for piece in (b"HTTP/1.1 200 OK\r\n", b"Content-Length: 2\r\n\r\n", b"h", b"i"):
        reader.feed(piece)
        seen.append((reader.ended, reader.reusable))

    assert seen == [(False, False)] * 4 + [(True, True)]


@pytest.mark.parametrize(
    "wire", [answer(b"Content-Length: 2", body=b"hi"), CHUNKED + b"2\r\nhi\r\n0\r\n\r\n", answer(body=b"hi")]
)
def test_bytes_after_the_end_are_dropped_and_end_the_connection(wire: bytes) -> None:
    reader = AnswerReader("GET")

    assert reader.feed(wire) == b"hi"
    reader.eof()
    assert reader.ended
    assert reader.feed(b"") == b""
    reusable = reader.reusable
    assert reader.feed(b"HTTP/1.1") == b""
    assert reader.feed(b"") == b""
    assert reader.ended
    assert reusable == (b"\r\n\r\nhi" not in wire or b"Content-Length" in wire)
    assert not reader.reusable
    reader.eof()


def test_a_fault_waits_for_what_came_before_it() -> None:
    reader = AnswerReader("GET")

    assert reader.fault is None
    assert reader.feed(CHUNKED + b"2\r\nhi\r\nx\r\n") == b"hi"
    assert isinstance(reader.fault, MalformedAnswer)
    with pytest.raises(MalformedAnswer) as raised:
        reader.feed(b"2\r\nhi\r\n")
    assert raised.value is reader.fault
    with pytest.raises(MalformedAnswer):
        reader.eof()


def test_a_head_comes_before_the_fault_behind_it() -> None:
    reader = AnswerReader("GET")

    assert reader.feed(CHUNKED + b"x\r\n") == b""
    assert reader.head is not None
    assert reader.fault is not None
    with pytest.raises(MalformedAnswer):
        reader.feed(b"")


def test_a_fault_in_the_head_is_raised_at_once_and_again() -> None:
    reader = AnswerReader("GET")
    with pytest.raises(MalformedAnswer):
        reader.feed(b"HTTP/2.0 200\r\n\r\n")
    fault = reader.fault
    assert isinstance(fault, MalformedAnswer)
    for wire in (b"HTTP/2.0 200\r\n\r\n", answer(b"Content-Length: 0"), b""):
        with pytest.raises(MalformedAnswer) as again:
            reader.feed(wire)
        assert again.value is fault
    with pytest.raises(MalformedAnswer):
        reader.eof()
    assert reader.head is None


def test_an_early_end_is_raised_again() -> None:
    reader = AnswerReader("GET")
    reader.feed(answer(b"Content-Length: 5", body=b"hi"))
    for call in (reader.eof, reader.eof, lambda: reader.feed(b"abc")):
        with pytest.raises(IncompleteAnswer):
            call()
    assert not reader.ended


def test_interim_answers_leave_nothing_behind() -> None:
    reader = AnswerReader("GET")
    reader.feed(b"HTTP/1.0 100 Continue\r\nConnection: close\r\nX: y\r\n\r\n")
    assert reader.head is None
    reader.feed(answer(b"Content-Length: 0"))

    assert reader.head == ("1.1", 200, "OK", [("Content-Length", "0")])
    assert reader.reusable


def test_errors_say_what_happened() -> None:
    assert str(_fault_of(b"")) == "the connection ended without an answer"
    assert str(_fault_of(b"H")) == "the connection ended before the answer did"
    assert str(_fault_of(answer(b": b"))) == (
        "the answer breaks the rule field-name (RFC 9110, 5.1) at b': b': "
        "an empty name, or one with characters that are not of a token"
    )
    assert str(_fault_of(b"HTTP/1.1 101\r\n\r\n")) == (
        "the answer breaks the rule upgrade (RFC 9110, 15.2.2): 101 Switching Protocols"
    )
    with pytest.raises(ValueError, match=r"^answers to CONNECT cannot be read here$"):
        AnswerReader("CONNECT")


def test_every_error_is_one_of_http_client() -> None:
    assert issubclass(AnswerError, http.client.HTTPException)
    assert issubclass(MalformedAnswer, AnswerError)
    assert issubclass(NoAnswer, IncompleteAnswer)
    assert issubclass(IncompleteAnswer, AnswerError)


@pytest.mark.parametrize("row", [row for row in ROWS if isinstance(row, Refused)])
def test_an_error_names_rule_and_section_and_shows_forty_bytes_at_most(row: Refused) -> None:
    fault = _fault_of(row.wire, row.method)
    text = str(fault)

    assert fault.rule is row.rule
    if isinstance(fault, MalformedAnswer):
        assert f"{row.rule.name} ({row.rule.section})" in text
        assert row.rule.received in text
        shown = re.search(r" at (b'.*'|b\".*\"): ", text)
        if shown is not None:
            near = ast.literal_eval(shown[1])
            assert 0 < len(near) <= 40
            assert near in row.wire or b", " in near or b" " in near


@pytest.mark.parametrize(
    ("wire", "near"),
    [
        (answer(b"A: b", b"no colon", b"C: d"), b"no colon"),
        (answer(b"A: b", b"C : d"), b"C : d"),
        (answer(b"A: b", b": d"), b": d"),
        (answer(b"A: b", b"C: \0"), b"C: \0"),
        (answer(b" A: b"), b" A: b\r\n\r\n"),
        (b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/2."),
        (b"SSH-2.0-OpenSSH\r\n\r\n", b"SSH-2.0"),
        (b"HTTP/1.1 2x0\r\n\r\n", b"HTTP/1.1 2x0\r\n\r\n"),
        (b"HTTP/1.1 099\r\n\r\n", b"HTTP/1.1 099\r\n\r\n"),
        (answer(b"Content-Length: 5, x"), b"x"),
        (answer(b"Content-Length: 5", b"Content-Length: 6"), b"5, 6"),
        (answer(b"Transfer-Encoding: gzip", b"Transfer-Encoding: x"), b"gzip, x"),
        (answer(b"Transfer-Encoding: " + b"x" * 39 + b"yz"), b"x" * 39 + b"y"),
        (CHUNKED + b"0x2\r\nhi", b"0x2\r"),
        (CHUNKED + b"2;\0\r\nhi", b"2;\0\r"),
        (CHUNKED + b"2\nhi", b"2"),
        (CHUNKED + b"2;" + b"y" * 1024, b"2;" + b"y" * 38),
        (CHUNKED + b"2;" + b"y" * 1024 + b"\r\n", b"2;" + b"y" * 38),
        (CHUNKED + (b"1;" + b"y" * 1000 + b"\r\nx\r\n") * 20, b"1;" + b"y" * 38),
        (CHUNKED + b"2\r\nhiXY", b"XY"),
        (CHUNKED + b"2\r\nhi\rY", b"\rY"),
        (CHUNKED + b"0\r\n" + b"z" * 70_000, b"z" * 40),
        (answer(b"A: b")[:-2] + b"z" * 70_000, b"z" * 40),
        (answer(b"A: " + b"z" * 70_000), b"A: " + b"z" * 37),
    ],
)
def test_an_error_shows_the_bytes_that_break_the_rule(wire: bytes, near: bytes) -> None:
    assert f" at {near!r}: " in str(_fault_of(wire))


def test_the_room_imports_nothing_but_itself_and_five_modules_of_python() -> None:
    room = Path(http1.__file__).parent
    imported = {
        name
        for path in room.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }

    outside = {name for name in imported if not name.startswith("muxi_transports.http1")}
    assert outside == {"__future__", "collections.abc", "http.client", "re", "typing"}


def _fault_of(wire: bytes, method: str = "GET") -> AnswerError:
    reader = AnswerReader(method)
    with pytest.raises(AnswerError) as raised:
        _read(reader, wire)
    return raised.value


def _read(reader: AnswerReader, wire: bytes) -> None:
    reader.feed(wire)
    reader.eof()
