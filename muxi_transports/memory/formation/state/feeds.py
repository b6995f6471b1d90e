"""The event feed and the log feed of a formation."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from muxi_transports.memory.signal import Signal
from muxi_transports.memory.world import AnswerStream, Idle

__all__ = ["LEVELS", "FeedEvent", "Feeds"]

#: The levels of the log, the lowest first.
LEVELS = ("debug", "info", "warning", "error", "critical")

#: The prefixes of the types in ``/v1/events``; the rest is in the log alone (the wire).
_TOLD = ("chat.", "agent.", "workflow.", "task.")


@dataclass(frozen=True)
class FeedEvent:
    """An event of the formation.

    Args:
        type: such as ``chat.message``.
        message: the text for people.
        timestamp: when, in seconds since the Unix epoch.
        level: one of :data:`LEVELS`.
        user_id: whom it concerns.
        session_id: where.
        request_id: to which request.
        agent_id: which agent.
        data: what else there is to say.
    """

    type: str
    message: str
    timestamp: float
    level: str = "info"
    user_id: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    agent_id: str | None = None
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_told(self) -> bool:
        """True if ``/v1/events`` has it."""
        return self.type.startswith(_TOLD)

    def is_at_least(self, level: str) -> bool:
        """True if it has this level or a higher one. An unknown level includes everything (the wire)."""
        wanted = level.lower()
        return wanted not in LEVELS or self.level not in LEVELS or LEVELS.index(self.level) >= LEVELS.index(wanted)

    def is_of_type(self, pattern: str) -> bool:
        """True if its type matches; ``*`` matches any text."""
        return fnmatchcase(self.type, pattern.replace("[", "[[]").replace("?", "[?]"))

    def as_event(self, *, escaped: bool = False) -> bytes:
        """Its frame on ``/v1/events``.

        Args:
            escaped: end it as the recorded runtime does, which no parser understands.
        """
        fields = {
            "type": self.type,
            "timestamp": self.timestamp,
            "message": self.message,
            "session_id": self.session_id,
            "request_id": self.request_id,
        }
        return b"data: " + _json(fields) + (rb"\n\n" if escaped else b"\n\n")

    def as_log(self) -> bytes:
        """Its frame on ``/v1/logs``."""
        fields = {
            "timestamp": self.timestamp,
            "level": self.level,
            "event_type": self.type,
            "user_id": self.user_id,
            "session_id": self.session_id,
            "request_id": self.request_id,
            "agent_id": self.agent_id,
            "message": self.message,
            "data": self.data,
        }
        return b"event: log\ndata: " + _json(fields) + b"\n\n"


class Feeds:
    """The open feeds. A feed has the events published after it was opened."""

    def __init__(self) -> None:
        self._feeds: list[_Feed] = []

    def publish(self, event: FeedEvent) -> None:
        """Publish an event to the feeds that want it."""
        for feed in list(self._feeds):
            feed.tell(event)

    def open(self, wants: Callable[[FeedEvent], bool], frame: Callable[[FeedEvent], bytes]) -> AnswerStream:
        """A stream of what happens from now on.

        Args:
            wants: returns True for the events that the feed has.
            frame: the event as it is on the wire.
        """
        feed = _Feed(wants, frame)
        self._feeds.append(feed)
        return self._stream(feed)

    def end(self) -> None:
        """End all streams, after what they have still to say."""
        for feed in list(self._feeds):
            feed.end()

    @property
    def count(self) -> int:
        """The number of open feeds."""
        return len(self._feeds)

    def _stream(self, feed: _Feed) -> AnswerStream:
        try:
            yield b""
            while True:
                feed.signal.clear()
                while feed.frames:
                    yield feed.frames.popleft()
                if feed.ended:
                    return
                yield Idle(feed.signal)
        finally:
            self._feeds.remove(feed)


class _Feed:
    """One who listens."""

    def __init__(self, wants: Callable[[FeedEvent], bool], frame: Callable[[FeedEvent], bytes]) -> None:
        self._wants = wants
        self._frame = frame
        self.frames: deque[bytes] = deque()
        self.signal = Signal()
        self.ended = False

    def tell(self, event: FeedEvent) -> None:
        if self._wants(event):
            self.frames.append(self._frame(event))
            self.signal.set()

    def end(self) -> None:
        self.ended = True
        self.signal.set()


def _json(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
