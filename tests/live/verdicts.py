"""The verdicts of a run: each method on each kind of formation, written as the table of the page on compatibility."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from muxi import FormationClient, ServerClient
from tests.live.defects import Defect
from tests.live.lab.formations import KINDS
from tests.live.lab.installing import RUNTIME
from tests.live.lab.places import ROOT
from tests.live.probing import EMBEDDED, Probe, public_methods

__all__ = ["TABLE", "Verdicts"]

TABLE = ROOT / "docs" / "_generated" / "live.md"


class _Run(NamedTuple):
    """One run of a probe."""

    colour: str
    passed: bool
    defect: Defect | None


class Verdicts:
    """What came of the probes."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], list[_Run]] = defaultdict(list)
        #: Numbers of the run, by what they count.
        self.figures: dict[str, int] = {}

    def add(self, probe: Probe, kind: str, colour: str, outcome: str) -> None:
        """Add one run of a probe."""
        for method in probe.methods:
            self._runs[method, kind].append(_Run(colour, outcome == "passed", probe.defect))

    def write(self) -> None:
        """Write the table."""
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(self.render(), encoding="utf-8")

    def render(self) -> str:
        """Return the tables as Markdown."""
        notes: list[Defect] = []
        python = ".".join(platform.python_version_tuple()[:2])
        lines = [
            f"Of a run of `make live` with `{RUNTIME}` on Python {python}; each verdict is that of the sync and of the "
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
            lines += ["", "Numbers of that run:", ""]
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
        runs = self._runs[method, kind]
        if not runs:
            return "not tested"
        failed = sorted({run.colour for run in runs if not run.passed})
        if failed:
            return f"**fails** ({', '.join(failed)})"
        numbers = _number((run.defect for run in runs if run.defect), notes)
        works = "works" if any(run.defect is None for run in runs) else "defect"
        return f"{works} ({numbers})" if numbers else works


def _number(found: Iterable[Defect], notes: list[Defect]) -> str:
    """Return the numbers of defects, and add new ones to the notes."""
    numbers = set()
    for defect in found:
        if defect not in notes:
            notes.append(defect)
        numbers.add(notes.index(defect) + 1)
    return ", ".join(map(str, sorted(numbers)))
