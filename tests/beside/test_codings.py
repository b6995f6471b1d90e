"""With the packages that have urllib3 undo brotli and zstd, which an answer over a session may have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.beside.conftest import PATIENCE
from tests.beside.environments import EnvironmentMissing, provide_environment
from tests.requirements import report_missing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_brotli_and_zstd_are_undone_and_held_to_their_ends() -> None:
    try:
        python = provide_environment("codings")
    except EnvironmentMissing as error:
        report_missing(
            f"the environment 'codings' cannot be made ({error})",
            "python -m tests.beside.environments makes it, with a package index in reach",
        )
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/pooled/test_codings.py", "-k", "library"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout, done.stdout
    assert "skipped" not in done.stdout, done.stdout
