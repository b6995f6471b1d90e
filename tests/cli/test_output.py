"""Results on stdout: formats, encodings, and what a terminal must not obey; JSON schemas of answers."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import marshmallow
import pytest

from muxi.cli.json_schema import JsonSchema
from muxi.cli.output import OutputFormat, names_of, show
from muxi.cli.progress import bar_of, stage_text
from muxi.cli.terminal import printable


class Stream(io.TextIOWrapper):
    """A stream of an encoding, a terminal or not."""

    def __init__(self, encoding: str = "utf-8", *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def text(self) -> str:
        """What has been written."""
        self.flush()
        written: io.BytesIO = self.buffer  # type: ignore[assignment]  # made in the constructor
        return written.getvalue().decode(self.encoding)


@pytest.mark.parametrize(("name", "expected"), [("json", '[\n  "caf\\u00e9"\n]\n'), ("yaml", '- "caf\\xE9"\n')])
def test_data_is_escaped_where_the_encoding_lacks_a_character(
    name: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream := Stream("ascii"))
    show(["caf\xe9"], OutputFormat(name))
    assert stream.text == expected


def test_a_terminal_gets_no_control_characters_and_a_pipe_all() -> None:
    hostile = "a\x1b]0;owned\x07b\nc\td\x9b31m"
    assert printable(hostile, Stream(terminal=True)) == "a\ufffd]0;owned\ufffdb\nc\td\ufffd31m"
    assert printable(hostile, Stream("ascii", terminal=True)) == "a?]0;owned?b\nc\td?31m"
    assert printable(hostile, Stream()) == hostile


@pytest.mark.parametrize("name", ["\x1b[2Ja", "[bold]a", "[/]a", "a\x9b31m"])
def test_names_of_fields_are_no_markup_and_no_sequences(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream := Stream(terminal=True))
    monkeypatch.setenv("NO_COLOR", "1")
    for data in ([{name: "value"}], {name: "value"}):
        show(data)
    assert "\x1b[2J" not in stream.text
    assert "\x9b" not in stream.text
    shown = name.replace("\x1b", "\ufffd").replace("\x9b", "\ufffd")
    assert shown in stream.text
    assert shown.upper() in stream.text


@pytest.mark.parametrize("terminal", [True, False])
def test_a_table_keeps_to_the_width_of_a_terminal_and_is_whole_in_a_pipe(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", stream := Stream(terminal=terminal))
    show([{"id": "x" * 30, "text": "y" * 60}])
    lines = re.sub(r"\x1b\[\d*m", "", stream.text).splitlines()
    assert ("y" * 60 in stream.text) == (not terminal)
    assert all(len(line) <= 40 for line in lines) == terminal
    assert stream.text.count("y") == 60
    assert ("\x1b[" in stream.text) == terminal


def test_nothing_has_a_colour_where_no_terminal_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", stream := Stream(terminal=True))
    from muxi.cli.terminal import answer

    answer("plain", style="31")
    assert stream.text == "plain\n"


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"agents": [{"id": "a"}, {"name": "b"}], "count": 2}, ["a", "b"]),
        ([{"session_id": "s"}, "t"], ["s", "t"]),
        ({"id": "one", "x": 1}, ["one"]),
        ([], []),
    ],
)
def test_names_are_ids_or_names(data: Any, names: list[str]) -> None:
    assert names_of(data) == names


@pytest.mark.parametrize(
    ("sent", "total", "bar"),
    [
        (0, 100, "[........................]   0 % of 100 bytes"),
        (50, 100, "[############............]  50 % of 100 bytes"),
        (2_000_000, 2_000_000, "[########################] 100 % of 2.0 MB"),
        (1500, None, "1.5 kB"),
    ],
)
def test_a_bar_shows_what_there_is(sent: int, total: int | None, bar: str) -> None:
    assert bar_of(sent, total) == bar


def test_a_stage_is_a_line() -> None:
    event = {"type": "progress", "stage": "health_check", "message": "Waiting", "attempt": 2, "max_attempts": 30}
    assert stage_text(event) == "health check (2 of 30): Waiting"


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["ab"], ["a", "abcd", 1]),
        ({"type": ["integer", "null"], "minimum": 1, "maximum": 3}, [1, 2.0, None], [0, 4, 1.5, True, "1"]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [2], [1, 3]),
        ({"enum": ["a", 1]}, ["a", 1], ["b", True]),
        ({"const": None}, [None], [0, False]),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2}, [[True]], [[], [1]]),
        ({"maxItems": 2}, [[1, 2], "abc"], [[1, 2, 3]]),
        ({"properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False},
         [{"a": ""}], [{}, {"a": 1}, {"a": "", "b": 1}]),
        ({"type": "string", "pattern": "^a+$"}, ["aa"], ["b"]),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, ["x", None], [1]),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, [1.5], [1, "x"]),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, [1], [3]),
        (True, [1], []),
        (False, [], [1]),
    ],
)  # fmt: skip
def test_a_schema_takes_what_fits_and_names_what_does_not(schema: Any, good: list[Any], bad: list[Any]) -> None:
    checked = JsonSchema(schema)
    for value in good:
        assert checked.load(value) is value
    for value in bad:
        with pytest.raises(marshmallow.ValidationError):
            checked.load(value)


@pytest.mark.parametrize("schema", [[], {"type": "text"}, {"pattern": "("}, {"properties": {"a": {"$ref": "#"}}}])
def test_a_schema_that_cannot_be_checked_is_refused(schema: Any) -> None:
    with pytest.raises(ValueError, match="the schema"):
        JsonSchema(schema)
