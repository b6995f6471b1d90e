"""Sessions and their messages. Times are seconds since the epoch, with fractions."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["RestoredSession", "Session", "SessionList", "SessionMessage", "SessionMessages", "SessionSummary"]


class SessionSummary(TypedDict):
    """A session in a list."""

    session_id: str
    user_id: str
    last_activity: float
    active: bool


class SessionList(TypedDict):
    """A user's sessions, the latest first. ``count`` is the length of this list, there is no total."""

    sessions: list[SessionSummary]
    count: int


class Session(TypedDict):
    """One session."""

    session_id: str
    user_id: str
    message_count: int
    active: bool
    created_at: float
    last_activity: float


class SessionMessage(TypedDict):
    """One message of a session; role, agent and request id are in ``metadata``."""

    text: str
    metadata: dict[str, Any]
    timestamp: float
    namespace: str
    embedding: Any


class SessionMessages(TypedDict):
    """The oldest messages of a session up to the limit; ``has_more`` is true if there are more."""

    session_id: str
    messages: list[SessionMessage]
    count: int
    has_more: bool


class RestoredSession(TypedDict):
    """The result of restoring messages into a session."""

    session_id: str
    messages_loaded: int
    messages_dropped: int
    message: str
