"""Instructions instead of seconds: the same on a busy machine as on a quiet one. valgrind counts them, where it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from environments import variables

HERE = Path(__file__).resolve().parent

#: For each figure: what is added to the base, how often, and how many calls or events that is.
ADDED = {
    "memories": ("memories", 40, 40),
    "chat": ("chat", 40, 40),
    "event, small": ("few", 2, 2_000),
    "event, one by one": ("single", 1, 2_000),
}
#: What each run does first, so that the difference has nothing in it that is done but once.
BASE = ("memories", "10", "chat", "10", "few", "1")


def is_available() -> bool:
    """Tell whether instructions can be counted here."""
    return shutil.which("valgrind") is not None


def count(command: list[str], *paths: Path) -> float:
    """Millions of instructions of a whole process, those of the kernel not counted."""
    counting = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", *command]
    environment = {**variables(*paths), "PYTHONHASHSEED": "0"}
    done = subprocess.run(counting, capture_output=True, text=True, check=True, cwd=HERE, env=environment)
    found = re.search(r"I +refs: +([\d,]+)", done.stderr)
    if found is None:
        raise RuntimeError(f"valgrind has not counted: {done.stderr[-500:]}")
    return int(found[1].replace(",", "")) / 1e6


def of_calls(python: str, contender: str, port: str) -> dict[str, float]:
    """Thousands of instructions of a call and of an event: what a run with more of them takes more than the base."""
    command = [python, str(HERE / "worker.py"), "repeat", contender, port, *BASE]
    base = count(command)
    return {
        figure: (count([*command, kind, str(times)]) - base) / size * 1000
        for figure, (kind, times, size) in ADDED.items()
    }
