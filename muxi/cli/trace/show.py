"""Showing a trace file: its totals, its page in a file, its page in a browser."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from muxi.cli.trace.page import build_page
from muxi.tracefile.reading import LineParser, read_trace
from muxi.tracefile.summary import SelectionLimits, TraceSummary

__all__ = ["summarize", "totals", "write_page", "write_temporary_page"]


def summarize(path: str, limits: SelectionLimits | None = None) -> tuple[TraceSummary, LineParser]:
    """Read a trace file, and those that were renamed before it, in bounded memory.

    Raises:
        OSError: the file cannot be read.
    """
    parser, summary = LineParser(), TraceSummary(limits)
    summary.add_all(read_trace(path, parser))
    summary.finish()
    return summary, parser


def totals(path: str) -> dict[str, Any]:
    """Return the totals of a trace file as data.

    Raises:
        OSError: the file cannot be read.
    """
    summary, parser = summarize(path, SelectionLimits(newest=0, slowest=0, failed=0))
    return summary.describe(parser.tally)


def write_page(path: str, target: str) -> None:
    """Write the page of a trace to a file, readable by its owner only.

    Raises:
        OSError: the trace cannot be read, or the page cannot be written.
    """
    summary, parser = summarize(path)
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.writelines(build_page(os.path.basename(path), summary.describe(parser.tally), summary.selection()))


def write_temporary_page(path: str) -> str:
    """Write the page of a trace to a folder of its own for temporary files. Return the path of the page.

    Raises:
        OSError: the trace cannot be read, or the page cannot be written.
    """
    target = os.path.join(tempfile.mkdtemp(prefix="muxi-trace-"), f"{os.path.basename(path)}.html")
    write_page(path, target)
    return target
