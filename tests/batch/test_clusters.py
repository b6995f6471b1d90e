"""Batches on clusters: Dask with several worker processes, Ray over the adapter in examples/ray_executor.py."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.batch.support import Formation, serving
from tests.beside.environments import EnvironmentMissing, provide_environment
from tests.requirements import report_missing

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE = 240


def run_in(environment: str, program: str, url: str, folder: Path) -> dict[str, Any]:
    """Run a program in an environment of its own, and return what it printed."""
    try:
        python = provide_environment(environment)
    except EnvironmentMissing as error:
        report_missing(
            f"{environment} cannot be installed for this Python ({error})",
            "python -m tests.beside.environments installs it where it has a wheel, with a package index in reach",
        )
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    # Both write files into the home directory.
    kept |= {"HOME": str(folder), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [str(python), str(PROGRAMS / program), url, str(folder)],
        env={**kept, "MUXI_TRACING": "0", "MUXI_CLIENT_KEY": "fmc_reader1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_batch_on_dask_survives_a_worker_that_is_killed(formation: Formation, tmp_path: Path) -> None:
    with serving(formation, delay=0.1) as url:
        run = run_in("dask", "run_on_dask.py", url, tmp_path)
    assert run["workers"] == 3
    outcomes = [run["results"][str(position)] for position in range(81)]
    # Dask gives the tasks of a lost worker to another: their calls have the same keys, and joined the first.
    assert outcomes == [*["ok"] * 80, "MAY_RUN_TWICE"]
    assert run["replayed"] == 81
    assert {message: formation.work[message] for message in formation.work if formation.work[message] != 1} == {}
    assert len(formation.keys) == 80


def test_a_batch_on_ray_survives_a_worker_that_is_killed(formation: Formation, tmp_path: Path) -> None:
    with serving(formation, delay=0.1) as url:
        run = run_in("ray", "run_on_ray.py", url, tmp_path)
    assert run["workers"] == 2
    assert len(run["results"]) == 60
    assert set(run["results"].values()) <= {"ok", "WORKER_LOST"}
    assert run["lost"] == 0
    assert set(formation.work.values()) == {1}
    assert len(formation.work) == 60
