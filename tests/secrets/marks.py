"""Marked keys, and every surface on which one could appear after a call has failed."""

from __future__ import annotations

import base64
import json
import logging
import pickle
from collections.abc import Iterator
from types import FrameType
from typing import Any
from urllib.parse import quote, quote_plus

#: Keys of every shape. Each contains a mark, so that a part of one is found too.
KEYS = {
    "platform": "fmc_LEAKMARK0123456789",
    "quotes": "LEAK'MARK\"quoted-key",
    "backslashes": "LEAK\\MARK\\n-key\\\\end",
    "percent": "LEAK%4DARK%20key%25",
    "non-ascii": "LEAKMÄRK-schlüssel-€",
    "base64-like": "TEVBS01BUks+LEAK/MARK==",
    "markup": "LEAK<MARK>&key;",
}
#: Values of secrets, which may have several lines.
VALUES = {**KEYS, "lines": "-----BEGIN LEAKMARK-----\nLEAKMARKaGVsbG8=\n-----END LEAKMARK-----"}


def spellings(secret: str) -> list[str]:
    """The ways in which a text can repeat a secret."""
    raw = secret.encode()
    found = [secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]]
    found += [quote(secret, safe=""), quote(secret), quote_plus(secret), raw.decode("latin-1"), repr(raw)[2:-1]]
    found += [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), *secret.splitlines()]
    return list(dict.fromkeys(found))


def leaks(secret: str, surfaces: Iterator[tuple[str, str]]) -> list[str]:
    """The names of the surfaces that show a secret."""
    forms = [form for form in spellings(secret) if len(form) > 5]
    return [name for name, text in surfaces if any(form in text for form in forms)]


def surfaces_of(error: BaseException) -> Iterator[tuple[str, str]]:
    """All texts that an error, the exceptions behind it, and the frames of their tracebacks give."""
    yield "pickle", pickle.dumps(error).decode("latin-1")
    yield "old pickle", pickle.dumps(error, protocol=2).decode("latin-1")
    seen: set[int] = set()
    todo: list[tuple[str, BaseException | None]] = [("error", error)]
    while todo:
        name, found = todo.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield f"str({name})", str(found)
        yield f"repr({name})", repr(found)
        yield f"{name}.args", repr(found.args)
        for attribute, value in vars(found).items():
            yield f"{name}.{attribute}", f"{value} {value!r}"
        if isinstance(found, UnicodeError):
            yield f"{name}.object", repr(getattr(found, "object", ""))
        yield from _frames(name, found)
        todo += [(f"{name}.__cause__", found.__cause__), (f"{name}.__context__", found.__context__)]


def _frames(name: str, error: BaseException) -> Iterator[tuple[str, str]]:
    traceback = error.__traceback__
    while traceback is not None:
        frame: FrameType = traceback.tb_frame
        if str(frame.f_globals.get("__name__")).startswith("tests."):
            traceback = traceback.tb_next
            continue  # the caller's own frames have what the caller put there
        for local, value in frame.f_locals.items():
            where = f"{name}: {local} in {frame.f_globals.get('__name__')}.{frame.f_code.co_name}:{traceback.tb_lineno}"
            yield where, f"{value if isinstance(value, str) else ''} {value!r}"
        traceback = traceback.tb_next


def surfaces_of_records(records: list[logging.LogRecord]) -> Iterator[tuple[str, str]]:
    """All texts of log records, the attributes of ``extra=`` included."""
    for record in records:
        yield f"log {record.name}", f"{record.getMessage()} {vars(record)!r}"
        if record.exc_info and record.exc_info[1] is not None:
            yield from ((f"log {record.name}: {name}", text) for name, text in surfaces_of(record.exc_info[1]))


def surfaces_of_object(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The texts of an object and of its attributes."""
    yield f"repr({name})", repr(value)
    yield f"str({name})", str(value)
    yield f"vars({name})", repr(getattr(value, "__dict__", ""))
