"""Sessions and their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from muxi.call import Call, Item, Key, Pages, send
from muxi.client.endpoints import operation, pages
from muxi.errors import ListTruncated
from muxi.operations.fields import plain
from muxi.operations.limits import Range

if TYPE_CHECKING:
    from muxi.types import RestoredSession, Session, SessionList, SessionMessage, SessionMessages

__all__ = ["SessionOperations"]

#: The most sessions, and the most messages, that one answer can have.
MAX_PAGE = 1000


class SessionOperations:
    """Methods about a user's sessions. All take the client key and need a user."""

    @operation
    def get_sessions(
        self, user_id: str, limit: int | None = None, *, active_only: bool | None = None
    ) -> Call[SessionList]:
        """List a user's sessions, the latest first (``GET /sessions``).

        Args:
            user_id: whose.
            limit: how many at the most, 1 to 1000; the runtime's default is 50.
            active_only: leave out sessions that have ended; today's runtime takes no notice of it.

        Raises:
            ValidationError: the limit is out of range.
        """
        return Call.get(
            "/sessions",
            query={"limit": limit, "active_only": active_only},
            limits={"limit": Range(1, MAX_PAGE)},
            user_id=user_id,
            user_required=True,
            key=Key.CLIENT,
            returns="SessionList",
        )

    @operation
    def get_session(self, session_id: str, user_id: str) -> Call[Session]:
        """Get one session (``GET /sessions/{session_id}``).

        Raises:
            NotFoundError: the user has no such session.
        """
        return Call.get(
            "/sessions/{session_id}",
            params={"session_id": session_id},
            user_id=user_id,
            user_required=True,
            key=Key.CLIENT,
            returns="Session",
        )

    @operation
    def get_session_messages(self, session_id: str, user_id: str, limit: int | None = None) -> Call[SessionMessages]:
        """List the messages of a session (``GET /sessions/{session_id}/messages``).

        Args:
            session_id: which. One that does not exist has no messages; that is no error.
            user_id: whose.
            limit: how many of the **oldest** messages, 1 to 1000; the runtime's default is 50. There is no way to
                page further; ``has_more`` is true if there are more.

        Raises:
            ValidationError: the limit is out of range.
        """
        return Call.get(
            "/sessions/{session_id}/messages",
            params={"session_id": session_id},
            query={"limit": limit},
            limits={"limit": Range(1, MAX_PAGE)},
            user_id=user_id,
            user_required=True,
            key=Key.CLIENT,
            returns="SessionMessages",
        )

    @pages
    def iter_session_messages(self, session_id: str, user_id: str) -> Pages[SessionMessage]:
        """Iterate over the messages of a session, the oldest first.

        Args:
            session_id: which. One that does not exist has no messages; that is no error.
            user_id: whose.

        Raises:
            ListTruncated: after the last message that the wire can list (the thousandth), where there are more.
        """
        page = yield from send(SessionOperations.get_session_messages.call(session_id, user_id, MAX_PAGE))
        for message in page["messages"]:
            yield Item(message)
        if page["has_more"]:
            raise ListTruncated(
                f"the wire lists the oldest {MAX_PAGE} messages of a session and knows no way to newer ones",
                details={"listed": len(page["messages"])},
            )

    @operation
    def restore_session(
        self, session_id: str, user_id: str, messages: Sequence[Mapping[str, Any]]
    ) -> Call[RestoredSession]:
        """Restore messages into a session (``POST /sessions/{session_id}/restore``).

        Args:
            session_id: which; it is made where it does not exist.
            user_id: whose.
            messages: each with ``role``, ``content`` and ``timestamp`` (a text), and maybe ``agent_id``, ``metadata``.

        Raises:
            ValidationError: a message lacks something; nothing has been sent.
        """
        return Call.post(
            "/sessions/{session_id}/restore",
            params={"session_id": session_id},
            body={"messages": plain(messages)},
            user_id=user_id,
            user_required=True,
            key=Key.CLIENT,
            accepts="SessionRestore",
            returns="RestoredSession",
        )
