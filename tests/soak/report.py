"""The table of a run, printed as it becomes known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.soak.figures import keep_soak
from tests.soak.judge import Verdict

if TYPE_CHECKING:
    from tests.soak.mixed import Judged

__all__ = ["MEMORY_FLAT", "Report", "problems_of_left"]

#: KiB by which memory may grow over the second half of a lane's calls and still be called flat.
MEMORY_FLAT = 8 * 1024

_COLUMNS = (
    ("calls", "calls"),
    ("failed", "failed"),
    (Verdict.LOST.value, "lost"),
    (Verdict.DOUBLED.value, "doubled"),
    (Verdict.FOREIGN.value, "foreign"),
    (Verdict.SWAPPED.value, "swapped"),
    (Verdict.SILENT.value, "silent"),
    (Verdict.OVERDONE.value, "too often"),
    (Verdict.REUSED.value, "reused"),
    (Verdict.RACED.value, "raced"),
    ("uncaught", "uncaught"),
    ("descriptors", "fds"),
    ("threads", "threads"),
    ("tasks", "tasks"),
    ("memory", "KiB more"),
    ("seconds", "seconds"),
)
#: What has to be 0 for this SDK.
_ZERO = (
    *(verdict.value for verdict in Verdict if verdict is not Verdict.RACED),
    "uncaught",
    "descriptors",
    "threads",
    "tasks",
)


def problems_of_left(left: dict[str, Any]) -> list[str]:
    """What is wrong with what a worker leaves behind."""
    found = [f"{left[name]} {name} are left" for name in ("descriptors", "threads", "tasks") if left[name]]
    if left["memory"] > MEMORY_FLAT:
        found.append(f"memory grew by {left['memory']} KiB")
    return [*found, *(f"uncaught {line}" for line in left["uncaught"])]


class Report:
    """Collects figures, and what is wrong with them.

    Args:
        seed: the seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._parts: dict[str, dict[str, Any]] = {}
        self._wrong: list[str] = []

    def add_lane(self, lane: str, judged: Judged, left: dict[str, Any], seconds: float, *, ours: bool) -> None:
        """Add the figures of a lane, and print them."""
        row = {"calls": judged.calls, "failed": judged.failed}
        row |= {verdict.value: judged.counts[verdict] for verdict in Verdict}
        row |= {**left, "uncaught": len(left["uncaught"]), "seconds": round(seconds)}
        lanes = self._parts.setdefault("calls", {"lanes": {}})["lanes"]
        if not lanes:
            print(f"{'':20}" + "".join(f"{title:>10}" for _, title in _COLUMNS))
        lanes[lane] = row
        print(f"{lane:20}" + "".join(f"{row[name]:10}" for name, _ in _COLUMNS), flush=True)
        for line in (*judged.examples, *left["uncaught"][:5]):
            print(f"    {line}")
        if not ours:
            return
        self._wrong += [f"{lane}: {name} {row[name]}" for name in _ZERO if row[name]]
        if row["memory"] > MEMORY_FLAT:
            self._wrong.append(f"{lane}: memory grew by {row['memory']} KiB")

    def add_part(self, name: str, figures: dict[str, Any], wrong: list[str]) -> None:
        """Add the figures of a part that is no lane, and print them."""
        self._parts[name] = {"wrong": len(wrong), **figures}
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in figures.items()), flush=True)
        for line in wrong[:10]:
            print(f"    {line[:4000]}")
        if wrong:
            self._wrong.append(f"{name}: {len(wrong)} wrong")

    def keep(self) -> None:
        """Keep the figures so far for the documentation."""
        keep_soak({name: {**part, "seed": self._seed} for name, part in self._parts.items()})

    def finish(self) -> int:
        """Print what is wrong.

        Returns:
            the exit code.
        """
        if self._wrong:
            print(f"{len(self._wrong)} of these have to be 0:")
            for line in self._wrong:
                print(f"  {line}")
            return 1
        print("nothing is wrong")
        return 0
