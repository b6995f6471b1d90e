"""The output of ``muxi-client batch``: files of JSON lines that are whole after any kill."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from muxi.answers import pending
from muxi.batch import BatchResult
from muxi.cli.exits import CommandFailure, Exit
from muxi.types import ChatResult

__all__ = ["LineFile", "answer_record", "failure_record"]


class LineFile:
    """A file of JSON lines with a ``position`` each, none of which is written twice.

    Args:
        path: the file.
        resume: whether lines of an earlier run are kept; those of errors are not, since their results come again.

    Raises:
        CommandFailure: the file is not of an earlier run.
        OSError: it cannot be read or written.
    """

    def __init__(self, path: str, *, resume: bool) -> None:
        self._path = path
        #: Positions that have their line.
        self._written: set[int] = set()
        if resume and os.path.exists(path):
            self._keep_answers()
        self._file = open(path, "ab" if resume else "wb", buffering=0)  # noqa: SIM115  closed by close()

    def _keep_answers(self) -> None:
        """Write the file anew with the whole lines that have an answer, and put it in the place of the old one."""
        kept = f"{self._path}.part"
        with open(self._path, "rb") as old, open(kept, "wb") as new:
            for number, line in enumerate(old, 1):
                if not line.endswith(b"\n"):
                    break  # cut by a kill
                position, failed = _read(line)
                if position is None:
                    with suppress(OSError):
                        os.unlink(kept)
                    raise CommandFailure(
                        f"{self._path}, line {number}: it is not of an earlier run; give another file, or remove it",
                        Exit.MISUSED,
                    )
                if not failed and position not in self._written:
                    self._written.add(position)
                    new.write(line)
            new.flush()
            os.fsync(new.fileno())
        os.replace(kept, self._path)

    def write(self, position: int, record: Mapping[str, Any]) -> None:
        """Write the line of a result, unless it has one."""
        if position in self._written:
            return
        self._written.add(position)
        rest = memoryview(json.dumps({"position": position, **record}, ensure_ascii=True).encode() + b"\n")
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _read(line: bytes) -> tuple[int | None, bool]:
    """Return the position of a line, None where it is not ours, and whether it has an error."""
    try:
        record = json.loads(line)
        position = record["position"]
        return (position if type(position) is int and position >= 0 else None), "error" in record
    except (ValueError, TypeError, KeyError, RecursionError):
        return None, False


def answer_record(result: BatchResult[ChatResult], record: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """Return what the file of answers has of a result.

    Args:
        result: the result.
        record: the record of the input.
        whole: whether the whole result belongs to it, beside the text.
    """
    found: dict[str, Any] = {"id": record["id"]} if "id" in record else {}
    if result.error is not None:
        return {**found, "error": _error_record(result)}
    answer: Mapping[str, Any] = result.unwrap()
    message = answer.get("message")
    found["answer"] = message.get("content") if isinstance(message, Mapping) else message
    for name in ("session_id", "request_id"):
        if answer.get(name):
            found[name] = answer[name]
    if turn := pending(answer):
        # The formation goes on with it; `wait_for_request` waits for the end.
        found |= {"answer": None, "pending": turn.request_id}
    return {**found, "result": dict(answer)} if whole else found


def failure_record(result: BatchResult[ChatResult], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file of failures has of a result: the record of the input, which can be fed again, and why."""
    return {**{name: value for name, value in record.items() if name != "position"}, "error": _error_record(result)}


def _error_record(result: BatchResult[ChatResult]) -> dict[str, Any]:
    error = result.error
    assert error is not None  # noqa: S101  asked only of failures
    return {
        "type": type(error).__name__,
        "code": error.code,
        "message": str(error),
        "status": error.status_code,
        "attempts": result.attempts,
    }
