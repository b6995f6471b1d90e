"""A program that PyInstaller has frozen runs with the wheel and its hook, or with the options that the page names."""

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

PAGE = (ROOT / "docs" / "operating" / "pyinstaller.md").read_text(encoding="utf-8")
MISSING = "ModuleNotFoundError: No module named 'muxi_transports'"
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


@pytest.fixture
def site(tmp_path: Path, wheel: Path) -> Path:
    """A folder with the wheel, whose entry point announces the hook where the folder is on the path."""
    site = tmp_path / "site"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, *install], check=True)
    return site


@pytest.fixture
def hookless(site: Path) -> Path:
    """The same folder without that entry point; it hides the distribution of the checkout, which has it too."""
    (entry_points,) = site.glob("muxi_client-*.dist-info/entry_points.txt")
    text = entry_points.read_text(encoding="utf-8")
    without = re.sub(r"\[pyinstaller40\]\n(?:.+\n)*", "", text)
    assert without != text
    entry_points.write_text(without, encoding="utf-8")
    return site


def freeze(folder: Path, *options: str, **settings: str) -> Path:
    """Freeze the program with PyInstaller; return its path."""
    command = [str(provide_environment("pyinstaller")), "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    built = subprocess.run(
        [*command, *options, "--name", "program", str(PROGRAM)],
        capture_output=True, text=True, check=False, timeout=300, cwd=folder,
        env=environment(PYINSTALLER_CONFIG_DIR=str(folder / "cache"), **settings),
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    return folder / "dist" / "program" / "program"


def run(program: Path, formation: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), formation],
        capture_output=True, text=True, check=False, timeout=60, cwd=program.parent, env=environment(),
    )  # fmt: skip


PRINTED = [
    "memory You said: sync", "NotFoundError",
    "requests You said: sync", "NotFoundError",
    "urllib3 You said: sync", "NotFoundError",
    "aiohttp You said: async",
    "FormationConfig Retry X-Muxi-Signature",
]  # fmt: skip


def test_a_frozen_program_finds_what_is_imported_by_name(tmp_path: Path, site: Path, formation: str) -> None:
    done = run(freeze(tmp_path, PYTHONPATH=str(site)), formation)
    assert (done.returncode, done.stderr, done.stdout.splitlines()) == (0, "", PRINTED)


def test_without_the_hook_it_lacks_the_transports_as_the_page_says(
    tmp_path: Path, hookless: Path, formation: str
) -> None:
    done = run(freeze(tmp_path, PYTHONPATH=str(hookless)), formation)
    assert done.returncode != 0
    assert MISSING in done.stderr
    assert MISSING in PAGE


def test_the_options_on_the_page_do_without_the_hook(tmp_path: Path, hookless: Path, formation: str) -> None:
    [line] = re.findall(r"^pyinstaller (--collect-submodules .*) program\.py$", PAGE, re.MULTILINE)
    done = run(freeze(tmp_path, *line.split(), PYTHONPATH=str(hookless)), formation)
    assert (done.returncode, done.stderr, done.stdout.splitlines()) == (0, "", PRINTED)
