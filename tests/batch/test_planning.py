"""The page on batches: its figures are those of the last measurement, and its sheet follows from them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "docs" / "_generated"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """The benchmark of batches."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location("benchmark_of_batches", ROOT / "benchmarks" / "batch.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return module


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GENERATED / "batch.json").read_text(encoding="utf-8"))
    return found


def test_the_page_shows_what_was_measured(
    bench: ModuleType, kept: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "GENERATED", tmp_path)
    bench.write(kept["results"], kept["conditions"])
    names = ["batch-memory.md", "batch-sheet.md", "batch.md", "batch.svg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names:
        assert (tmp_path / name).read_text(encoding="utf-8") == (GENERATED / name).read_text(encoding="utf-8"), name
    page = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    assert all(f"_generated/{name}" in page for name in names)


def test_everything_was_measured(bench: ModuleType, kept: dict[str, Any]) -> None:
    assert {kind: tuple(map(int, sizes)) for kind, sizes in kept["results"].items()} == bench.SIZES


def test_a_curve_bends_where_it_falls_below_four_fifths_of_the_ideal(bench: ModuleType) -> None:
    figures = {"1": {"rate": 19.0}, "16": {"rate": 300.0}, "64": {"rate": 900.0}, "128": {"rate": 950.0}}
    assert bench.bend_of("threads", figures) == 64
    assert bench.bend_of("threads", {"1": {"rate": 19.0}}) is None
    assert bench.bend_of("dask", {"1": {"rate": 100.0}}) == 16


@pytest.mark.parametrize(
    ("rate", "latency", "calls", "processes"),
    [
        (10, 0.05, 1, 1),  # next to nothing
        (100, 10.0, 1000, 16),  # bound by what waits: 1000 in 64 each
        (10_000, 0.05, 500, 15),  # bound by the CPU: 10 cores of which 70 % are used
        (1_000, 60.0, 60_000, 938),
    ],
)
def test_a_plan_is_the_larger_of_two_bounds(
    bench: ModuleType, rate: float, latency: float, calls: int, processes: int
) -> None:
    assert bench.plan(rate, latency, 0.001, 64) == (calls, processes)


def test_the_better_of_two_rounds_is_kept(bench: ModuleType) -> None:
    assert bench.better({}, {"rate": 1.0}) == {"rate": 1.0}
    assert bench.better({"rate": 2.0}, {"rate": 1.0}) == {"rate": 2.0}
    assert bench.better({"journal": 2.0}, {"journal": 1.0}) == {"journal": 1.0}
