"""The page on AWS Lambda, run by Lambda's own runtime client against the interface that Lambda gives it."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from muxi_transports.memory import EmbeddedFormation, Turn, serve
from tests.beside.environments import ROOT, provide_environment

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "operating" / "aws-lambda.md").read_text(encoding="utf-8")
#: The interface of the runtime: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
NEXT = "/2018-06-01/runtime/invocation/next"


class Invocations(ThreadingHTTPServer):
    """Gives events to a runtime one after the other, and keeps what it reports."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: queue.Queue[tuple[dict[str, Any], float]] = queue.Queue()
        self.reports: queue.Queue[tuple[str, Any]] = queue.Queue()

    def invoke(self, event: dict[str, Any], seconds: float) -> tuple[str, Any]:
        """Have the function invoked, and return what comes of it: ``response`` or ``error``, and its body."""
        self.events.put((event, seconds))
        return self.reports.get(timeout=60)


class _Handler(BaseHTTPRequestHandler):
    @property
    def invocations(self) -> Invocations:
        assert isinstance(self.server, Invocations)
        return self.server

    def do_GET(self) -> None:
        assert self.path == NEXT
        event, seconds = self.invocations.events.get()
        body = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + seconds) * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:0:function:ask")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else b"".join(self._chunks())
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.invocations.reports.put((self.path.rpartition("/")[2], json.loads(body)))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write nothing to standard error."""


@pytest.fixture
def invocations() -> Iterator[Invocations]:
    server = Invocations()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_function_answers_invocations_and_ends_before_lambda_would_end_it(
    invocations: Invocations, tmp_path: Path
) -> None:
    python = provide_environment("lambda")
    (tmp_path / "app.py").write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0])
    go_on = threading.Event()
    world = EmbeddedFormation()

    @world.agent("assistant")
    def answer(turn: Turn) -> str:
        if turn.message == "slow":
            go_on.wait(60)
        return f"You said: {turn.message}"

    with serve(world) as served:
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("MUXI_", "PYTHON"))}
        settings |= {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{invocations.server_port}",
            "MUXI_CLIENT_KEY": "any",
            "MUXI_FORMATION_URL": served.url,
        }
        command = [str(python), "-m", "awslambdaric", "app.handler"]
        with subprocess.Popen(command, cwd=tmp_path, env=settings, stdout=subprocess.PIPE, text=True) as run:
            try:
                answers = [
                    invocations.invoke({"message": f"number {number}", "user_id": "ada"}, 30) for number in range(2)
                ]
                kind, error = invocations.invoke({"message": "slow", "user_id": "ada"}, 1.5)
            finally:
                go_on.set()
                run.kill()
                said, _ = run.communicate()

    assert answers == [
        ("response", {"statusCode": 200, "body": f"You said: number {number}"}) for number in range(2)
    ], said
    assert (kind, error["errorType"]) == ("error", "TimeoutError")
    assert error["errorMessage"].startswith("DEADLINE: the call took longer than deadline = 0.")
