"""Errors come back whole from the result backends of task queues, in another environment with the queue."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.beside.environments import provide_environment

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"


def test_errors_come_back_from_the_json_backend_of_celery(tmp_path: Path) -> None:
    python = provide_environment("celery")
    done = subprocess.run(
        [str(python), str(PROGRAMS / "queue_celery.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    nothing = {"retry_after": None, "bound": None}
    assert found == {
        "not found": {
            "class": "NotFoundError", "code": "NOT_FOUND", "message": "there is none", "status_code": 404,
            "request_id": "req_1", **nothing,
        },
        "rate limit": {
            "class": "RateLimitError", "code": "RATE_LIMITED", "message": "too many", "status_code": 429,
            "request_id": "req_2", **nothing, "retry_after": 7.5,
        },
        "timeout": {
            "class": "TimeoutError", "code": "STALL_TIMEOUT", "message": "no event came", "status_code": 0,
            "request_id": None, **nothing, "bound": "stall_timeout",
        },
        "turn": {
            "class": "TurnFailed", "code": "AGENT_BUSY", "message": "the agent is busy", "status_code": 200,
            "request_id": "req_3", **nothing,
        },
        "key": {
            "class": "AuthenticationError", "code": "UNAUTHORIZED", "message": "wrong key", "status_code": 401,
            "request_id": "req_4", **nothing,
        },
    }  # fmt: skip
