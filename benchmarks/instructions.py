"""Instructions instead of seconds: the same on a busy machine as on a quiet one. valgrind counts them, where it is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from environments import variables

HERE = Path(__file__).resolve().parent

#: For each figure: what is repeated, how often in a short and in a long run, and what one repetition counts for.
REPEATED = {
    "memories": ("memories", 10, 40, 1),
    "chat": ("chat", 10, 40, 1),
    "large": ("large", 1, 2, 1),
    "event, small": ("small", 0, 1, 20_000),
    "event, large": ("big", 1, 2, 200),
    "event, one by one": ("single", 0, 1, 2_000),
}


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
    """Thousands of instructions of a call and of an event: the difference of a long run and a short one."""
    figures = {}
    for figure, (kind, short, long, size) in REPEATED.items():
        runs = [
            count([python, str(HERE / "worker.py"), "repeat", contender, port, kind, str(times)])
            for times in (short, long)
        ]
        figures[figure] = (runs[1] - runs[0]) / (long - short) / size * 1000
    return figures
