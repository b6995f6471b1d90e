"""What git keeps: whatever stands at the root has a place there, and nothing else was left behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import PurePosixPath

import pytest

from tests.packaging.conftest import ROOT

_ROOMS = {".ci", "benchmarks", "docs", "examples", "muxi", "muxi_transports", "tests"}
_FILES = {
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "pyproject.toml",
    "setup.cfg",
}


@pytest.fixture(scope="module")
def kept() -> list[PurePosixPath]:
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git: install it")
    done = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [PurePosixPath(name) for name in done.stdout.split("\0") if name]


def test_the_root_has_only_what_has_a_place_there(kept: list[PurePosixPath]) -> None:
    assert {path.parts[0] for path in kept if len(path.parts) > 1} == _ROOMS
    assert {path.name for path in kept if len(path.parts) == 1} == _FILES
