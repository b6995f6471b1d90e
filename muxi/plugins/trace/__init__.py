"""A trace of each call in a file: its attempts, waits, answers and events, for ``muxi-client trace show``."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

from muxi.call import Call
from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MuxiError
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_count, check_name, check_number
from muxi.plugins.trace.reasons import why_not_repeated, why_repeated
from muxi.plugins.trace.records import (
    TraceState,
    describe_answer,
    describe_call,
    describe_end,
    describe_request,
    remembered_forms,
)
from muxi.redact import redact_forms, redact_text
from muxi.tracefile import MAX_LINE, VERSION
from muxi.tracefile.writing import TraceWriter
from muxi.transport import AsyncResponse, BufferedResponse, Request, Response
from muxi.transport.arguments import check_arguments

__all__ = ["BODY_LIMIT", "Trace", "trace_of_environment"]

logger: logging.Logger = logging.getLogger("muxi.plugins")

#: Default number of characters of a body, and of the text of an event.
BODY_LIMIT = 10_000

#: Longest body that can be asked for, in characters: with the escapes of JSON it still fits on a line.
_LARGEST_LIMIT = 200_000

#: Default size in bytes from which on a new file is begun.
_MAX_BYTES = 256 * 1024 * 1024


@check_arguments()
class Trace:
    """``muxi.trace``: writes a line of JSON to a file for each step of each call, redacted.

    The steps are the start of a call, each attempt, each answer, each failure, each wait before another attempt, each
    event of a stream, and the end. Lines have times, ids, status, sizes, headers, and the reason why a call was or was
    not repeated. Any number of clients, threads and processes may write to one file. A file that cannot be written is
    logged once; calls go on.

    Args:
        path: the file; a new one is readable by its owner only.
        bodies: whether bodies and the texts of events are written, redacted and truncated.
        body_limit: number of characters of a body.
        max_bytes: size from which on the file is renamed to ``path.1`` and a new one begun.
        backups: number of renamed files that are kept.
        name: name of the plugin, for a client with several.

    Raises:
        ConfigurationError: an argument is invalid.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        bodies: bool = False,
        body_limit: int = BODY_LIMIT,
        max_bytes: int = _MAX_BYTES,
        backups: int = 3,
        name: str = "muxi.trace",
    ) -> None:
        check_path(path)
        check_count("body_limit", body_limit)
        if body_limit > _LARGEST_LIMIT:
            raise ConfigurationError(f"body_limit= takes at most {_LARGEST_LIMIT} characters, got {body_limit}")
        check_count("max_bytes", max_bytes)
        check_number("backups", backups, zero=True)
        check_name(name)
        self.name: str = name
        fixed = os.fspath(path)
        self._find_path: Callable[[], str] = lambda: fixed
        self._body_limit = body_limit if bodies else 0
        self._max_bytes = max_bytes
        self._backups = int(backups)
        self._failing = False
        self._forms_of = remembered_forms()

    @property
    def path(self) -> str:
        """The file."""
        return self._find_path()

    def __repr__(self) -> str:
        return f"Trace({self.path!r})"

    @hookimpl(tryfirst=True)
    def muxi_call_started(self, call: Call[object], context: Context) -> None:
        traced = TraceState(TraceWriter(self.path, max_bytes=self._max_bytes, backups=self._backups))
        context.state[self.name] = traced
        traced.add_secrets(context, self._forms_of)
        self._write(traced, context, "started", describe_call(call, context))

    # Before a plugin that answers; the request is as it will be sent, but for headers of tracing.
    @hookimpl(tryfirst=True)
    def muxi_intercept(self, request: Request, context: Context) -> BufferedResponse | None:
        traced = self._find(context)
        if traced is not None:
            traced.add_secrets(context, self._forms_of)
            redirect = traced.count_request(context.attempt)
            record = describe_request(request, context, self._body_limit)
            self._write(traced, context, "attempt", {"attempt": context.attempt, "redirect": redirect, **record})
        return None

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        traced = self._find(context)
        if traced is not None:
            record = describe_answer(response, context, self._body_limit)
            self._write(traced, context, "head", {"attempt": context.attempt, **record})
        return None

    @hookimpl(tryfirst=True)
    def muxi_attempt_failed(self, error: MuxiError, context: Context) -> None:
        traced = self._find(context)
        if traced is not None:
            traced.add_secrets(context, self._forms_of)
            traced.failure, traced.asked = error, False
            record = {
                "attempt": context.attempt,
                **_describe_error(error),
                "status": error.status_code or None,
                "retry_after": error.retry_after,
            }
            self._write(traced, context, "failed", record)

    @hookimpl(tryfirst=True)
    def muxi_retry_delay(self, context: Context) -> None:
        traced = self._find(context)
        if traced is not None:
            traced.asked = True

    @hookimpl(tryfirst=True)
    def muxi_retry_scheduled(self, delay: float, error: MuxiError, context: Context) -> None:
        traced = self._find(context)
        if traced is not None:
            traced.failure = None
            why = why_repeated(context, error)
            self._write(traced, context, "wait", {"attempt": context.attempt, "delay": round(delay, 6), "why": why})

    @hookimpl(tryfirst=True)
    def muxi_event_received(self, event: object, context: Context) -> None:
        traced = self._find(context)
        if traced is not None:
            self._write(traced, context, "event", traced.describe_event(event, self._body_limit))

    @hookimpl(trylast=True)
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        traced = self._find(context)
        if traced is None:
            return
        error = outcome.error
        record: dict[str, Any] = {**describe_end(outcome, context), **traced.describe_rest()}
        if error is not None:
            record |= _describe_error(error)
            record["why"] = why_not_repeated(context, error, last=traced.failure, asked=traced.asked)
        self._write(traced, context, "finished", record)

    def _find(self, context: Context) -> TraceState | None:
        """Return the state of a call; None if its start was not seen, because another plugin failed to start it."""
        return context.state.get(self.name)

    def _write(self, traced: TraceState, context: Context, event: str, record: dict[str, Any]) -> None:
        """Write a line. A failure is logged, once until lines can be written again."""
        common = {
            "v": VERSION,
            "t": round(context.clock.time(), 6),
            "at": round(context.elapsed, 6),
            "pid": os.getpid(),
            "call": traced.id,
            "event": event,
        }
        line = json.dumps({**common, **_redact(record, traced.forms)}, separators=(",", ":")).encode() + b"\n"
        if len(line) > MAX_LINE:
            line = json.dumps({**common, "truncated": len(line)}, separators=(",", ":")).encode() + b"\n"
        try:
            traced.writer.write(line)
        except OSError as error:
            if not self._failing:
                self._failing = True
                logger.error("the trace %s cannot be written: %s; lines are lost until it can", self.path, error)
        else:
            self._failing = False


