"""What is told of what happens: events, the log, and the diary."""

from __future__ import annotations

from muxi_transports.memory import Defect, EmbeddedFormation
from muxi_transports.memory.formation.state.feeds import FeedEvent
from tests.memory.conformance.replay import Prepare, Setup, nothing

BROKEN = Setup(nothing, frozenset({Defect.BROKEN_REQUEST_EVENTS}))


def launched(formation: EmbeddedFormation) -> None:
    """What the launcher of the recorded runtime put on the bus."""
    for kind, level, message in (
        ("chat.message", "info", "Grüße\nline2"),
        ("system.internal", "error", "second"),
        ("agent.done", "info", "third"),
    ):
        data = {"agent_id": "assistant", "k": 1}
        formation.feeds.publish(FeedEvent(kind, message, 1795361000.25, level, "evan", "s1", "r1", "assistant", data))


ESCAPED = Setup(nothing, frozenset({Defect.ESCAPED_EVENT_FRAMES}), then=launched)
LOGGED = Setup(nothing, then=launched)

ANSWERS: dict[str, Prepare | Setup] = {
    "events_request": BROKEN,
    "events_request_admin": BROKEN,
    "history": nothing,
    "history_baddate": nothing,
    "history_limit": nothing,
    "history_params": nothing,
    "lite_history": nothing,
    "logs_nofilter": nothing,
    "logs_unknown_param": nothing,
}

FEEDS: dict[str, Prepare | Setup] = {
    "ev_user": ESCAPED,
    "events_session": nothing,
    "events_user": nothing,
    "lg_agent": Setup(nothing, frozenset({Defect.DEAF_AGENT_FILTER}), then=launched),
    "lg_level_warning": LOGGED,
    "lg_type": LOGGED,
    "lg_user": LOGGED,
    "logs_level": nothing,
    "logs_session": nothing,
    "logs_user": nothing,
}
