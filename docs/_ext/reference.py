"""Directives for the reference, which is split into pages by subject.

``muxi-methods CLIENT CLASS…``: the methods of a client that one of these classes defines.
``muxi-objects MODULE``: the objects named in its content, one a line; ``*`` stands for all public names of the module.
With ``:inherited:`` classes are shown with the members that they inherit.
``muxi-official`` (a role): how many names of the official SDK there are, and how many are the same.
"""

from __future__ import annotations

import importlib
import inspect
import json
import types as python_types
import typing
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import muxi

#: Words of a page of the reference, at most.
MAX_WORDS = 3000

#: Public names of the official SDK 1.20260713.0, with the parameters of methods.
OFFICIAL_NAMES = Path(__file__).parents[2] / "tests" / "docs" / "official_names.json"


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


def excess_of(docname: str, text: str) -> str | None:
    """Return the complaint about a page of the reference that has too many words, or None."""
    count = len(text.split())
    if not docname.startswith("reference/") or count <= MAX_WORDS:
        return None
    return f"{docname} has {count} words; a page of the reference has {MAX_WORDS} at most: split it"


def _check_length(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if complaint := excess_of(docname, doctree.astext()):
        logging.getLogger(__name__).warning(complaint, location=docname)


def _count_official(
    name: str, rawtext: str, text: str, lineno: int, inliner: object, options: object = None, content: object = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The number of public names of the official SDK: ``all``, or those that are the ``same`` here."""
    official = json.loads(OFFICIAL_NAMES.read_text(encoding="utf-8"))
    count = sum(len(names) for names in official.values())
    if text == "same":
        count -= len(different_names(official))
    return [nodes.Text(str(count))], []


def different_names(official: dict[str, dict[str, list[str] | None]]) -> list[str]:
    """Names of the official SDK that are missing here, or that do not take the official parameters.

    Args:
        official: by module or class, each name with its parameters (None if it is not called).
    """
    return [
        f"{owner}.{name}"
        for owner, names in official.items()
        for name, parameters in names.items()
        if not _is_same(owner, name, parameters)
    ]


def _is_same(owner: str, name: str, parameters: list[str] | None) -> bool:
    try:
        module, _, class_name = owner.rpartition(".")
        if class_name[0].isupper():
            found: object = getattr(importlib.import_module(module), class_name)
        else:
            found = importlib.import_module(owner)
    except ImportError:
        return False
    if class_name == "MuxiError":
        return name in inspect.signature(muxi.MuxiError).parameters
    if name not in getattr(found, "__dataclass_fields__", {}) and not hasattr(found, name):
        return False
    if parameters is None:
        return True
    taken = inspect.signature(getattr(found, name)).parameters
    return all(parameter in taken for parameter in parameters)


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives."""
    app.add_directive("muxi-methods", Methods)
    app.add_directive("muxi-objects", Objects)
    app.connect("doctree-resolved", _check_length)
    app.add_role("muxi-official", _count_official)
    return {"version": "1", "parallel_read_safe": True}
