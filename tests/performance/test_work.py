"""The work of the hot paths does not grow by more than a tenth: modules loaded, functions called, memory used.

These are counts and no times, so that they are the same on every machine. Where more work is wanted, write the new
bounds with ``python -m tests.performance.work --write`` and say why in the commit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.performance.work import BOUNDS, version

GROWTH = 1.1


@pytest.fixture(scope="module")
def counted() -> dict[str, int]:
    """The counts, from a process that has loaded nothing else."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "PYTHON"))}
    command = [sys.executable, "-m", "tests.performance.work"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=kept, cwd=BOUNDS.parents[2])
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def _bounds() -> dict[str, int]:
    bounds: dict[str, dict[str, int]] = json.loads(BOUNDS.read_text())
    if version() not in bounds:
        pytest.skip(f"no bounds for Python {version()}: write them with python -m tests.performance.work --write")
    return bounds[version()]


def test_no_count_has_grown_by_more_than_a_tenth(counted: dict[str, int]) -> None:
    bounds = _bounds()
    assert set(counted) == set(bounds)
    grown = {name: (count, bounds[name]) for name, count in counted.items() if count > bounds[name] * GROWTH}
    assert not grown, f"more work than the bounds allow (counted, bound): {grown}"


def test_no_bound_is_looser_than_a_third_over_what_is_counted(counted: dict[str, int]) -> None:
    loose = {name: (counted[name], bound) for name, bound in _bounds().items() if bound > counted[name] * 1.33}
    assert not loose, f"write the bounds anew, they allow too much (counted, bound): {loose}"
