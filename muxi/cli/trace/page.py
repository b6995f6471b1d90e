"""The page that shows a trace: one HTML file with everything in it, which requests nothing and executes no data."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from muxi.tracefile.calls import COLUMNS
from muxi.tracefile.summary import KeptCall

__all__ = ["build_page", "escape_json", "security_policy"]

#: The scripts, in the order in which they need each other.
SCRIPTS = ("dom", "data", "filters", "totals", "waterfall", "list", "stream", "detail", "live", "app")


@lru_cache(maxsize=1)
def _script() -> str:
    parts = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


@lru_cache(maxsize=1)
def _style() -> str:
    return _read("page.css")


def _read(name: str) -> str:
    return resources.files("muxi.cli.trace").joinpath("page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@lru_cache(maxsize=2)
def security_policy(*, live: bool) -> str:
    """Return the page's content security policy: only its own script and style, no requests but those of live mode."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(_script())}",
            f"style-src {_hash(_style())}",
            "img-src data:",
            "connect-src 'self'" if live else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def build_page(
    name: str, description: Mapping[str, Any], selection: Iterable[KeptCall], *, sequence: int | None = None
) -> Iterator[str]:
    """Yield the page in parts.

    Args:
        name: name of the trace, for the title.
        description: totals and numbers of lines (:meth:`muxi.tracefile.summary.TraceSummary.describe`).
        selection: the calls of the list.
        sequence: number of the update from which on the page follows the trace by server-sent events; None for a page
            that does not.
    """
    live = sequence is not None
    kept = list(selection)
    title = html.escape(name)
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{security_policy(live=live)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
        f"<title>{title}: trace</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
    )
    yield _read("page.html").replace('<span id="name"></span>', f'<span id="name" title="{title}">{title}</span>')
    head = {**description, "columns": COLUMNS, "live": live, "sequence": sequence}
    yield f'<script type="application/json" id="trace-head">{escape_json(json.dumps(head))}</script>\n'
    yield '<script type="application/json" id="trace-rows">['
    for index, call in enumerate(kept):
        yield ("," if index else "") + escape_json(json.dumps(call.row, separators=(",", ":"), allow_nan=False))
    yield ']</script>\n<script type="application/json" id="trace-details">\n'
    for call in kept:
        yield escape_json(call.details) + "\n"
    yield f"</script>\n<script>{_script()}</script>\n</body>\n</html>\n"


def escape_json(text: str) -> str:
    """Escape JSON so that it can stand in a ``script`` element: nothing in it ends the element or begins another."""
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
