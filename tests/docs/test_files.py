"""The files that pages show in blocks marked ``<!-- file: test_bot.py -->`` are tested by pytest, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from muxi_transports.memory import EmbeddedFormation, serve

ROOT = Path(__file__).parents[2]

#: Blocks of one name are parts of one file, in order.
_FILE = re.compile(r"<!-- file: (\S+) -->\n+```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files_of(page: Path) -> dict[str, str]:
    """The files of a page by their names."""
    files: dict[str, str] = {}
    for name, part in _FILE.findall(page.read_text(encoding="utf-8")):
        files[name] = f"{files[name]}\n\n{part}" if name in files else part
    return files


PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if files_of(page)]


@pytest.fixture
def there() -> Iterator[dict[str, str]]:
    """The settings of a reader who has a formation; it knows one answer."""
    formation = EmbeddedFormation(client_key="fmc_reader")
    formation.agent("assistant", lambda turn: "It is 42.")
    with serve(formation) as served:
        yield {"MUXI_FORMATION_URL": served.url, "MUXI_CLIENT_KEY": "fmc_reader"}


@pytest.mark.slow  # starts an interpreter with pytest
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_of_a_page_pass(page: Path, tmp_path: Path, there: dict[str, str]) -> None:
    for name, content in files_of(page).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    done = run_pytest(tmp_path, there)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[1-9]\d* passed", done.stdout)
    assert not re.search(r"failed|error|skipped", done.stdout.splitlines()[-1])


def run_pytest(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What a reader sees who has the SDK and pytest."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "PYTEST_"))}
    # The plugin, whether or not the SDK is installed with its entry points, and nobody else's.
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-m", "pytest", "-p", "muxi.testing.pytest_plugin", "-p", "no:cacheprovider"]
    options = ["-q", "-W", "error", "--strict-markers", "--rootdir", str(folder)]
    return subprocess.run(
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
