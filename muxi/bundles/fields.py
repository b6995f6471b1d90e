"""The top-level fields of a formation file.

PyYAML (extra ``[bundles]``) reads them. Without it only plain ``id: text`` and ``version: text`` lines are read, and
everything else is left to the server's own check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaml.events import Event

__all__ = ["UNREAD", "FieldValue", "Unread", "is_pyyaml_installed", "read_fields"]


class Unread(Enum):
    """The type of :data:`UNREAD`."""

    UNREAD = "unread"

    def __repr__(self) -> str:
        return "UNREAD"


#: The value of a field that is a mapping or a list, or that was not read.
UNREAD = Unread.UNREAD

FieldValue = str | Unread

#: Levels that a document may be nested; the time that PyYAML takes grows with their square.
_DEEPEST = 100

#: The plain scalars that YAML 1.1 and 1.2 both read as null.
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

#: ``id: text`` at the left margin, the text with or without quotes, and perhaps a comment.
_LINE = re.compile(
    r"(?P<name>id|version)[ \t]*:[ \t]+(?P<quote>[\"']?)(?P<text>[A-Za-z0-9][A-Za-z0-9.+-]*)(?P=quote)"
    r"(?:[ \t]+#.*)?[ \t]*"
)


def is_pyyaml_installed() -> bool:
    """Tell whether formation files are read with PyYAML."""
    return _import_yaml() is not None


def _import_yaml() -> ModuleType | None:
    try:
        return import_module("yaml")
    except ImportError:
        return None


def read_fields(text: str) -> dict[str, FieldValue]:
    """Read the top-level fields of a YAML document.

    Numbers, dates and booleans are returned as they are written, null as the empty text: so the server reads them.

    Args:
        text: the document; of several the first is read.

    Returns:
        Texts by name. :data:`UNREAD` stands for a mapping, for a list, and for what was not read.

    Raises:
        ValueError: the document is not YAML, or not a mapping.
    """
    if not is_pyyaml_installed():
        return _read_lines(text)
    import yaml

    try:
        return _read_events(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"it is not YAML: {where}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {' '.join(str(error).split())}") from None


def _read_lines(text: str) -> dict[str, FieldValue]:
    """Read ``id`` and ``version`` from plain lines; the server compares both with the document."""
    fields: dict[str, FieldValue] = {"id": UNREAD, "version": "", "description": UNREAD}
    for line in text.removeprefix("\ufeff").splitlines():
        if found := _LINE.fullmatch(line):
            fields[found["name"]] = found["text"]
    return fields


def _read_events(events: Iterator[Event]) -> dict[str, FieldValue]:
    """Read the fields of the first document from its events: without recursion, and without expanding aliases."""
    from yaml.events import (
        AliasEvent,
        CollectionEndEvent,
        CollectionStartEvent,
        DocumentEndEvent,
        MappingStartEvent,
        NodeEvent,
        ScalarEvent,
    )

    fields: dict[str, FieldValue] = {}
    anchors: dict[str | None, FieldValue] = {}
    depth = 0
    key: FieldValue | None = None
    for event in events:
        if isinstance(event, DocumentEndEvent):
            break
        if isinstance(event, CollectionEndEvent):
            depth -= 1
        if not isinstance(event, NodeEvent):
            continue
        value: FieldValue = UNREAD
        if isinstance(event, AliasEvent):
            value = anchors.get(event.anchor, UNREAD)
        else:
            if isinstance(event, ScalarEvent):
                is_null = event.style is None and event.tag is None and event.value in _NULLS
                value = "" if is_null else event.value
            anchors[event.anchor] = value
        if depth == 0 and not isinstance(event, MappingStartEvent):
            raise ValueError("it is not a mapping")
        if depth == 1 and key is None:
            key = value
        elif depth == 1:
            if isinstance(key, str):
                fields[key] = value
            key = None
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise ValueError(f"it is nested more than {_DEEPEST} levels deep")
    if "<<" in fields:  # a merge key may supply any field
        fields = {"id": UNREAD, "version": UNREAD, "description": UNREAD, **fields}
    return fields
