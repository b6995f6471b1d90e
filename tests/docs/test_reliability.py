"""The page on reliability names tests that are there, and its figures are those that the commands have written."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from tests.fuzz import targets
from tests.fuzz.registry import TARGETS
from tests.soak.figures import FIGURES, table
from tests.soak.workers.lanes import LANES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def test_every_promise_names_a_test_that_is_there() -> None:
    assert len(NAMED) > 20
    for file, name in NAMED:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {it.name for it in ast.walk(tree) if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}, (
            name
        )


def test_the_figures_are_of_every_lane_and_every_target() -> None:
    soak = json.loads((FIGURES / "soak.json").read_text(encoding="utf-8"))
    fuzz = json.loads((FIGURES / "fuzz.json").read_text(encoding="utf-8"))
    assert set(LANES) < set(soak["calls"]["lanes"])
    assert set(soak) == {"calls", "restarts", "streams", "cancellations", "interrupts"}
    assert targets.__all__
    assert set(fuzz) == set(TARGETS)


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
