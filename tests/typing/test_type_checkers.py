"""mypy and pyright infer the same of both clients, and find the same mistakes.

``both_clients.py`` says what is inferred, ``mistakes.py`` what is wrong, ``users_own.py`` what users build.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements import require_module

HERE = Path(__file__).parent
FILES = [str(HERE / name) for name in ("both_clients.py", "mistakes.py", "users_own.py")]

pytestmark = pytest.mark.slow


def run(module: str, *arguments: str, cwd: Path = HERE.parents[1]) -> subprocess.CompletedProcess[str]:
    require_module(module)
    # pyright finds the packages of the interpreter that is first on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=600
    )


def test_mypy_infers_what_is_said_and_finds_every_mistake() -> None:
    done = run("mypy", "--strict", "--no-error-summary", *FILES)
    assert done.stdout == ""
    assert done.returncode == 0, done.stderr


def test_pyright_infers_what_is_said_and_finds_every_mistake() -> None:
    done = run("pyright", *FILES)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("0 errors"), done.stdout


def test_the_checkers_would_tell_of_a_mistake_that_is_none(tmp_path: Path) -> None:
    """What the other two tests rest on."""
    file = tmp_path / "fine.py"
    file.write_text("# pyright: reportUnnecessaryTypeIgnoreComment=true\nfine: int = 1  # type: ignore[assignment]\n")
    for module in ("mypy", "pyright"):
        done = run(module, *(["--strict"] if module == "mypy" else []), str(file), cwd=tmp_path)
        assert done.returncode == 1, done.stdout
        assert "nnecessary" in done.stdout or "nused" in done.stdout


def test_the_public_types_are_complete(tmp_path: Path) -> None:
    done = run("pyright", "--verifytypes", "muxi", "--ignoreexternal", "--outputjson", cwd=tmp_path)
    report = json.loads(done.stdout)["typeCompleteness"]
    unsaid = {
        f"{symbol['name']}: {problem['message']}"
        for symbol in report["symbols"]
        if symbol["isExported"] and not symbol["isTypeKnown"]
        for problem in symbol["diagnostics"]
        if problem["severity"] == "error" and "partially" not in problem["message"]
    }
    assert unsaid == set()
    assert report["exportedSymbolCounts"]["withKnownType"] > 500
    assert report["completenessScore"] == 1
