"""The figures of runs, as JSON and as the tables that ``docs/reliability.md`` includes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["FIGURES", "keep_fuzz", "keep_soak", "running_commit", "table"]

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "docs" / "_figures"

#: What is counted for each lane, and how the documentation calls it.
_ROWS = {
    "calls": "calls",
    "failed": "that ended in an error",
    "lost": "**lost, though the call could be saved**",
    "doubled": "**carried out twice**",
    "foreign": "**exceptions of others**",
    "swapped": "**answers of other calls**",
    "silent": "**cut or missing answers that passed for whole**",
    "overdone": "**sent more often than allowed**",
    "reused": "**connections used again after an unasked answer**",
    "uncaught": "exceptions in threads, tasks and finalizers",
    "descriptors": "descriptors left",
    "threads": "threads left",
    "tasks": "tasks left",
    "memory": "KiB of growth over the second half",
}


def keep_soak(figures: Mapping[str, Any], folder: Path = FIGURES) -> None:
    """Keep the figures of a soak; parts that were not run keep theirs."""
    kept = _read(folder / "soak.json")
    for name, part in figures.items():
        kept[name] = part
    _write(folder / "soak.json", kept)
    if lanes := kept.get("calls", {}).get("lanes"):
        _write(
            folder / "soak-calls.txt", table(["", *lanes], [[title, *_of(lanes, row)] for row, title in _ROWS.items()])
        )
    rows = [[name, *_counts(part)] for name, part in kept.items() if name != "calls"]
    _write(folder / "soak-parts.txt", table(["part", "counted", "wrong", "seed"], rows))


def keep_fuzz(results: Mapping[str, Any], seed: int, commit: str, folder: Path = FIGURES) -> None:
    """Keep the figures of a fuzzing run at a commit; targets that were not run keep theirs."""
    kept = _read(folder / "fuzz.json")
    for name, result in results.items():
        kept[name] = {**result, "seed": seed, "commit": commit}
    _write(folder / "fuzz.json", kept)
    rows = [
        [
            f"`{name}`",
            f"{it['inputs']:,}",
            f"1 in {it.get('one_of', 1)}",
            it["engine"],
            str(it["seed"]),
            f"`{it.get('commit', '')}`",
            str(len(it["broken"])),
        ]
        for name, it in sorted(kept.items())
    ]
    head = ["target", "inputs", "through a whole client", "made by", "seed", "commit", "faults"]
    _write(folder / "fuzz.txt", table(head, rows))


def running_commit() -> str:
    """The commit that runs, with ``+`` behind it where files other than figures differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            [shutil.which("git") or "git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    is_changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/_figures")
    return git("rev-parse", "--short=7", "HEAD") + ("+" if is_changed else "")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _of(lanes: Mapping[str, Mapping[str, int]], row: str) -> list[str]:
    return [f"{figures[row]:,}" for figures in lanes.values()]


def _counts(part: Mapping[str, Any]) -> list[str]:
    counted = ", ".join(f"{value:,} {name}" for name, value in part.items() if name not in ("wrong", "seed", "seconds"))
    return [counted, str(part["wrong"]), str(part["seed"])]


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _write(path: Path, content: str | Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
