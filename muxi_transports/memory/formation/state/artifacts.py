"""Artifacts: files that agents made, each with its versions."""

from __future__ import annotations

from dataclasses import dataclass

from muxi.clock import Clock
from muxi_transports.memory.formation.state.users import Users

__all__ = ["Artifacts", "Stored", "category"]


@dataclass
class Stored:
    """One version of a file.

    Args:
        id: its id; every version has one of its own.
        owner: the user it was made for.
        name: what it is called; the versions of a user's file share it.
        version: 1 for the first.
        content: the bytes.
        content_type: what they are.
        agent_id: who made it.
        session_id: where.
        created_at: when, in seconds since the Unix epoch.
    """

    id: str
    owner: str
    name: str
    version: int
    content: bytes
    content_type: str
    agent_id: str
    session_id: str
    created_at: float
    updated_at: float
    last_accessed_at: float
    is_latest: bool = True


class Artifacts:
    """The artifacts of all users, in the order they were made."""

    def __init__(self, clock: Clock, users: Users) -> None:
        self._clock = clock
        self._users = users
        #: By id, with the number of the user: a name may be given to another user later.
        self._stored: dict[str, tuple[int, Stored]] = {}

    def add(
        self,
        artifact_id: str,
        owner: str,
        name: str,
        content: bytes,
        *,
        content_type: str,
        agent_id: str = "assistant",
        session_id: str = "",
    ) -> Stored:
        """Keep a file; one of a name that the user has becomes its next version."""
        now = self._clock.time()
        number = self._users.number(owner)
        earlier = [stored for stored in self._of(number) if stored.name == name]
        for stored in earlier:
            stored.is_latest = False
        version = len(earlier) + 1
        added = Stored(artifact_id, owner, name, version, content, content_type, agent_id, session_id, now, now, now)
        self._stored[artifact_id] = (number, added)
        return added

    def listed(self, owner: str) -> list[Stored]:
        """A user's files in their latest versions, the latest first."""
        return [stored for stored in self._of(self._users.number_of(owner)) if stored.is_latest][::-1]

    def get(self, owner: str, artifact_id: str) -> Stored | None:
        """A version of a file by its id; None where the user has none of that id."""
        number, stored = self._stored.get(artifact_id, (None, None))
        return stored if number == self._users.number_of(owner) else None

    def versions(self, stored: Stored) -> list[Stored]:
        """All versions of a file, the newest first."""
        number, _ = self._stored[stored.id]
        return [other for other in self._of(number) if other.name == stored.name][::-1]

    def read(self, stored: Stored) -> bytes:
        """The content; that it was read is noted."""
        stored.last_accessed_at = stored.updated_at = self._clock.time()
        return stored.content

    def _of(self, number: int | None) -> list[Stored]:
        return [stored for whose, stored in self._stored.values() if whose == number]


def category(content_type: str) -> str:
    """The kind of a file, by its media type: ``text``, ``image``, …"""
    kind, _, rest = content_type.partition("/")
    if kind in ("text", "image", "audio", "video"):
        return kind
    return "text" if rest.partition(";")[0] in ("json", "xml", "yaml", "x-yaml") else "document"
