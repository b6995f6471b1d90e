"""Runs of pytest inside of tests, with the plugin loaded as its entry point would load it, and nobody else's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Run(NamedTuple):
    """How a run of pytest ended."""

    code: int
    output: str

    @property
    def counts(self) -> dict[str, int]:
        """How many tests passed, failed, …"""
        line = self.output.strip().splitlines()[-1]
        return {name.rstrip("s"): int(number) for number, name in re.findall(r"(\d+) ([a-z]+)", line) if name != "in"}


Pytest = Callable[..., Run]

#: Code under test that survives everything.
ASK = """
import sys
from concurrent.futures import ThreadPoolExecutor
import pytest
from muxi import FormationClient
from muxi_transports.memory import EmbeddedFormation, Later, MemoryTransport
from muxi_transports.wsgi import WsgiTransport

def ask(formation, text="Hi"):
    try:
        return formation.chat({"message": text}, user_id="ada")
    except Exception:
        return None
"""


@pytest.fixture
def run_pytest(tmp_path: Path) -> Pytest:
    """Write the test of somebody who has the SDK, and run it: ``run_pytest(source, *options)``."""

    def run(source: str, *options: str, environment: dict[str, str] | None = None, load: bool = True) -> Run:
        (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "PYTEST_"))}
        inherited |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), **(environment or {})}
        command = [sys.executable, "-m", "pytest", *(["-p", "muxi.testing.pytest_plugin"] if load else [])]
        command += ["-q", "-W", "error", "--strict-markers", "--strict-config", "-p", "no:cacheprovider", *options]
        done = subprocess.run(
            command, cwd=tmp_path, env=inherited, capture_output=True, text=True, check=False, timeout=120
        )
        return Run(done.returncode, done.stdout + done.stderr)

    return run
