"""Streams of a formation's events and of its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from muxi.call import Key
from muxi.client.endpoints import stream
from muxi.streaming.call import FEED, LOG, StreamCall

if TYPE_CHECKING:
    from muxi.types import FormationEvent, LogEvent

__all__ = ["EventOperations"]


class EventOperations:
    """Streams that are not chats. They may be silent for hours; a clean end is an end, and no error.

    Today's runtime feeds neither: they open, and nothing comes.
    """

    @stream
    def stream_events(self, user_id: str = "") -> StreamCall[FormationEvent]:
        """Follow what happens to a user's work (``GET /events``).

        Args:
            user_id: whose; all users' if empty, which takes the admin key.

        Returns:
            An open stream of mappings with ``type`` (``chat.…``, ``agent.…``, ``workflow.…``, ``task.…``),
            ``timestamp``, ``message``, ``session_id`` and ``request_id``. The frames of today's runtime are
            malformed; they are understood all the same.

        Raises:
            MuxiError: the formation refused; raised here, before the first event.
        """
        return StreamCall("GET", "/events", **_feed_parts(user_id))

    @stream
    def stream_session(self, user_id: str, session_id: str) -> StreamCall[FormationEvent]:
        """Follow what happens in one session (``GET /events/{session_id}``); otherwise as :meth:`stream_events`."""
        return StreamCall("GET", "/events/{session_id}", params={"session_id": session_id}, **_feed_parts(user_id))

    @stream
    def stream_request(self, user_id: str, session_id: str, request_id: str) -> StreamCall[FormationEvent]:
        """Follow what happens to one request (``GET /events/{session_id}/{request_id}``).

        Raises:
            ServerError: always, with today's runtime, whose route is broken; see ``wait_for_request``.
        """
        return StreamCall(
            "GET",
            "/events/{session_id}/{request_id}",
            params={"session_id": session_id, "request_id": request_id},
            **_feed_parts(user_id),
        )

    @stream
    def stream_logs(
        self,
        filters: Mapping[str, Any] | None = None,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        request_id: str | None = None,
        agent_id: str | None = None,
        level: str | None = None,
        event_type: str | None = None,
    ) -> StreamCall[LogEvent]:
        """Follow the formation's log (``GET /logs``, admin key).

        Args:
            filters: the arguments that follow, as a mapping; at least one of them is needed.
            user_id: only what concerns this user.
            session_id: only what concerns this session.
            request_id: only what concerns this request.
            agent_id: only what concerns this agent; in today's runtime nothing ever does.
            level: this level or a higher one (``debug``, ``info``, ``warning``, ``error``).
            event_type: a type such as ``chat.message``, with ``*`` for anything.

        Returns:
            An open stream of mappings with ``timestamp``, ``level``, ``event_type``, ``message``, ``data``, and the
            ids of user, session, request and agent.

        Raises:
            ValidationError: there is no filter; raised here, before the first event.
        """
        query = {
            "user_id": user_id,
            "session_id": session_id,
            "request_id": request_id,
            "agent_id": agent_id,
            "level": level,
            "event_type": event_type,
        }
        query.update(filters or {})
        return StreamCall("GET", "/logs", query=query, key=Key.ADMIN, events=LOG)


def _feed_parts(user_id: str) -> dict[str, Any]:
    # The client key shows the work of one user only and is refused without.
    return {"user_id": user_id or None, "key": Key.EITHER if user_id else Key.ADMIN, "events": FEED}
