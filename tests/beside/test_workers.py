"""Clients in the workers of gunicorn, which are forked from a process that has loaded and used the SDK."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.beside.environments import ROOT, provide_environment

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"


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
        found = re.search(r"http://127\.0\.0\.1:\d+", run.stdout.readline())
        assert found
        yield found[0]
        run.terminate()


@pytest.mark.parametrize(
    ("app", "worker"),
    [("wsgi", "sync"), ("wsgi", "gthread"), ("asgi", "uvicorn_worker.UvicornWorker")],
    ids=["sync", "gthread", "uvicorn"],
)
def test_each_worker_of_a_preloaded_application_calls_over_connections_of_its_own(
    app: str, worker: str, formation: str, tmp_path: Path
) -> None:
    python = provide_environment("workers")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [
            str(python), "-m", "gunicorn", "--preload", "--workers", "2", "--worker-class", worker,
            "--bind", f"fd://{listening.fileno()}", "--log-level", "warning", "--chdir", str(PROGRAMS),
            "--worker-tmp-dir", str(tmp_path), f"serve_workers:{app}",
        ]  # fmt: skip
        settings = environment(MUXI_FORMATION_URL=formation, MUXI_CLIENT_KEY="any", PYTHONDONTWRITEBYTECODE="1")
        with subprocess.Popen(
            command, pass_fds=[listening.fileno()], stderr=subprocess.PIPE, text=True, env=settings, cwd=tmp_path
        ) as server:
            try:
                answers = set()
                for _ in range(8):
                    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
                    with urllib.request.urlopen(url, timeout=30) as response:
                        answers.add(response.read().decode().strip('"'))
                assert answers == {"You said: in a worker True"}
            finally:
                server.send_signal(signal.SIGTERM)
                _, errors = server.communicate(timeout=30)
    assert server.returncode == 0, errors
    assert "Traceback" not in errors
