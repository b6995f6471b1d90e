"""Results on stdout: as a table, JSON, YAML or names, whole or by a query."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from muxi.cli.terminal import answer, is_terminal, printable

__all__ = ["FORMATS", "OutputFormat", "print_json", "show"]

#: The values of ``-o``.
FORMATS = ("table", "json", "yaml", "name")

#: Fields that name a thing, the first that it has.
_NAMES = ("id", "name", "key", "filename", "session_id", "request_id", "job_id", "user_id")

#: Columns of a table whose columns are not named.
_MAX_COLUMNS = 8


class OutputFormat(NamedTuple):
    """The format of a result, and the part of it that is printed."""

    format: str = "table"
    #: A JMESPath expression.
    query: str | None = None


_AS_TABLE = OutputFormat()


def show(value: object, output: OutputFormat = _AS_TABLE, columns: Sequence[str] = ()) -> None:
    """Print a result.

    Args:
        value: what JSON can represent.
        output: how.
        columns: fields of a list's items that a table has, in this order; by default those that hold short values.

    Raises:
        UsageError: the query is not JMESPath.
        MissingExtraError: a library of the extra is missing.
    """
    data = plain(value)
    if output.query is not None:
        data, columns = search(output.query, data), ()
    if output.format == "json":
        print_json(data)
    elif output.format == "yaml":
        _print_yaml(data)
    elif output.format == "name":
        for name in names_of(data):
            answer(name)
    else:
        _print_table(data, columns)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print JSON; characters that stdout cannot have are escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if text.encode(encoding, "replace").decode(encoding, "replace") != text:
        text = json.dumps(value, indent=indent)
    answer(text)


def plain(value: object) -> Any:
    """Return a result as dicts, lists and scalars."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def rows_of(data: Any) -> list[Any] | None:
    """Return the list that a result is, or that it has as its only list; None for any other."""
    if isinstance(data, list):
        return data
    if isinstance(data, dict):
        lists = [item for item in data.values() if isinstance(item, list)]
        if len(lists) == 1 and not any(isinstance(item, dict) for item in data.values()):
            return lists[0]
    return None


def names_of(data: Any) -> list[str]:
    """Return the names of the things in a result: ids of a list's items, keys of a mapping of things."""
    rows = rows_of(data)
    if rows is None:
        rows = [data]
    return [_name_of(row) for row in rows]


def _name_of(row: Any) -> str:
    if isinstance(row, dict):
        for name in _NAMES:
            if row.get(name) not in (None, ""):
                return _cell(row[name])
    return _cell(row)


def search(query: str, data: Any) -> Any:
    import click

    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ModuleNotFoundError as error:
        from muxi.errors import MissingExtraError

        raise MissingExtraError("--query needs jmespath: pip install 'muxi-client[cli]'") from error
    try:
        return jmespath.search(query, data)
    except JMESPathError as error:
        problem = " ".join(str(error).split())
        raise click.UsageError(f"--query: {problem}", click.get_current_context(silent=True)) from None


def _print_yaml(data: Any) -> None:
    try:
        import yaml
    except ModuleNotFoundError as error:
        from muxi.errors import MissingExtraError

        raise MissingExtraError("-o yaml needs PyYAML: pip install 'muxi-client[cli]'") from error
    unicode = "utf" in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    answer(yaml.safe_dump(data, sort_keys=False, allow_unicode=unicode, width=10_000), end="")


def _print_table(data: Any, columns: Sequence[str]) -> None:
    rows = rows_of(data)
    if rows is None:
        if isinstance(data, dict):
            _print_grid([], [[key, _cell(value)] for key, value in data.items()])
        elif data is not None:
            answer(_cell(data))
    elif all(isinstance(row, dict) for row in rows) and rows:
        chosen = list(columns) or _columns_of(rows)
        _print_grid(chosen, [[_cell(row.get(name)) for name in chosen] for row in rows])
    else:
        for row in rows:
            answer(_cell(row))


def _columns_of(rows: list[dict[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row)
    nested = {name for row in rows for name, value in row.items() if isinstance(value, dict | list)}
    simple = [name for name in names if name not in nested]
    return (simple or list(names))[:_MAX_COLUMNS]


def _print_grid(columns: list[str], rows: list[list[str]]) -> None:
    """Print rows below each other: within the width of a terminal, and unbroken into a pipe."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError as error:
        from muxi.errors import MissingExtraError

        raise MissingExtraError("tables need rich: pip install 'muxi-client[cli]', or -o json") from error

    def as_text(text: str) -> Text:
        # Names of fields come from the server as well: no markup of rich, no sequences for the terminal.
        return Text(printable(text, sys.stdout))

    terminal = is_terminal(sys.stdout)
    table = Table(box=None, show_header=bool(columns), pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns or [""] * len(rows[0] if rows else []):
        table.add_column(as_text(name.upper().replace("_", " ")), overflow="fold", no_wrap=not terminal)
    for row in rows:
        table.add_row(*map(as_text, row))
    console = Console(file=sys.stdout, width=None if terminal else 1_000_000, highlight=False, soft_wrap=not terminal)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())
    sys.stdout.flush()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return " ".join(value.split("\n")) if "\n" in value else value
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
