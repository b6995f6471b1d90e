"""The working memory: the messages of every session of every user."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from muxi_transports.memory.formation.state.users import Users

__all__ = ["Buffer", "BufferedMessage", "Cleared"]


@dataclass(frozen=True)
class BufferedMessage:
    """One message of a session.

    Args:
        text: what was said.
        timestamp: when, in seconds since the Unix epoch.
        metadata: the rest, ``role`` included, as the wire has it.
    """

    text: str
    timestamp: float
    metadata: Mapping[str, object] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """``user``, ``assistant``, or another role of a restored session."""
        return str(self.metadata.get("role", ""))

    def on_wire(self) -> dict[str, object]:
        """The message as ``GET /v1/sessions/{id}/messages`` has it."""
        return {
            "text": self.text,
            "metadata": dict(self.metadata),
            "timestamp": self.timestamp,
            "namespace": "buffer",
            "embedding": None,
        }


@dataclass(frozen=True)
class Cleared:
    """The counts of what was cleared."""

    messages: int
    sessions: int


class Buffer:
    """Messages by user and session. A session exists as long as it has messages."""

    def __init__(self, users: Users) -> None:
        self._directory = users
        #: By the number of the user, of whom there may be several names.
        self._users: dict[int, dict[str, list[BufferedMessage]]] = {}

    def append(self, user_id: str, session_id: str, message: BufferedMessage) -> None:
        """Add a message to a session, which begins with its first one."""
        sessions = self._users.setdefault(self._directory.number(user_id), {})
        sessions.setdefault(session_id, []).append(message)

    def restore(self, user_id: str, session_id: str, messages: list[BufferedMessage]) -> None:
        """Replace a session."""
        self.clear(user_id, session_id)
        for message in messages:
            self.append(user_id, session_id, message)

    def session(self, user_id: str, session_id: str) -> tuple[BufferedMessage, ...]:
        """The messages of a session, oldest first; none where there is no such session."""
        return tuple(self._of(user_id).get(session_id, ()))

    def sessions(self, user_id: str) -> list[tuple[str, BufferedMessage]]:
        """Each session of a user with its last message, the latest first."""
        sessions = self._of(user_id)
        latest = [(session_id, messages[-1]) for session_id, messages in sessions.items()]
        # Of two sessions of one moment the one that began later comes first.
        latest.reverse()
        return sorted(latest, key=lambda item: item[1].timestamp, reverse=True)

    def clear(self, user_id: str | None = None, session_id: str | None = None) -> Cleared:
        """Forget sessions.

        Args:
            user_id: whose; everybody's if None.
            session_id: which; all of them if None.
        """
        number = None if user_id is None else self._directory.number_of(user_id)
        messages = sessions = 0
        for whose in list(self._users) if user_id is None else [number]:
            theirs = self._users.get(whose, {}) if whose is not None else {}
            doomed = [key for key in theirs if session_id in (None, key)]
            messages += sum(len(theirs.pop(key)) for key in doomed)
            sessions += len(doomed)
            if not theirs and whose is not None:
                self._users.pop(whose, None)
        return Cleared(messages, sessions)

    @property
    def total_users(self) -> int:
        """The number of users with messages."""
        return len(self._users)

    @property
    def total_sessions(self) -> int:
        """The number of sessions."""
        return sum(len(sessions) for sessions in self._users.values())

    @property
    def total_messages(self) -> int:
        """The number of messages."""
        return len(self._messages())

    def count(self, user_id: str) -> int:
        """The number of a user's messages."""
        return len(self._messages(user_id))

    def kilobytes(self, user_id: str | None = None) -> float:
        """The size of a user's messages, or of all of them, as JSON, in KiB."""
        size = sum(len(json.dumps(message.on_wire())) for message in self._messages(user_id))
        return round(size / 1024, 2)

    def _messages(self, user_id: str | None = None) -> list[BufferedMessage]:
        users = self._users.values() if user_id is None else [self._of(user_id)]
        return [message for sessions in users for messages in sessions.values() for message in messages]

    def texts(self, role: str = "user") -> list[str]:
        """All texts of a role."""
        return [message.text for message in self._messages() if message.role == role]

    def _of(self, user_id: str) -> dict[str, list[BufferedMessage]]:
        number = self._directory.number_of(user_id)
        return {} if number is None else self._users.get(number, {})