def trace_of_environment() -> Trace | None:
    """Return the plugin that ``MUXI_TRACE`` asks for, or None.

    ``MUXI_TRACE`` is the file, ``MUXI_TRACE_BODIES=1`` has bodies and texts written. Each call reads ``MUXI_TRACE``
    anew, so that a test runner can give each test a file of its own.
    """
    path = os.environ.get("MUXI_TRACE", "")
    if not path:
        return None
    trace = Trace(path, bodies=os.environ.get("MUXI_TRACE_BODIES", "") not in ("", "0"))
    trace._find_path = lambda: os.environ.get("MUXI_TRACE") or path
    return trace


def check_path(path: object) -> None:
    """Refuse a value that cannot be the path of a file.

    Raises:
        ConfigurationError: it is not a path, empty, or the path of a folder.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ConfigurationError(f"path= takes the path of a file, got {path!r}")
    if os.path.isdir(path):
        raise ConfigurationError(f"path= takes the path of a file, and {os.fspath(path)!r} is a folder")


def _describe_error(error: BaseException) -> dict[str, Any]:
    """Describe an error: class, code and message."""
    if isinstance(error, MuxiError):
        return {"error": type(error).__name__, "code": error.code, "message": error.message[:2000]}
    return {"error": type(error).__name__, "code": None, "message": redact_text(str(error)[:2000])}


def _redact(record: dict[str, Any], forms: tuple[str, ...]) -> dict[str, Any]:
    redacted = redact_forms(record, forms)
    assert isinstance(redacted, dict)  # noqa: S101  for type checkers: it is a copy of a dict
    return redacted
