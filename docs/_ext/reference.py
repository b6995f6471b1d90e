"""Directives for the reference, which is split into pages by subject.

``muxi-methods CLIENT CLASS…``: the methods of a client that one of these classes defines.
``muxi-objects MODULE``: the objects named in its content, one a line; ``*`` stands for all of the module's public names.
With ``:inherited:`` classes are shown with the members that they inherit.
"""

from __future__ import annotations

import importlib
import inspect
import types as python_types
import typing
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import muxi


class _Generated(SphinxDirective):
    """A directive that writes others in reStructuredText."""

    def lines(self) -> list[str]:
        """The directives to write."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        container = nodes.Element()
        self.state.nested_parse(StringList(["```{eval-rst}", *self.lines(), "```"]), 0, container)
        return container.children


class Methods(_Generated):
    """The methods of a client that a class below it defines."""

    required_arguments = 2
    final_argument_whitespace = True

    def lines(self) -> list[str]:
        client = getattr(muxi, self.arguments[0])
        lines: list[str] = []
        for class_name in self.arguments[1].split():
            for name in methods_of(client, class_name):
                kind = "property" if isinstance(inspect.getattr_static(client, name), property) else "method"
                lines += [f".. auto{kind}:: muxi.{client.__name__}.{name}", ""]
        return lines


class Objects(_Generated):
    """Public objects of a module."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"inherited": directives.flag}

    def lines(self) -> list[str]:
        module = importlib.import_module(self.arguments[0])
        names = [name for name in self.content if name]
        lines: list[str] = []
        for name in module.__all__ if names == ["*"] else names:
            kind, options = _directive(getattr(module, name))
            if "inherited" in self.options and kind == "class":
                options = [*options, "inherited-members: Exception, str, Enum, tuple, object"]
            lines += [f".. auto{kind}:: {module.__name__}.{name}", *(f"   :{option}" for option in options), ""]
        return lines


def methods_of(client: type, class_name: str) -> list[str]:
    """Public names that a class among the bases of a client defines."""
    defining = next(base for base in client.__mro__ if base.__name__ == class_name)
    return [name for name in vars(defining) if not name.startswith("_")]


def _directive(value: object) -> tuple[str, list[str]]:
    """The kind of the autodoc directive for an object, and its options."""
    if typing.is_typeddict(value):
        return "class", []
    if isinstance(value, type):
        exception = issubclass(value, BaseException)
        return "exception" if exception else "class", ["members:", "show-inheritance:"] if exception else ["members:"]
    return ("function", []) if isinstance(value, python_types.FunctionType) else ("data", ["no-value:"])


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives."""
    app.add_directive("muxi-methods", Methods)
    app.add_directive("muxi-objects", Objects)
    return {"version": "1", "parallel_read_safe": True}
