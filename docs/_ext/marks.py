"""Shows the mark of a block above it, such as ``<!-- not run: why -->`` or ``<!-- file: bot.py -->``.

The tests of the pages go by the same marks, so that a reader knows of each exception that they make.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

_MARK = re.compile(r"<!-- (not run: |own process|over http|file: )(.*?) ?-->\s*", re.DOTALL)

_WORDS = {
    "not run: ": "Not run by the tests of these pages: {}.",
    "own process": "Run by the tests of these pages as a program of its own.",
    "over http": "Runs over HTTP on this machine, also where MUXI_TRANSPORT is set.",
    "file: ": "{}",
}


def note_of(comment: str) -> str | None:
    """Return the sentence for a comment of HTML, or None where it is no mark."""
    found = _MARK.fullmatch(comment)
    return _WORDS[found[1]].format(found[2]) if found else None


def _show_marks(app: Sphinx, doctree: nodes.document) -> None:
    for comment in [*doctree.findall(nodes.raw)]:
        note = note_of(comment.astext())
        if note is not None and comment.parent is not None:
            comment.parent.replace(comment, nodes.paragraph("", note, classes=["mark"]))


def setup(app: Sphinx) -> dict[str, object]:
    """Listen for pages that have been read."""
    app.connect("doctree-read", _show_marks)
    return {"version": "1", "parallel_read_safe": True}
