"""The directives ``muxi-floors``, ``muxi-call-path`` and ``muxi-rooms``: the plan of the packages, read from the code.

The floors are the layers that import-linter checks (``pyproject.toml``), a room's purpose is the first sentence of its
docstring, and the path of a call is recorded while one runs. So the page cannot say anything that is no longer true.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from muxi import FormationClient
from muxi.transport import BufferedResponse, Request, Response, Transport, replayed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]

#: Rooms of the ground floors that nearly every function enters; numbering them would hide the path.
_EVERYWHERE = frozenset({"call", "clock", "config", "context", "errors", "redact", "registry", "result", "types"})

WIDTH, LEFT, ROW, BOX, GAP = 900, 16, 58, 36, 10


class Step(NamedTuple):
    """A room that a call enters, with the function by which it enters it first."""

    room: str
    function: str


_ANSWER = b"""data: {"token": {"type": "content", "content": "Hello!"}}

data: {"token": {"type": "completed", "content": "Hello!", "status": "success"}}

event: done
data: {"finished": true}

"""


class AnsweringTransport(Transport):
    """Answers every request with one chat stream, so that recording a call needs no server."""

    def send(self, request: Request) -> Response:
        """A stream of one word, and its end."""
        return replayed(BufferedResponse(200, [("Content-Type", "text/event-stream")], _ANSWER))


def floors() -> list[list[str]]:
    """The rooms of ``muxi`` by floor, the highest first, as import-linter holds them."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "floors")
    return [[room.strip() for room in layer.split("|")] for layer in layers]


def purpose(room: str, package: str = "muxi") -> str:
    """The first sentence of a room's docstring."""
    path = ROOT / package / room
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return re.sub(r":\w+:`~?([^`]+)`|``([^`]+)``", r"\1\2", " ".join(said.split("\n\n")[0].split()))


def call_path() -> list[Step]:
    """The rooms that a call enters, in the order of the first entry, recorded while one runs."""
    client = FormationClient(
        url="http://127.0.0.1", client_key="k", transport=AnsweringTransport(), disable_plugins=["muxi.log"]
    )
    client.chat_stream("Hello!").result()  # loads what is loaded at first use
    steps: dict[str, Step] = {}

    def record(frame: FrameType, event: str, _: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event != "call" or not (module.startswith("muxi.") or module == __name__):
            return
        room = "your transport" if module == __name__ else module.split(".")[1]
        if room not in _EVERYWHERE and frame.f_code.co_name.strip("<>").isidentifier():
            steps.setdefault(room, Step(room, frame.f_code.co_qualname if _NAMED else frame.f_code.co_name))

    sys.setprofile(record)
    try:
        client.chat_stream("Hello!").result()
    finally:
        sys.setprofile(None)
    client.close()
    return list(steps.values())


#: Whether code objects know the class of their function (Python 3.11).
_NAMED = sys.version_info >= (3, 11)


def draw() -> str:
    """The floors as an SVG, with the path of a call as numbers on the rooms that it enters."""
    order = {step.room: number for number, step in enumerate(call_path(), 1)}
    plan = floors()
    height = ROW * len(plan) + 84
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="13" role="img" aria-label="The rooms of muxi by floor, with the path of a call">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff" rx="8"/>',
    ]
    for floor, rooms in enumerate(plan):
        y = 14 + floor * ROW
        width = (WIDTH - 2 * LEFT - GAP * (len(rooms) - 1)) / len(rooms)
        for at, room in enumerate(rooms):
            parts += _box(LEFT + at * (width + GAP), y, width, room, purpose(room), order.get(room))
    y = 14 + len(plan) * ROW + 8
    parts += [
        f'<path d="M{LEFT} {y - 10}H{WIDTH - LEFT}" stroke="#b8c0d8" stroke-dasharray="5 4"/>',
        *_box(LEFT, y, WIDTH - 2 * LEFT, "muxi_transports, or your transport",
              "Transports are reached by name, through the registry; they see muxi.transport and no client.",
              order.get("your transport")),
        "</svg>",
    ]  # fmt: skip
    return "\n".join(parts)


def _box(x: float, y: float, width: float, name: str, title: str, number: int | None) -> Iterator[str]:
    fill, stroke = ("#e6ecfb", "#5b74b8") if number else ("#f4f6fb", "#b8c0d8")
    yield f"<g><title>{escape(title)}</title>"
    yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BOX}" rx="5" fill="{fill}" stroke="{stroke}"/>'
    yield f'<text x="{x + width / 2:.1f}" y="{y + 23}" fill="#223" text-anchor="middle">{escape(name)}</text>'
    if number:
        yield f'<circle cx="{x + width - 8:.1f}" cy="{y}" r="10" fill="#5b74b8"/>'
        yield (
            f'<text x="{x + width - 8:.1f}" y="{y + 4}" fill="#fff" font-size="11" text-anchor="middle">{number}</text>'
        )
    yield "</g>"


class FloorsDirective(SphinxDirective):
    """The picture."""

    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", draw(), format="html")]


class CallPathDirective(SphinxDirective):
    """The steps of the path, with the function by which each room is entered."""

    def run(self) -> list[nodes.Node]:
        listed = nodes.enumerated_list()
        for step in call_path():
            text = "" if step.room == "your transport" else purpose(step.room)
            listed += nodes.list_item(
                "",
                nodes.paragraph(
                    "",
                    "",
                    nodes.strong(text=step.room),
                    nodes.Text(", by "),
                    nodes.literal(text=step.function),
                    nodes.Text(f". {text}"),
                ),
            )
        return [listed]


class RoomsDirective(SphinxDirective):
    """The rooms of a package with their purposes; the package is the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        package = self.arguments[0]
        listed = nodes.definition_list()
        for room in rooms_of(package):
            term = nodes.term("", "", nodes.literal(text=room))
            body = nodes.definition("", nodes.paragraph(text=purpose(room, package)))
            listed += nodes.definition_list_item("", term, body)
        return [listed]


def rooms_of(package: str) -> list[str]:
    """The modules and packages directly below a package, those that only one of them uses left out."""
    found = [
        path.stem
        for path in (ROOT / package).iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and not path.stem.startswith("_")
    ]
    return sorted(found)


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives."""
    app.add_directive("muxi-floors", FloorsDirective)
    app.add_directive("muxi-call-path", CallPathDirective)
    app.add_directive("muxi-rooms", RoomsDirective)
    return {"version": "1", "parallel_read_safe": True}
