"""``/v1/events`` and ``/v1/logs``: streams of what happens, silent where nothing does, and without an end."""

from __future__ import annotations

from muxi_transports.memory.formation.access import Level, UserRule
from muxi_transports.memory.formation.defects import Defect
from muxi_transports.memory.formation.envelope import ApiError, Crash
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.feeds import FeedEvent
from muxi_transports.memory.formation.validation import Field, text
from muxi_transports.memory.world import Answer, AnswerStream, start_stream

__all__ = ["ROUTES"]

_FILTERS = ("user_id", "session_id", "request_id", "agent_id", "level", "event_type")


def events(incoming: Incoming) -> Answer:
    """Stream the events of a user; all users' events for an admin without a user."""
    if "request_id" in incoming.params and incoming.formation.imitates(Defect.BROKEN_REQUEST_EVENTS):
        raise Crash("No module named 'muxi.runtime.formation.services'")
    session_id, request_id = incoming.params.get("session_id"), incoming.params.get("request_id")

    def wants(event: FeedEvent) -> bool:
        return (
            event.is_told
            and (incoming.user is None or incoming.formation.state.users.same(incoming.user, event.user_id))
            and session_id in (None, event.session_id)
            and request_id in (None, event.request_id)
        )

    escaped = incoming.formation.imitates(Defect.ESCAPED_EVENT_FRAMES)
    return _stream_answer(incoming.formation.feeds.open(wants, lambda event: event.as_event(escaped=escaped)))


def logs(incoming: Incoming) -> Answer:
    """Stream the log entries that pass the filters, of which one is required."""
    filters = {name: value for name in _FILTERS if (value := incoming.query.text(name))}
    if not filters:
        message = "At least one filter parameter is required"
        raise ApiError(400, "INVALID_REQUEST", f"{message} ({', '.join(_FILTERS[:-1])}, or {_FILTERS[-1]})")
    deaf = "agent_id" in filters and incoming.formation.imitates(Defect.DEAF_AGENT_FILTER)

    def wants(event: FeedEvent) -> bool:
        return not deaf and all(_passes(event, name, value) for name, value in filters.items())

    return _stream_answer(incoming.formation.feeds.open(wants, FeedEvent.as_log))


def _passes(event: FeedEvent, name: str, value: str) -> bool:
    if name == "level":
        return event.is_at_least(value)
    if name == "event_type":
        return event.is_of_type(value)
    return bool(getattr(event, name) == value)


def _stream_answer(stream: AnswerStream) -> Answer:
    headers = [
        ("cache-control", "no-cache"),
        ("connection", "keep-alive"),
        ("x-accel-buffering", "no"),
        ("content-type", "text/event-stream; charset=utf-8"),
    ]
    return Answer(200, headers, start_stream(stream))


ROUTES = (
    FormationRoute("GET", "/v1/events", events, user=UserRule.FOR_CLIENT),
    FormationRoute("GET", "/v1/events/{session_id}", events, user=UserRule.FOR_CLIENT),
    FormationRoute("GET", "/v1/events/{session_id}/{request_id}", events, user=UserRule.FOR_CLIENT),
    FormationRoute(
        "GET", "/v1/logs", logs, Level.ADMIN, UserRule.OPTIONAL, query=tuple(Field(name, text) for name in _FILTERS)
    ),
)
