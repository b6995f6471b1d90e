"""Results and answers as HTML and Markdown, for notebooks. Everything in them is escaped, redacted and cut to a bound.

The data comes from agents and users, and a notebook runs the scripts of its output. So no tag, no image and no script
URL of the data reaches the page: Markdown keeps its headings, lists, tables, links and code, and nothing else.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any, Protocol

from muxi.redact import redact_data, redact_text

__all__ = [
    "AnswerScreen",
    "LiveMarkdown",
    "LiveText",
    "find_screen",
    "render_html",
    "render_in_notebook",
    "render_markdown",
]

#: Rows and columns of a table, and characters of a cell and of an answer that are shown.
ROWS = 50
COLUMNS = 12
CELL = 300
TEXT = 200_000

#: Seconds between two updates of an answer that is still being made.
INTERVAL = 0.1

#: An ampersand that begins a character reference.
_REFERENCE = re.compile(r"&(?=#?\w{1,32};)")
#: The beginning of a link's target with a scheme that runs code.
_SCRIPT_URL = re.compile(r"(\]\(|\]:)(\s*)((?:javascript|vbscript|data)\\?:)", re.IGNORECASE)
#: A line that opens or closes a block of code.
_FENCE = re.compile(r" {0,3}(```+|~~~+)(.*)")
_BACKTICKS = re.compile("`+")


class AnswerScreen(Protocol):
    """Shows an answer while it is being made."""

    def add(self, piece: str) -> None:
        """Add a piece to the answer."""

    def end(self) -> None:
        """Show all that has been added; the answer has ended, or broken off."""


class LiveMarkdown:
    """Shows an answer as Markdown that is replaced as the answer grows.

    Args:
        update: shows the Markdown in place of the last one.
        now: the time in seconds.
    """

    def __init__(self, update: Callable[[str], object], now: Callable[[], float] = time.monotonic) -> None:
        self._update = update
        self._now = now
        self._pieces: list[str] = []
        self._due = now()
        self._shown = 0

    def add(self, piece: str) -> None:
        """Add a piece; show the answer so far, ten times per second at most."""
        self._pieces.append(piece)
        if self._now() >= self._due:
            self._show()

    def end(self) -> None:
        """Show the whole answer, where that has not been done."""
        if self._shown < len(self._pieces):
            self._show()

    def _show(self) -> None:
        self._shown = len(self._pieces)
        self._update(render_markdown("".join(self._pieces)))
        self._due = self._now() + INTERVAL


class LiveText:
    """Prints an answer piece by piece, where no notebook shows Markdown."""

    def add(self, piece: str) -> None:
        """Print a piece."""
        print(piece, end="", flush=True)

    def end(self) -> None:
        """End the line."""
        print(flush=True)


def find_screen() -> AnswerScreen:
    """Return a screen of the notebook that runs this code, or one that prints. IPython is not loaded for it."""
    ipython: Any = sys.modules.get("IPython")  # Any: not a dependency
    if ipython is None or not hasattr(ipython.get_ipython(), "kernel"):
        return LiveText()
    handle = ipython.display.display(ipython.display.Markdown(""), display_id=True)
    return LiveMarkdown(lambda text: handle.update(ipython.display.Markdown(text)))


#: The latest results of streams, which are plain dicts: a notebook shows them as it shows other results.
_STREAM_RESULTS: deque[dict[str, Any]] = deque(maxlen=100)


def render_in_notebook(result: dict[str, Any]) -> None:
    """Have the notebook that runs this code show a stream's result as Markdown or as a table; no effect elsewhere.

    The result stays a plain dict. IPython asks its formatters by type, so those of dicts look for the very object.
    """
    ipython: Any = sys.modules.get("IPython")  # Any: not a dependency
    shell = ipython and ipython.get_ipython()
    if not shell:
        return
    _STREAM_RESULTS.append(result)
    for kind, render in (("text/markdown", _answer_of), ("text/html", _table_of)):
        formatter = shell.display_formatter.formatters[kind]
        others = formatter.type_printers.get(dict)
        if not isinstance(others, _DictFormatter):
            formatter.for_type(dict, _DictFormatter(formatter.print_method, render, others))


class _DictFormatter:
    """Renders results of streams; leaves every other dict as it was.

    Args:
        method: the name of the method by which other results of ours render themselves.
        render: renders a result of a stream, or returns None.
        others: what formatted dicts before, if anything did.
    """

    def __init__(self, method: str, render: Callable[[Any], str | None], others: Callable[[Any], Any] | None) -> None:
        self._method = method
        self._render = render
        self._others = others

    def __call__(self, data: dict[str, Any]) -> Any:
        # IPython prefers the formatter of a base class to the method of a class.
        own: Callable[[], Any] | None = getattr(data, self._method, None)
        if own is not None:
            return own()
        if any(result is data for result in _STREAM_RESULTS):
            return self._render(data)
        return self._others(data) if self._others is not None else None


def _answer_of(message: dict[str, Any]) -> str | None:
    text = message.get("content")
    return render_markdown(text) if isinstance(text, str) else None


def _table_of(result: dict[str, Any]) -> str | None:
    return None if isinstance(result.get("content"), str) else render_html(result)


def render_markdown(text: str) -> str:
    """Return an answer as Markdown that shows the same, and has no HTML, images or script URLs of its own."""
    shown = redact_text(text[:TEXT])
    if len(text) > TEXT:
        shown += f"\n\n… {len(text) - TEXT:,} more characters"
    parts = [_write_code(part) if is_code else _write_text(part) for is_code, part in _split_fences(shown)]
    return "\n".join(parts)


def _split_fences(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the parts of Markdown inside and outside of fenced blocks of code, as ``(is_code, part)``."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        match = _FENCE.fullmatch(line)
        if not fence and match and ("`" not in match[2] or match[1][0] == "~"):
            yield False, "\n".join(lines)
            fence, lines = match[1], []
        elif fence and match and match[1].startswith(fence) and not match[2].strip():
            yield True, "\n".join(lines)
            fence, lines = "", []
        else:
            lines.append(line)
    yield bool(fence), "\n".join(lines)


def _write_code(text: str) -> str:
    # Tags of ours in place of the fence: whatever a renderer takes for code, the text in them stays harmless.
    return f"<pre><code>{_encode(text)}</code></pre>\n"


def _encode(text: str) -> str:
    """Return a text without any character that has a meaning in Markdown, HTML or TeX."""
    return "".join(char if char.isalnum() or char in " \n" else f"&#{ord(char)};" for char in text)


def _write_text(text: str) -> str:
    written = "\n".join(map(_write_line, text.split("\n")))
    # Showing an answer requests nothing from elsewhere: of an image, its link is left.
    written = written.replace("![", "&#33;[")
    return _SCRIPT_URL.sub(r"\1\2blocked:\3", written)


def _write_line(line: str) -> str:
    """Escape a line outside of fenced code, with its spans of code."""
    written: list[str] = []
    at = 0
    runs = [(match.start(), match.end()) for match in _BACKTICKS.finditer(line)]
    closing: dict[int, deque[tuple[int, int]]] = {}
    for run in runs:
        closing.setdefault(run[1] - run[0], deque()).append(run)
    for start, end in runs:
        same = closing[end - start]
        while same and same[0][0] <= start:
            same.popleft()
        if start < at or not same:
            continue
        last, after = same[0]
        written += [_escape(line[at:start]), f"<code>{_encode(line[end:last])}</code>"]
        at = after
    return "".join([*written, _escape(line[at:])])


def _escape(text: str) -> str:
    return _REFERENCE.sub("&amp;", text).replace("<", "&lt;")


def render_html(data: Mapping[str, Any]) -> str:
    """Return data as an HTML table: its first list of records by their fields, and its other values by their names."""
    listed = next((name for name, value in data.items() if _are_records(value)), None)
    others = {name: value for name, value in data.items() if name != listed}
    parts: list[str] = []
    if listed is not None:
        parts.append(_write_records(listed, data[listed]))
    if others or listed is None:
        parts.append(_write_fields(others))
    return f"<div>{''.join(parts)}</div>"


def _are_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value[:ROWS])


def _write_records(name: str, records: list[Mapping[str, Any]]) -> str:
    shown = records[:ROWS]
    names = list(dict.fromkeys(field for record in shown for field in record))
    columns = names[:COLUMNS]
    head = "".join(f"<th>{_write_cell(column)}</th>" for column in columns)
    rows: list[str] = []
    for record in shown:
        values = _redact({column: record[column] for column in columns if column in record})
        cells = "".join(f"<td>{_write_cell(values.get(column, ''))}</td>" for column in columns)
        rows.append(f"<tr>{cells}</tr>")
    left_out = [
        f"{count:,} more {what}"
        for count, what in ((len(records) - ROWS, "rows"), (len(names) - COLUMNS, "columns"))
        if count > 0
    ]
    more = f" ({', '.join(left_out)})" if left_out else ""
    return (
        f"<table><caption>{_write_cell(name)}: {len(records):,}{more}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _write_fields(fields: Mapping[str, Any]) -> str:
    shown = _redact(dict(list(fields.items())[:ROWS]))
    rows = [f"<tr><th>{_write_cell(name)}</th><td>{_write_cell(value)}</td></tr>" for name, value in shown.items()]
    if len(fields) > ROWS:
        rows.append(f"<tr><th>…</th><td>{len(fields) - ROWS:,} more fields</td></tr>")
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _redact(fields: dict[str, Any]) -> dict[str, Any]:
    """Mask the secrets of fields; their names stay as they are, so that columns are found by them."""
    return {name: _redact_field(name, value) for name, value in fields.items()}


def _redact_field(name: str, value: object) -> object:
    redacted = redact_data({name: value})
    return next(iter(redacted.values())) if isinstance(redacted, dict) else redacted


def _write_cell(value: object) -> str:
    if isinstance(value, str):
        text = value
    elif value is None:
        text = ""
    else:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    if len(text) > CELL:
        text = f"{text[:CELL]}…"
    return escape(redact_text(text))
