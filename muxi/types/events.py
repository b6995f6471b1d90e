"""The events of streams that are not chats. Times are seconds since the epoch, with fractions."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["FormationEvent", "LogEvent"]


class LogEvent(TypedDict, total=False):
    """One line of the formation's log."""

    timestamp: float
    level: str
    event_type: str
    user_id: str | None
    session_id: str | None
    request_id: str | None
    agent_id: str | None
    message: str
    data: dict[str, Any]


class _FormationEventAlways(TypedDict):
    #: ``chat.message``, ``agent.done``, ``workflow.…``, ``task.…``; of a request also ``stream_open``, …
    type: str


class FormationEvent(_FormationEventAlways, total=False):
    """An event of a user's work."""

    timestamp: float
    message: str
    session_id: str
    request_id: str
    data: dict[str, Any]
