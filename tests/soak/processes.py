"""Starts the processes of a run: the hostile server, a worker for each lane, an environment with the official SDK."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "ServerProcess", "official_python", "run_worker", "serving"]

ROOT = Path(__file__).resolve().parents[2]


class ServerProcess:
    """A server of this folder in a process of its own.

    Args:
        process: the process, whose first line of output is its port.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{self._line().strip()}"

    def ask(self, question: str) -> Any:
        """Send a line, and read the JSON that the server answers with."""
        if self._process.stdin is None:
            raise RuntimeError("the server has no input")
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _line(self) -> str:
        if self._process.stdout is None:
            raise RuntimeError("the server has no output")
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"the server has ended with {self._process.wait()}")
        return line


@contextlib.contextmanager
def serving(module: str, *arguments: object) -> Iterator[ServerProcess]:
    """Run a server module of this folder for as long as the context lasts."""
    command = [sys.executable, "-m", f"tests.soak.{module}", *(str(it) for it in arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield ServerProcess(process)
        finally:
            # The end of its input is its end.
            process.communicate()


def run_worker(
    module: str, arguments: Sequence[object], *, python: str = sys.executable, limit: float = 300.0
) -> dict[str, Any]:
    """Run a worker module to its end and return the JSON that it prints last.

    Raises:
        RuntimeError: it failed, or took longer than the limit in seconds; the message shows where each thread stood.
    """
    # The official SDK has a package `muxi` too: the root of this repository has to come after the installed packages.
    start = (
        f"import faulthandler, runpy, sys; sys.path[0:1] = []; sys.path.append({str(ROOT)!r}); "
        f"faulthandler.dump_traceback_later({limit}, exit=True); runpy.run_module({module!r}, run_name='__main__')"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "PYTHONPATH"))}
    command = [python, "-c", start, *(str(it) for it in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "tests", env=environment)
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(map(str, arguments))} failed or was stuck:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def official_python(root: Path) -> str | None:
    """The interpreter of an environment with the official SDK; None where it cannot be installed."""
    python = root / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(root)], check=True)
    if subprocess.run([str(python), "-c", "import httpx, muxi"], check=False, capture_output=True).returncode:
        done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", "muxi"], check=False)
        return None if done.returncode else str(python)
    return str(python)
