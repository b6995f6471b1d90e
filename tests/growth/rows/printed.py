"""Rows: what is shown of an answer or a webhook: on a terminal, in a notebook, as a line of a log."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

from muxi import webhook
from muxi.cli.conversation.screen import GrowingMarkdown, Screen
from muxi.cli.json_schema import JsonSchema
from muxi.cli.output import FORMATS, OutputFormat, show
from muxi.cli.terminal import printable
from muxi.cli.webhook_receiver import line_of, read_webhook
from muxi.rendering import LiveMarkdown, render_html, render_markdown
from muxi.webhook.canonical import canonical
from tests.growth.rows.row import Row, binary, in_pieces, sized, texts

__all__ = ["ROWS"]


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def printed(show_it: Callable[[], object]) -> Callable[[], object]:
    """A function that prints, with its output caught."""

    def run() -> object:
        with contextlib.redirect_stdout(io.StringIO()):
            return show_it()

    return run


def shown(format: str) -> Callable[[Callable[[int], Any]], Callable[[int], Callable[[], object]]]:
    """Inputs that are printed in a format."""

    def makes(value: Callable[[int], Any]) -> Callable[[int], Callable[[], object]]:
        def make(size: int) -> Callable[[], object]:
            data = value(size)
            return printed(lambda: show(data, OutputFormat(format)))

        return make

    return makes


def live() -> Callable[[bytes], object]:
    """Markdown in a notebook, while its clock stands still."""
    markdown = LiveMarkdown(lambda text: None, now=lambda: 0.0)
    return lambda piece: markdown.add(piece.decode("latin-1"))


def screen() -> Callable[[bytes], object]:
    """The screen of a conversation in a pipe."""
    found = Screen()

    def feed(piece: bytes) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            found.text(piece.decode("latin-1"))

    return feed


def paragraphs() -> Callable[[bytes], object]:
    """Markdown at a terminal."""
    markdown = GrowingMarkdown()
    return lambda piece: markdown.add(piece.decode("latin-1"))


def completed(text: str) -> object:
    event = webhook.parse({"status": "completed", "response": [{"text": text}], "id": "r"})
    return getattr(event, "text", None), getattr(event, "handed_over", None)


#: Records with a field of their own each, and with many fields.
_OWN_FIELDS = {"items": lambda size: {"items": [{f"f{index}": index} for index in range(size)]}}
_DATA: dict[str, Callable[[int], Any]] = {
    "records": lambda size: {"items": [{"id": "a", "text": "b\n"}] * size},
    "own": _OWN_FIELDS["items"],
    "fields": lambda size: {f"f{index}": "a" for index in range(size)},
    "text": lambda size: {"text": "a\n" * size},
}
_MARKDOWN = (
    "`",
    "``` ",
    "```\n",
    "` ",
    "``\n",
    "&a;",
    "](",
    "](data:",
    "![",
    "~~~\n",
    "<",
    "a\n\n",
    "    a\n",
    "`a` ``b`` ",
)

ROWS: dict[str, Row] = {
    "render_markdown": texts(render_markdown, *_MARKDOWN),
    "render_html": sized(5000, **{name: (lambda data: lambda size: (lambda it: lambda: render_html(it))(data(size)))(data) for name, data in _DATA.items()}),
    "live Markdown": in_pieces(live, b"a", b"a\n\n", b"`"),
    "the paragraphs that stay": in_pieces(paragraphs, b"a\n\n", b"```\n", b"a", b"\n", b"a\n", piece=1),
    "the screen of a conversation": in_pieces(screen, b"a", b"a\n\n", b"```\n"),
    "the progress of a conversation": texts(lambda text: Screen().progress(text), " ", "a", "\n"),
    "printable": texts(lambda text: printable(text, _Terminal()), "\x1b", "a", "\x9b[", "\n"),
    **{
        f"a result as {format}": sized(1000, **{name: shown(format)(data) for name, data in _DATA.items()})
        for format in FORMATS
    },
    "the schema of an answer": sized(
        2000,
        items=lambda size: lambda: JsonSchema({"type": "array", "items": {"enum": [1, 2]}}).load([1] * size),
    ),
    "webhook.parse": texts(webhook.parse, "[", "{", '"', "1", '{"a":', " ", '{"status": "completed", "id": "1"}'),
    "the time of a webhook": texts(lambda text: webhook.parse({"timestamp": text}), "1", "2026-01-01T00:00:00Z", ":", "Z"),
    "canonical": texts(lambda text: canonical({"a": text}), "\\", "ü", '"', "\x00"),
    "canonical of a body": texts(canonical, "[", "{", "1", '{"a":1}', "1e", "NaN", "[1e5,", '{"a":'),
    "canonical of many keys": sized(
        fields=lambda size: (lambda data: lambda: canonical(data))({f"k{index}": 1.5 for index in range(size)})
    ),
    "workflow results": texts(
        lambda text: completed("{'content': '" + text), "'", "\\'", "', 'request_id': ", "a", "}", "', 'request_id': 1}"
    ),
    "results that are handed over": texts(
        lambda text: completed("{'request_id': 'a', 'status': 'processing', " + text + "}"), "'", "}", "a"
    ),
    "questions in a webhook": sized(
        2000,
        items=lambda size: lambda: webhook.parse(
            {"status": "awaiting_clarification", "clarification_question": "q", "response": [{"text": "a"}] * size}
        ),
    ),
    "signature headers": texts(
        lambda text: webhook.verify_signature("{}", text, "secret-key"), "t=1,", "v1=", ",", "=", "t=1,v1=a,"
    ),
    "signature headers in bytes": binary(
        lambda data: webhook.verify_signature("{}", data, "secret-key"), b"t=1,", b"v1=", b"\xff"
    ),
    "a refused webhook": texts(lambda text: _receive(text), "[", '{"type": "notification"}', "a"),
    "the line for a webhook": texts(lambda text: line_of({"text": text}), "\n", "a", " "),
    "a received webhook": binary(lambda data: read_webhook(data, "t=1,v1=a", "key"), b"[", b"{}", b" "),
}  # fmt: skip


def _receive(text: str) -> object:
    signature = webhook.sign("{}", "secret-key", 1)
    return webhook.receive(text, signature, "secret-key", tolerance_seconds=1e12)
