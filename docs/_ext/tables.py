"""Directives whose content is read from the code, so that the page cannot say anything else.

``muxi-repeats``: how each operation bears repetition. ``muxi-errors``: which status becomes which error.
``muxi-settings``: the settings of a client with their defaults and variables. ``muxi-hooks``: every hook.
``muxi-defects``: what an embedded formation can be told to do wrong.
``muxi-http1``: the rules of one part of an HTTP/1.1 answer.
``muxi-rest``: the public names that the page does not document otherwise.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import muxi
from muxi import config, errors, hookspecs
from muxi.call import Repeat
from muxi.exchange.repeat import REPEATS
from muxi.streaming.chat import ChatReader
from muxi_transports.http1 import RULES
from muxi_transports.memory import Defect

#: The variables that supply settings; a test of the configuration holds them to what is read.
VARIABLES = {
    "FormationConfig": {
        "url": "MUXI_FORMATION_URL",
        "server_url": "MUXI_SERVER_URL",
        "formation_id": "MUXI_FORMATION_ID",
        "client_key": "MUXI_CLIENT_KEY",
        "admin_key": "MUXI_ADMIN_KEY",
        "debug": "MUXI_DEBUG",
        "transport": "MUXI_TRANSPORT",
    },
    "ServerConfig": {
        "url": "MUXI_SERVER_URL",
        "key_id": "MUXI_KEY_ID",
        "secret_key": "MUXI_SECRET_KEY",
        "debug": "MUXI_DEBUG",
        "transport": "MUXI_TRANSPORT",
    },
}

_MEANING = {
    Repeat.SAFE: "repeated whenever its fate is unknown",
    Repeat.REMOVAL: "likewise; where the repetition finds nothing, it was done",
    Repeat.KEYED: "likewise, under an idempotency key that the runtime honours",
    Repeat.NEVER: "only where it is certain that nothing was done",
}


class Table(SphinxDirective):
    """A table out of rows of Markdown."""

    def rows(self) -> Iterable[Sequence[str]]:
        """The heading, then the rows."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        heading, *rows = ([cell.replace("|", "\\|") for cell in row] for row in self.rows())
        lines = [heading, ["---"] * len(heading), *rows]
        container = nodes.Element()
        self.state.nested_parse(StringList([f"| {' | '.join(line)} |" for line in lines]), 0, container)
        return container.children


class Repeats(Table):
    """How each operation bears repetition."""

    def rows(self) -> Iterable[Sequence[str]]:
        yield "operation", "class", "sent again"
        for operation, repeat in REPEATS.items():
            yield f"``{operation}``", repeat.value, _MEANING[repeat]


class Errors(Table):
    """Which status becomes which error."""

    def rows(self) -> Iterable[Sequence[str]]:
        yield "HTTP status", "class", "code where the answer has none", "what it says"
        for status in (400, 401, 403, 404, 408, 409, 410, 413, 422, 429, 500, 502, 503, 504):
            error = errors.map_error(status, "", "")
            summary = inspect.cleandoc(type(error).__doc__ or "").partition("\n")[0]
            yield str(status), f"{{py:class}}`~muxi.{type(error).__name__}`", f"``{error.code}``", summary


class SettingsTable(Table):
    """The settings of a client."""

    required_arguments = 1

    def rows(self) -> Iterable[Sequence[str]]:
        cls = getattr(config, self.arguments[0])
        # The bases' settings come first in the constructor, so also here.
        comments = {
            name: text
            for base in reversed(cls.__mro__[:-1])
            for name, text in comments_of(inspect.getsource(base)).items()
        }
        yield "setting", "default", "variable", "what it is"
        for item in fields(cls):
            variable = VARIABLES[cls.__name__].get(item.name)
            text = comments.get(item.name, "")
            yield f"``{item.name}``", f"``{_default(item)}``", f"``{variable}``" if variable else "", text


class HooksTable(Table):
    """Every hook, in the order of the contract."""

    def rows(self) -> Iterable[Sequence[str]]:
        yield "hook", "arguments", "what happens"
        for name, function in vars(hookspecs).items():
            if name.startswith("muxi_"):
                arguments = ", ".join(f"``{argument}``" for argument in inspect.signature(function).parameters)
                summary = inspect.cleandoc(function.__doc__).partition("\n")[0]
                yield f"{{py:func}}`~muxi.hookspecs.{name}`", arguments, summary


class DefectsTable(Table):
    """What an embedded formation can be told to do wrong."""

    def rows(self) -> Iterable[Sequence[str]]:
        comments = comments_of(inspect.getsource(Defect))
        yield "name", "what the recorded runtime does"
        for defect in Defect:
            yield f"``{defect.value}``", comments[defect.name]


class Http1Rules(Table):
    """The rules of one part of an HTTP/1.1 answer."""

    required_arguments = 1
    final_argument_whitespace = True

    def rows(self) -> Iterable[Sequence[str]]:
        yield "received", "decision", "RFC", "reason"
        for rule in RULES:
            if rule.part == self.arguments[0]:
                yield rule.received, rule.decision, rule.section, rule.why


class Rest(SphinxDirective):
    """Whatever of the public names the page does not mention otherwise."""

    def run(self) -> list[nodes.Node]:
        text = Path(self.env.doc2path(self.env.docname)).read_text(encoding="utf-8")
        lines = ["```{eval-rst}"]
        for name in muxi.__all__:
            value = getattr(muxi, name)
            if re.search(rf":: muxi\.{name}\b", text) or name.startswith("_") or inspect.ismodule(value):
                continue
            kind = "exception" if isinstance(value, type) and issubclass(value, Exception) else "class"
            kind = kind if isinstance(value, type) else "function" if callable(value) else "data"
            lines += [f".. auto{kind}:: muxi.{name}", "   :members:" if isinstance(value, type) else "", ""]
        container = nodes.Element()
        self.state.nested_parse(StringList([*lines, "```"]), 0, container)
        return container.children


def _watchdog(
    name: str, rawtext: str, text: str, lineno: int, inliner: object, options: object = None, content: object = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The default of a watchdog of chat streams."""
    return [nodes.literal(text=f"{getattr(ChatReader, text):g}")], []


def _default(item: Field[object]) -> str:
    if item.default is not MISSING:
        return repr(item.default)
    return repr(item.default_factory()) if item.default_factory is not MISSING else "required"


def comments_of(source: str) -> dict[str, str]:
    """The ``#:`` comments above the fields of the settings, or the members of an enumeration."""
    found: dict[str, str] = {}
    lines: list[str] = []
    for line in source.splitlines():
        if match := re.match(r"    #: (.*)", line):
            lines.append(match[1])
        elif match := re.match(r"    (\w+)(?::| =) ", line):
            if lines:
                found[match[1]] = " ".join(lines)
            lines = []
        else:
            lines = []
    return found


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives."""
    for name, directive in (
        ("muxi-repeats", Repeats),
        ("muxi-errors", Errors),
        ("muxi-settings", SettingsTable),
        ("muxi-hooks", HooksTable),
        ("muxi-defects", DefectsTable),
        ("muxi-http1", Http1Rules),
        ("muxi-rest", Rest),
    ):
        app.add_directive(name, directive)
    app.add_role("muxi-default", _watchdog)
    return {"version": "1", "parallel_read_safe": True}
