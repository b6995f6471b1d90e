"""Readers of the streams that are not chats: the log, and the feeds of events. No I/O happens here.

Neither has a terminator, and either may be silent for hours: a clean end is an end, and there are no watchdogs.
"""

from __future__ import annotations

import re
from typing import Any, cast

from muxi.errors import MuxiError, ServerError
from muxi.streaming.call import FEED, LOG
from muxi.streaming.chat import EventReader, register_reader
from muxi.streaming.sse import ServerSentEvent, json_object
from muxi.types.events import FormationEvent, LogEvent

__all__ = ["EventFeedReader", "LogReader"]


class LogReader(EventReader[LogEvent]):
    """Reads the log: frames named ``log``, or ``error`` where the formation gave up."""

    failure: MuxiError | None

    def _read(self, frame: ServerSentEvent) -> None:
        payload = json_object(frame.data)
        if frame.event == "error" or (payload is not None and payload.get("error") is True):
            self.failure = _failure(frame.data, payload)
        elif payload is not None:
            self.ready.append(cast(LogEvent, payload))
        else:
            self.ready.append({"event_type": frame.event, "message": frame.data})


class EventFeedReader(EventReader[FormationEvent]):
    """Reads a feed of events, also as today's runtime writes it.

    That ends its frames by the *text* ``\\n\\n`` where two line feeds are meant, so that no parser ever sees one.
    """

    failure: MuxiError | None

    def __init__(self) -> None:
        super().__init__()
        self._repair = _LineFeedRepair()

    def feed(self, chunk: bytes) -> None:
        super().feed(self._repair.feed(chunk))

    def _read(self, frame: ServerSentEvent) -> None:
        payload = json_object(frame.data)
        if frame.event == "error" or (payload is not None and "error" in payload and "type" not in payload):
            self.failure = _failure(frame.data, payload)
        elif payload is not None:
            payload.setdefault("type", frame.event)
            self.ready.append(cast(FormationEvent, payload))
        else:
            self.ready.append({"type": frame.event, "message": frame.data})


class _LineFeedRepair:
    """Replaces the text ``\\n`` by a line feed outside of JSON strings, where it can mean nothing else."""

    #: What changes where one is: the end of a line, a quote, and whatever a backslash goes before.
    _MARKS = re.compile(rb'\n|"|\\.', re.DOTALL)

    def __init__(self) -> None:
        self._inside = False
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        chunk = self._held + chunk
        self._held = b""
        pieces: list[bytes] = []
        done = 0
        for mark in self._MARKS.finditer(chunk):
            found = mark[0]
            if found == b'"':
                self._inside = not self._inside
            elif found == b"\n":
                self._inside = False
            elif found == b"\\n" and not self._inside:
                pieces += (chunk[done : mark.start()], b"\n")
                done = mark.end()
        if self._ends_in_backslash(chunk):
            # What it goes before is yet to come.
            self._held = b"\\"
            chunk = chunk[:-1]
        pieces.append(chunk[done:])
        return b"".join(pieces)

    @staticmethod
    def _ends_in_backslash(chunk: bytes) -> bool:
        return (len(chunk) - len(chunk.rstrip(b"\\"))) % 2 == 1


def _failure(data: str, payload: dict[str, Any] | None) -> ServerError:
    known = payload or {}
    reason = known.get("error")
    message = known.get("message") or (reason if isinstance(reason, str) else "") or data or "the stream failed"
    return ServerError("STREAM_ERROR", str(message), details=payload or {"data": data})


register_reader(LOG, LogReader)
register_reader(FEED, EventFeedReader)
