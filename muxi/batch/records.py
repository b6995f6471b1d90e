"""The lines of a journal: how results and errors are written as JSON, and read back with suspicion.

::

    {"muxi-batch": 1, "id": "…", "client": "formation http://localhost:8001/v1"}
    {"begun": 0, "call": "…digest…"}
    {"done": 0, "call": "…digest…", "attempts": 1, "elapsed": 0.05, "value": {…}, "meta": {…}}
    {"done": 1, "call": "…digest…", "attempts": 3, "elapsed": 2.5, "error": {"type": "RateLimitError", …}}
    {"unsent": 2}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from muxi import errors as sdk_errors
from muxi.batch import errors as batch_errors
from muxi.batch.errors import BatchError, JournalError
from muxi.batch.values import CallReply
from muxi.errors import MuxiError
from muxi.redact import REDACTED, is_secret_field, redact_data, redact_text
from muxi.result import Meta, Result

__all__ = [
    "MAX_LINE",
    "MAX_POSITION",
    "BegunRecord",
    "DoneRecord",
    "JournalHeader",
    "UnsentRecord",
    "begun_line",
    "done_line",
    "header_line",
    "parse",
    "unsent_line",
]

#: Longest line, in bytes.
MAX_LINE: int = 64 * 1024 * 1024

#: Largest position.
MAX_POSITION: int = 2**53

_VERSION = 1


def _errors_by_name() -> dict[str, type[MuxiError]]:
    found: dict[str, type[MuxiError]] = {}
    for module in (sdk_errors, batch_errors):
        for name in module.__all__:
            kind = getattr(module, name)
            if isinstance(kind, type) and issubclass(kind, MuxiError):
                found[name] = kind
    return found


#: Errors that a journal may hold, by name.
_ERRORS = _errors_by_name()

#: Levels of a value that are searched for secret fields; deeper values are not stored.
_MAX_DEPTH = 100

_DIGEST = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class JournalHeader:
    """The first line: the id of the journal and the identity of its client."""

    id: str
    client: str


@dataclass(frozen=True)
class BegunRecord:
    """A call that was handed to a worker."""

    position: int
    digest: str


@dataclass(frozen=True)
class DoneRecord:
    """A call with its outcome."""

    position: int
    digest: str
    reply: CallReply


@dataclass(frozen=True)
class UnsentRecord:
    """A call that was handed out and taken back before a worker had it."""

    position: int


def header_line(header: JournalHeader) -> bytes:
    """Return the first line of a journal."""
    return _line({"muxi-batch": _VERSION, "id": header.id, "client": header.client})


def begun_line(position: int, digest: str) -> bytes:
    """Return the line of a call that is handed to a worker."""
    return _line({"begun": position, "call": digest})


def unsent_line(position: int) -> bytes:
    """Return the line of a call that was taken back."""
    return _line({"unsent": position})


def done_line(position: int, digest: str, reply: CallReply) -> bytes:
    """Return the line of an outcome; where a value cannot be stored, one that says so."""
    record: dict[str, Any] = {
        "done": position,
        "call": digest,
        "attempts": reply.attempts,
        "elapsed": round(reply.elapsed, 6),
    }
    if reply.error is not None:
        return _line({**record, "error": _encode_error(reply.error)})
    value = reply.value
    meta = {"meta": asdict(value.meta)} if isinstance(value, Result) else {}
    try:
        line = _line({**record, "value": _without_secrets(value, _MAX_DEPTH), **meta})
        if len(line) <= MAX_LINE:
            return line
        problem = f"it is longer than {MAX_LINE} bytes"
    except (TypeError, ValueError, RecursionError) as error:
        problem = type(error).__name__ if isinstance(error, RecursionError) else str(error)
    lost = BatchError("NOT_STORED", f"the call succeeded, but its result cannot be stored as JSON: {problem}")
    return _line({**record, "error": _encode_error(lost)})


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _without_secrets(value: object, depth: int) -> object:
    """Return a value whose fields with secret names are masked; texts stay as they are."""
    if depth == 0:
        raise ValueError("it is nested too deeply")
    if isinstance(value, dict):
        return {
            name: REDACTED
            if item and isinstance(item, str | list | dict) and is_secret_field(str(name))
            else _without_secrets(item, depth - 1)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(item, depth - 1) for item in value]
    return value


def _encode_error(error: MuxiError) -> dict[str, Any]:
    kind = next(kind for kind in type(error).__mro__ if _ERRORS.get(kind.__name__) is kind)
    # A subclass of a user has arguments of its own: what its base knows of it is kept.
    given = error.args if kind is type(error) else kind._arguments(error)
    record: dict[str, Any] = {
        "type": kind.__name__,
        "args": [redact_text(item) if isinstance(item, str) else item for item in given],
        "call": error.call,
        "retry_after": error.retry_after,
        "details": redact_data(error.details),
        "partial": redact_data(dict(error.partial)),
    }
    try:
        json.dumps(record)
    except (TypeError, ValueError, RecursionError):
        record |= {"details": {}, "partial": {}, "args": [item if _is_scalar(item) else None for item in given]}
    return record


def parse(line: bytes, number: int) -> JournalHeader | BegunRecord | DoneRecord | UnsentRecord:
    """Read one line of a journal.

    Args:
        line: the line without its end.
        number: its number, for the error.

    Raises:
        JournalError: it is no line of a journal.
    """
    try:
        record = json.loads(line)
        if isinstance(record, dict):
            if "done" in record:
                return DoneRecord(_position(record["done"]), _digest(record["call"]), _decode_reply(record))
            if "begun" in record:
                return BegunRecord(_position(record["begun"]), _digest(record["call"]))
            if "unsent" in record:
                return UnsentRecord(_position(record["unsent"]))
            if "muxi-batch" in record:
                return _decode_header(record)
        problem = "it is no record"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)[:200]
    raise JournalError("JOURNAL_INVALID", f"line {number} is not of a batch's journal: {problem}")


def _decode_header(record: Mapping[str, Any]) -> JournalHeader:
    if record["muxi-batch"] != _VERSION or isinstance(record["muxi-batch"], bool):
        raise ValueError("it was written by another version of this SDK")
    return JournalHeader(_digest(record["id"]), _text(record["client"]))


def _decode_reply(record: Mapping[str, Any]) -> CallReply:
    attempts, elapsed = record["attempts"], record["elapsed"]
    if isinstance(attempts, bool) or not isinstance(attempts, int) or not 0 <= attempts <= MAX_POSITION:
        raise ValueError("attempts is no count")
    if isinstance(elapsed, bool) or not isinstance(elapsed, int | float) or not 0 <= elapsed < 1e12:
        raise ValueError("elapsed is no number of seconds")
    if "error" in record:
        return CallReply(error=_decode_error(record["error"], attempts), attempts=attempts, elapsed=float(elapsed))
    value = record["value"]
    if "meta" in record:
        if not isinstance(value, dict):
            raise ValueError("only an object has a meta")
        value = Result(value, meta=_decode_meta(record["meta"]))
    return CallReply(value=value, attempts=attempts, elapsed=float(elapsed))


def _decode_meta(record: object) -> Meta:
    names = {item.name for item in fields(Meta)}
    if not isinstance(record, dict) or not names.issuperset(record) or not all(map(_is_scalar, record.values())):
        raise ValueError("meta has unknown fields")
    return Meta(**record)


def _decode_error(record: object, attempts: int) -> MuxiError:
    if not isinstance(record, dict):
        raise TypeError("the error is no object")
    kind = _ERRORS.get(_text(record["type"]))
    given = record["args"]
    if kind is None or not isinstance(given, list) or not all(map(_is_scalar, given)):
        raise ValueError("the error is of no known kind")
    error = kind(*given)
    details, partial, call, wait = record["details"], record["partial"], record["call"], record["retry_after"]
    if not isinstance(details, dict) or not isinstance(partial, dict):
        raise TypeError("the details of the error are no object")
    if not isinstance(call, str | None) or isinstance(wait, bool) or not isinstance(wait, int | float | None):
        raise TypeError("the facts of the error are wrong")
    # Typed, but made of what a file says.
    facts: tuple[object, ...] = (error.code, error.message, error.status_code)
    if not all(isinstance(fact, kind) for fact, kind in zip(facts, (str, str, int), strict=True)):
        raise TypeError("the arguments of the error are wrong")
    error.details.update(details)
    error.partial = partial or error.partial
    error.call, error.retry_after, error.attempts = call, wait, attempts
    return error


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _position(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_POSITION:
        raise ValueError("the position is no count")
    return value


def _digest(value: object) -> str:
    if not isinstance(value, str) or len(value) != 32 or not _DIGEST.issuperset(value):
        raise ValueError("the digest is no digest")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value
