"""The envelope around every JSON answer of a formation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from muxi_transports.memory.world import Answer

__all__ = ["ApiError", "Crash", "Success", "compact", "failure", "success"]

#: The envelope's type of an error goes by its code (section 1 of the wire); what is not here is internal.
_TYPES = {
    "INVALID_REQUEST": "error.validation",
    "INVALID_PARAMS": "error.validation",
    "UNAUTHORIZED": "error.authentication",
    "FORBIDDEN": "error.authorization",
    "AGENT_NOT_FOUND": "error.not_found",
    "RESOURCE_NOT_FOUND": "error.not_found",
    "METHOD_NOT_FOUND": "error.not_found",
}


@dataclass(frozen=True)
class Success:
    """The result of a route that succeeded.

    Args:
        kind: the kind of thing in ``data``.
        type: what happened.
        data: the payload.
        status: the HTTP status.
        request_id: the id of the request, where the payload or the audit log has it too.
    """

    kind: str
    type: str
    data: Mapping[str, object]
    status: int = 200
    request_id: str | None = None


class ApiError(Exception):
    """The error of a route that failed.

    Args:
        status: the HTTP status.
        code: the error code.
        message: the text for people.
        data: such as ``validation_errors``.
    """

    def __init__(self, status: int, code: str, message: str, data: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.data = data


class Crash(ApiError):
    """A 500 that no handler of the runtime made: it comes without the headers for browsers."""

    def __init__(self, message: str) -> None:
        super().__init__(500, "INTERNAL_ERROR", message)


def success(result: Success, *, request_id: str, idempotency_key: str | None, now: float) -> Answer:
    """The answer that carries a result.

    Args:
        result: what to wrap.
        request_id: the id of this HTTP request.
        idempotency_key: the key sent, on the routes that honour it.
        now: seconds since the Unix epoch.
    """
    return _answer(
        result.status,
        {
            "object": result.kind,
            "timestamp": int(now * 1000),
            "type": result.type,
            "request": {"id": request_id, "idempotency_key": idempotency_key},
            "success": True,
            "error": None,
            "data": result.data,
        },
    )


def failure(error: ApiError, *, request_id: str, now: float) -> Answer:
    """The answer that carries an error."""
    return _answer(
        error.status,
        {
            "object": "error",
            "timestamp": int(now * 1000),
            "type": _TYPES.get(error.code, "error.internal"),
            "request": {"id": request_id, "idempotency_key": None},
            "success": False,
            "error": {"code": error.code, "message": error.message, "data": error.data},
            "data": {},
        },
    )


def _answer(status: int, envelope: Mapping[str, object]) -> Answer:
    body = compact(envelope)
    return Answer(status, [("content-length", str(len(body))), ("content-type", "application/json")], body)


def compact(value: object) -> bytes:
    """JSON as the runtime writes it: no white space, nothing escaped that need not be (U+2028 included)."""
    # Half a surrogate pair cannot be sent at all; the runtime would fail over it.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
