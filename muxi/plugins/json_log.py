"""A logging formatter that writes JSON."""

from __future__ import annotations

import json
import logging
import math
import time
from typing import Any, Literal

from muxi.redact import redact_text

__all__ = ["JsonFormatter"]

#: Attributes of every record; others come from ``extra=``.
_USUAL = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


class JsonFormatter(logging.Formatter):
    """A ``logging.Formatter`` that makes one JSON object of each record, on one line, in ASCII.

    The object has ``time`` (ISO 8601, UTC, milliseconds), ``level``, ``logger``, ``message``, whatever came with
    ``extra=`` under its own name (the client's records bring ``muxi_call``, ``muxi_status`` and more), and for an
    exception ``exception`` with ``type``, ``message`` and ``traceback``. What JSON does not know is written as its
    ``repr``. Keys of the platform and passwords in URLs are redacted in records of all loggers. ::

        {"formatters": {"json": {"()": "muxi.plugins.JsonFormatter"}}}  # for logging.config.dictConfig

    Args:
        fmt: ignored; ``dictConfig`` and ``fileConfig`` pass it.
        datefmt: for ``time.strftime``, in place of ISO 8601.
        style: ignored.
        validate: ignored.
        defaults: fields of every object, such as ``{"service": "shop"}``.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        defaults: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(None, datefmt)
        self._defaults = dict(defaults or {})

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as a JSON object without a line break."""
        fields: dict[str, object] = {
            "time": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._defaults,
        }
        for name, value in vars(record).items():
            if name not in _USUAL:
                fields.setdefault(name, value)
        if record.exc_info and (error := record.exc_info[1]) is not None:
            kind = type(error)
            fields["exception"] = {
                "type": f"{kind.__module__}.{kind.__qualname__}",
                "message": str(error),
                "traceback": self.formatException(record.exc_info),
            }
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        return json.dumps(_plain(fields, set()))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  logging's name
        """Format a record's time in UTC."""
        moment = time.gmtime(record.created)
        if datefmt:
            return time.strftime(datefmt, moment)
        return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{int(record.msecs):03d}Z"


def _plain(value: object, above: set[int]) -> object:
    """Convert any value into one that ``json.dumps`` can write.

    Args:
        value: the value.
        above: ids of the containers around it, in which a cycle would occur.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return redact_text(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if id(value) in above:
        return "…"
    if isinstance(value, dict):
        return {redact_text(str(name)): _plain(item, above | {id(value)}) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, above | {id(value)}) for item in value]
    try:
        return redact_text(repr(value))
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
