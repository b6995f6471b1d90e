"""The verdicts of a run: each method on each kind of formation, written as the table of the page on compatibility."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from typing import NamedTuple

from muxi import FormationClient, ServerClient
from tests.live.defects import DEFECTS, Defect
from tests.live.lab.formations import KINDS
from tests.live.lab.installing import RUNTIME
from tests.live.lab.places import HOME, ROOT
from tests.live.probing import EMBEDDED, Probe, public_methods

__all__ = ["TABLE", "Verdicts"]

TABLE = ROOT / "docs" / "_generated" / "live.md"


#: The outcomes of probes, kept from run to run, so that parts can be run on their own.
_KEPT = HOME / "outcomes.json"


class Outcome(NamedTuple):
    """The last outcome of a probe for one kind of formation and one colour."""

    methods: list[str]
    kind: str
    colour: str
    passed: bool
    #: The name of the defect that it asserts, or empty.
    defect: str


class Verdicts:
    """What came of the probes, in this run and, where they were not run, before.

    Args:
        afresh: forget earlier runs.
    """

    def __init__(self, *, afresh: bool) -> None:
        kept = {} if afresh or not _KEPT.is_file() else json.loads(_KEPT.read_text(encoding="utf-8"))
        self._outcomes = {test: Outcome(*outcome) for test, outcome in kept.get("outcomes", {}).items()}
        #: Numbers by what they count, each of the last run that has counted it.
        self.figures: dict[str, int] = kept.get("figures", {})

    def add(self, test: str, probe: Probe, kind: str, colour: str, *, passed: bool) -> None:
        """Keep the outcome of a test."""
        self._outcomes[test] = Outcome(sorted(probe.methods), kind, colour, passed, probe.defect)
        kept = {"outcomes": self._outcomes, "figures": self.figures}
        _KEPT.write_text(json.dumps(kept), encoding="utf-8")

    def write(self) -> None:
        """Write the table."""
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(self.render(), encoding="utf-8")

    def render(self) -> str:
        """Return the tables as Markdown."""
        notes: list[Defect] = []
        python = ".".join(platform.python_version_tuple()[:2])
        lines = [
            f"Of runs of `make live` with `{RUNTIME}` on Python {python}; each verdict is that of the sync and of the "
            "async client.",
            "",
            "| method of `FormationClient` | several users, PostgreSQL | one user, SQLite |",
            "|---|---|---|",
        ]
        for method in sorted(public_methods(FormationClient)):
            cells = (self._verdict(method, kind, notes) for kind in KINDS)
            lines.append(f"| `{method}` | {' | '.join(cells)} |")
        lines += ["", "Defects of the runtime, and what the SDK makes of them:", ""]
        lines += [f"{number}. It {note.does}. The SDK {note.sdk}." for number, note in enumerate(notes, 1)]
        if self.figures:
            lines += ["", "Numbers of the last run:", ""]
            lines += [f"- {what}: {number}" for what, number in self.figures.items()]
        lines += [
            "",
            "| method of `ServerClient` | `muxi-client serve --server` |",
            "|---|---|",
            *(
                f"| `{name}` | {self._verdict(name, EMBEDDED, notes)} |"
                for name in sorted(public_methods(ServerClient))
            ),
        ]
        return "\n".join([*lines, ""])

    def _verdict(self, method: str, kind: str, notes: list[Defect]) -> str:
        runs = [found for found in self._outcomes.values() if found.kind == kind and method in found.methods]
        if not runs:
            return "not tested"
        failed = sorted({run.colour for run in runs if not run.passed})
        if failed:
            return f"**fails** ({', '.join(failed)})"
        numbers = _number((DEFECTS[run.defect] for run in runs if run.defect), notes)
        works = "works" if any(not run.defect for run in runs) else "defect"
        return f"{works} ({numbers})" if numbers else works


def _number(found: Iterable[Defect], notes: list[Defect]) -> str:
    """Return the numbers of defects, and add new ones to the notes."""
    numbers = set()
    for defect in found:
        if defect not in notes:
            notes.append(defect)
        numbers.add(notes.index(defect) + 1)
    return ", ".join(map(str, sorted(numbers)))
