"""A program that PyInstaller has frozen runs, with the wheel and its hook, in another environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.beside.environments import provide_environment
from tests.packaging.conftest import ROOT, sdist, source_tree, wheel

__all__ = ["sdist", "source_tree", "wheel"]  # fixtures

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "programs" / "freeze_pyinstaller.py"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "PYTHON"))}
    return {**kept, **more}


@pytest.fixture
def formation() -> Iterator[str]:
    """The address of a formation that another process serves."""
    command = [sys.executable, "-c", "from muxi.cli import main; main()", "serve", "--port", "0"]
    settings = environment(PYTHONPATH=str(ROOT), PYTHONUNBUFFERED="1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=settings) as run:
        assert run.stdout is not None
        line = run.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        yield found[0]
        run.terminate()


def test_a_frozen_program_finds_what_is_imported_by_name(tmp_path: Path, wheel: Path, formation: str) -> None:
    python = provide_environment("pyinstaller")
    site = tmp_path / "site"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, *install], check=True)
    # The wheel comes first on the path: its entry point announces the hook.
    built = subprocess.run(
        [str(python), "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--name", "program", str(PROGRAM)],
        capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path,
        env=environment(PYTHONPATH=str(site), PYINSTALLER_CONFIG_DIR=str(tmp_path / "cache")),
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    done = subprocess.run(
        [str(tmp_path / "dist" / "program" / "program"), formation],
        capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "memory You said: sync", "NotFoundError",
        "requests You said: sync", "NotFoundError",
        "urllib3 You said: sync", "NotFoundError",
        "aiohttp You said: async",
        "FormationConfig Retry X-Muxi-Signature",
    ]  # fmt: skip
