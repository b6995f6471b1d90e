"""The input of ``muxi-client batch``: prompts as JSON lines or CSV, each a call."""

from __future__ import annotations

import csv
import json
import os
import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from muxi.call import Call
from muxi.cli.exits import CommandFailure, Exit
from muxi.formation import FormationClient
from muxi.types import ChatResult

__all__ = ["Prompt", "PromptTemplate", "Prompts"]

#: Longest line of an input, in characters.
_MAX_LINE = 64 * 1024 * 1024

#: Fields of a record that belong to the call; ``id`` names the prompt, all others are for the template.
_CHAT_FIELDS = ("agent_id", "session_id", "group_id", "mode")


class PromptTemplate:
    """A text with the names of fields in braces, such as ``Summarise: {text}``; ``{{`` and ``}}`` are braces.

    Args:
        text: the template.

    Raises:
        CommandFailure: it has other things in braces than names.
    """

    def __init__(self, text: str) -> None:
        self._pieces: list[tuple[str, str | None]] = []
        try:
            for before, name, form, conversion in string.Formatter().parse(text):
                if name is not None and (not name.isidentifier() or form or conversion):
                    raise ValueError(f"{{{name}}} is no name of a field")
                self._pieces.append((before, name))
        except ValueError as error:
            raise CommandFailure(
                f"--template: {error}; write {{name}} for a field, {{{{ for a brace", Exit.MISUSED
            ) from None

    def fill(self, record: Mapping[str, Any]) -> str:
        """Return the text with the fields of a record.

        Raises:
            KeyError: the record lacks one.
        """
        return "".join(before + ("" if name is None else _text(record[name])) for before, name in self._pieces)


class Prompt(NamedTuple):
    """One record of the input, and the call that it is."""

    record: dict[str, Any]
    call: Call[ChatResult]


class Prompts:
    """The prompts of a file, read as they are needed, as often as wanted.

    Args:
        path: a file of JSON lines, or of CSV with a header; the form follows from its name (``.csv``, ``.tsv``).
        template: makes the message of a record; without one it is the field ``message``.
        user_id: the user of records that name none.
    """

    def __init__(self, path: str, template: PromptTemplate | None, user_id: str | None) -> None:
        self._path = path
        self._template = template
        self._user_id = user_id or ""
        self._length: int | None = None

    def __len__(self) -> int:
        """The number of prompts; reads the file, and checks it.

        Raises:
            CommandFailure: a record is invalid; the message has its line.
        """
        if self._length is None:
            self._length = sum(1 for _ in self.prompts())
        return self._length

    def __iter__(self) -> Iterator[Call[ChatResult]]:
        return (prompt.call for prompt in self.prompts())

    def prompts(self) -> Iterator[Prompt]:
        """Yield the prompts.

        Raises:
            CommandFailure: a record is invalid, or the file is no text.
            OSError: the file cannot be read.
        """
        with open(self._path, encoding="utf-8-sig", newline="") as file:
            try:
                for number, record in self._records(file):
                    yield Prompt(record, self._call(record, number))
            except UnicodeDecodeError:
                raise CommandFailure(f"{self._path}: it is not UTF-8 text", Exit.MISUSED) from None

    def _records(self, file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        suffix = os.path.splitext(self._path)[1].lower()
        if suffix not in (".csv", ".tsv"):
            return _json_records(self._path, file)
        return _csv_records(self._path, file, "\t" if suffix == ".tsv" else ",")

    def _call(self, record: dict[str, Any], number: int) -> Call[ChatResult]:
        where = f"{self._path}, line {number}"
        if self._template is not None:
            try:
                message = self._template.fill(record)
            except KeyError as missing:
                raise CommandFailure(f"{where}: there is no field {missing} for --template", Exit.MISUSED) from None
        else:
            message = record.get("message", "")
            if not isinstance(message, str) or not message:
                raise CommandFailure(
                    f"{where}: there is no text in the field 'message'; --template makes a message of other fields",
                    Exit.MISUSED,
                )
        payload: dict[str, Any] = {"message": message}
        for name in _CHAT_FIELDS:
            if record.get(name) not in (None, ""):
                payload[name] = record[name]
        return FormationClient.chat.call(payload, user_id=_text(record.get("user_id") or self._user_id))


def _json_records(path: str, file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    while line := file.readline(_MAX_LINE):
        number += 1
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CommandFailure(f"{path}, line {number}: it is not JSON: {error}", Exit.MISUSED) from None
        if isinstance(record, str):
            record = {"message": record}
        if not isinstance(record, dict):
            raise CommandFailure(f"{path}, line {number}: a text or an object is expected", Exit.MISUSED)
        yield number, record


def _csv_records(path: str, lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(rows, [])
        if len(set(header)) != len(header):
            raise CommandFailure(f"{path}: two columns have the same name", Exit.MISUSED)
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise CommandFailure(
                    f"{path}, line {rows.line_num}: it has {len(row)} fields, and the header has {len(header)}",
                    Exit.MISUSED,
                )
            yield rows.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise CommandFailure(f"{path}, line {rows.line_num}: {error}", Exit.MISUSED) from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
