"""Raises errors of the SDK in Celery tasks, and prints what a worker's result backend, which keeps JSON, gives back."""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

import celery
from celery.contrib.testing.worker import start_worker

from muxi import AuthenticationError, MuxiError, NotFoundError, RateLimitError, TimeoutError, TurnFailed

FOLDER = tempfile.mkdtemp()
app = celery.Celery("program", broker="memory://", backend=f"file://{FOLDER}")
app.conf.update(
    result_serializer="json", task_serializer="json", accept_content=["json"], broker_connection_retry_on_startup=False
)

ERRORS: dict[str, MuxiError] = {
    "not found": NotFoundError("NOT_FOUND", "there is none", 404, request_id="req_1"),
    "rate limit": RateLimitError("too many", 429, 7.5, request_id="req_2"),
    "timeout": TimeoutError("STALL_TIMEOUT", "no event came", bound="stall_timeout"),
    "turn": TurnFailed("AGENT_BUSY", "the agent is busy", 200, request_id="req_3"),
    "key": AuthenticationError("UNAUTHORIZED", "wrong key", 401, {"hint": "renew it"}, request_id="req_4"),
}


@app.task
def fail(name: str) -> None:
    try:
        raise OSError("a cause that no JSON can hold", object())
    except OSError as cause:
        raise ERRORS[name] from cause


def result_of(name: str) -> dict[str, Any]:
    """The error that comes out of the result of a task, in this process."""
    try:
        fail.delay(name).get(timeout=30)
    except MuxiError as error:
        fields = ("code", "message", "status_code", "request_id", "retry_after", "bound")
        return {"class": type(error).__name__, **{field: getattr(error, field, None) for field in fields}}
    raise AssertionError("the task did not fail")


def main() -> None:
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="CRITICAL"):
        print(json.dumps({name: result_of(name) for name in ERRORS}))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
