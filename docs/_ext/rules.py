"""The directive ``muxi-transport-rules``: the rules of a section of the conformance suite, each with its anchor."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from muxi.testing import transport_suite


class TransportRules(SphinxDirective):
    """The rules of one section, as the suite has them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        listed = nodes.definition_list()
        for rule in transport_suite.rules():
            if rule.section == self.arguments[0]:
                term = nodes.term("", "", nodes.literal(text=rule.name), ids=[rule.name])
                body = nodes.definition(
                    "", nodes.paragraph("", "", *_inline(rule.text), nodes.Text(" "), nodes.emphasis(text=rule.why))
                )
                listed += nodes.definition_list_item("", term, body)
        return [listed]


def _inline(text: str) -> list[nodes.Node]:
    """A sentence whose words in backquotes are code."""
    parts = re.split(r"`([^`]+)`", text)
    return [nodes.literal(text=part) if at % 2 else nodes.Text(part) for at, part in enumerate(parts)]


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directive."""
    app.add_directive("muxi-transport-rules", TransportRules)
    return {"version": "1", "parallel_read_safe": True}
