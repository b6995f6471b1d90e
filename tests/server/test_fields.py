"""The reader of formation files: whatever it says, a YAML library says the same."""

from __future__ import annotations

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
    """What is read must be what YAML says; less may be read, nothing else."""
    try:
        fields = read_fields(text)
    except ValueError:
        return
    expected = loaded(text)
    if expected is None:
        return  # not valid; the server will say so
    for name, value in fields.items():
        assert name in expected
        if value is UNREAD:
            continue
        told = expected[name]
        assert value == ("" if told in ("~", "null", "Null", "NULL") else told)
    for name in ("id", "version", "description"):
        assert name in fields or name not in expected


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
        # A text may begin with what takes a whole parser to tell; those that formations have do not.
        assert value == expected[name] or value is UNREAD


PIECES = st.sampled_from(
    [
        "id: my-bot", "version: 1.0", "description:", "name", ":", ": ", " ", "  ", "\n", "\n  ", "\n\n", "#", " # c",
        "'", '"', "''", "\\", "\\n", "|", ">", "|-", ">+", "|2", "- ", "-", "a", "b c", "[", "]", "{", "}", ",", "&a ",
        "*a", "!!str ", "? ", "---", "...", "\n---\n", "\nid: x", "\ndescription: |\n  a\n  b\n", "~", "null", "\t",
        "%", "\ndescription: >\n  a\n\n   b\n", "\n]", "\n- a", "\ntags: [\n a,\n]\n", "@", "`", "<<: *a", "0x1", "é",
    ]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
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
        ("id: *other\nversion: !!str 1\n", {"id": UNREAD, "version": UNREAD}),
        ('{"id": "x", "version": 2}', {"id": "x", "version": UNREAD}),
        ("", {}),
        ("# nothing\n", {}),
    ],
)
def test_fields_are_read(text: str, fields: dict[str, Any]) -> None:
    assert read_fields(text) == fields
    check(text)


@pytest.mark.parametrize("text", ["- a\n", "{id: x}", '{"id": ', "--- text", "id: 'x", "just a text", "id: x\0"])
def test_what_takes_a_parser_is_said_to(text: str) -> None:
    with pytest.raises(ValueError, match="it"):
        read_fields(text)
