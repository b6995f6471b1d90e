"""The reader of formation files: the fields that it reads are those that a whole load of the document has."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from muxi.bundles.fields import UNREAD, read_fields

#: Texts that a description may have.
TEXTS = st.text(
    st.characters(
        codec="utf-8",
        exclude_categories=("Cc", "Cs"),
        exclude_characters="\x85\u2028\u2029\ufeff\ufffe\uffff",
        include_characters="\n",
    ),
    max_size=60,
)


def loaded(text: str) -> dict[str, Any] | None:
    """The fields as PyYAML has them, all scalars as texts; None for what is no mapping of texts."""
    try:
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  it makes texts, lists and mappings only
    except yaml.YAMLError:
        return None
    return document if isinstance(document, dict) else None


def check(text: str) -> None:
    """Compare what is read with a whole load of the document."""
    expected = loaded(text)
    if expected is None:
        return  # not valid; the server reports it
    fields = read_fields(text)
    for name, value in fields.items():
        if value is UNREAD:
            continue
        assert value == ("" if expected[name] in ("~", "null", "Null", "NULL") else expected[name])
    for name, found in expected.items():
        if isinstance(name, str):
            assert name in fields
            assert (fields[name] is UNREAD) or isinstance(found, str)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["id", "version", "description", "name"]), TEXTS, min_size=1),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.integers(20, 100),
    st.booleans(),
)
@example({"id": "\n"}, "|", 20, False)
def test_what_yaml_writes_is_read_in_every_style(
    fields: dict[str, str], style: str | None, width: int, unicode: bool
) -> None:
    text = yaml.dump(fields, default_style=style, width=width, allow_unicode=unicode, explicit_start=unicode)
    expected = loaded(text)
    assert expected is not None
    found = read_fields(text)
    assert found.keys() == set(expected)
    for name, value in found.items():
        assert value == expected[name]


PIECES = st.sampled_from(
    [
        "id: my-bot", "version: 1.0", "description:", "name", ":", ": ", " ", "  ", "\n", "\n  ", "\n\n", "#", " # c",
        "'", '"', "''", "\\", "\\n", "|", ">", "|-", ">+", "|2", "- ", "-", "a", "b c", "[", "]", "{", "}", ",", "&a ",
        "*a", "!!str ", "? ", "---", "...", "\n---\n", "\nid: x", "\ndescription: |\n  a\n  b\n", "~", "null", "\t",
        "%", "\ndescription: >\n  a\n\n   b\n", "\n]", "\n- a", "\ntags: [\n a,\n]\n", "@", "`", "<<: *a", "0x1", "é",
    ]
)  # fmt: skip


@settings(max_examples=6 * settings().max_examples, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
@example("description: >\n  a\n b\nid: x")
@example("description: 'a\n\n  b'\nid: x")
@example('description: "a \\\n  b"\nid: x')
@example("id: x\n\n  y\n")
@example("id: |\n\n  x\n\n")
@example("id: x # c\n  y")
@example("id: x\n# c\n  y")
@example("description: [id: x,\nid: y]\n")
def test_nothing_is_read_that_yaml_does_not_say(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("id: my-bot\nversion: 1.0\n", {"id": "my-bot", "version": "1.0"}),
        ("id: my-bot # the bot\n", {"id": "my-bot"}),
        ("id: 'my-bot'   # quoted\n", {"id": "my-bot"}),
        ('"id": "my-\\x62ot"\n', {"id": "my-bot"}),
        ("id:\n  my-bot\n", {"id": "my-bot"}),
        ("id: my-bot#1\n", {"id": "my-bot#1"}),
        ("id:\nversion: ~\n", {"id": "", "version": ""}),
        ("%YAML 1.2\n---\nid: x\n---\nid: y\n", {"id": "x"}),
        ("id: x\r\nversion: 2\r\n", {"id": "x", "version": "2"}),
        ("\ufeffid: x\n", {"id": "x"}),
        ("description: |\n  One.\n  id: no\n\nid: x\n", {"description": "One.\nid: no\n", "id": "x"}),
        ("description: >-\n  One\n  line.\nid: x", {"description": "One line.", "id": "x"}),
        ("description: One\n  line.\nid: x", {"description": "One line.", "id": "x"}),
        ("agents:\n- id: a\n  x: 1\n- id: b\nid: x\n", {"agents": UNREAD, "id": "x"}),
        ("tags: [\n  a,\n]\nid: x\n", {"tags": UNREAD, "id": "x"}),
        ("llm:\n  key: ${{ secrets.K }}\nid: x\n", {"llm": UNREAD, "id": "x"}),
        ("a: &name my-bot\nid: *name\nversion: !!str 1\n", {"a": "my-bot", "id": "my-bot", "version": "1"}),
        ("a: &list [x]\nid: *list\nversion: *none\n", {"a": UNREAD, "id": UNREAD, "version": UNREAD}),
        ('{"id": "x", "version": 2}', {"id": "x", "version": "2"}),
        ('tags: ["a", "b"]\nid: x', {"tags": UNREAD, "id": "x"}),
        ('llm: {model: "x"}\nx: [a, b] # c\nid: x', {"llm": UNREAD, "x": UNREAD, "id": "x"}),
        ("my key: 1\nключ: 1\n? [a]\n: b\n", {"my key": "1", "ключ": "1"}),
        ('  id: x\n  args: ["-y", y]\n', {"id": "x", "args": UNREAD}),
        ("<<: {id: x}\nversion: 1\n", {"<<": UNREAD, "id": UNREAD, "version": "1", "description": UNREAD}),
        ("", {}),
        ("# nothing\n", {}),
    ],
)
def test_fields_are_read(text: str, fields: dict[str, Any]) -> None:
    assert read_fields(text) == fields
    check(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n", "it is not a mapping"),
        ("just a text", "it is not a mapping"),
        ("--- text", "it is not a mapping"),
        ('{"id": ', "it is not YAML: line 1, column 8"),
        ("id: x\nid: 'x", "it is not YAML: line 2, column 7"),
        ("id: x\0", "it is not YAML: unacceptable character"),
    ],
)
def test_what_is_no_mapping_is_refused_with_the_place(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_fields(text)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("id: my-bot\nversion: '1.0' # c\n", {"id": "my-bot", "version": "1.0", "description": UNREAD}),
        ("\ufeffid: my-bot\r\n", {"id": "my-bot", "version": "", "description": UNREAD}),
        ("  id: my-bot\n", {"id": UNREAD, "version": "", "description": UNREAD}),
    ],
)
def test_without_pyyaml_plain_lines_are_read(
    monkeypatch: pytest.MonkeyPatch, text: str, fields: dict[str, Any]
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert read_fields(text) == fields
