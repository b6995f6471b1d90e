"""The long-term memory: what the formation remembers about its users."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

__all__ = ["SCOPES", "Memories", "Memory", "iso"]

#: Whose a memory can be.
SCOPES = ("user", "group", "formation")


@dataclass(frozen=True)
class Memory:
    """One thing remembered.

    Args:
        id: 21 characters.
        owner: the user it was written for.
        content: the text.
        created_at: seconds since the Unix epoch.
        metadata: as the wire lists it, with ``timestamp``.
        scope: one of :data:`SCOPES`.
        scope_id: the group; None otherwise.
    """

    id: str
    owner: str
    content: str
    created_at: float
    metadata: Mapping[str, object]
    scope: str = "user"
    scope_id: str | None = None


class Memories:
    """Memories of all users, in the order they were made, and what external sources have sent."""

    def __init__(self) -> None:
        self._memories: dict[str, Memory] = {}
        self._numbers: dict[str, int] = {}
        self._events: dict[tuple[str, str, str], str] = {}

    def add(self, memory: Memory) -> None:
        """Keep a memory."""
        self._number(memory.owner)
        self._memories[memory.id] = memory

    def listed(self, owner: str, scopes: Collection[str] = SCOPES) -> list[Memory]:
        """What a user sees, newest first: the user's own, and those of the whole formation."""
        seen = [
            memory
            for memory in self._memories.values()
            if memory.scope in scopes and (memory.owner == owner or memory.scope == "formation")
        ]
        return seen[::-1]

    def remove(self, owner: str | None, memory_id: str) -> bool:
        """Forget a memory; False where the user has none of that id. Without a user, whosever it is."""
        memory = self._memories.get(memory_id)
        if memory is None or owner not in (None, memory.owner):
            return False
        del self._memories[memory_id]
        return True

    def scope_id(self, memory: Memory) -> str | None:
        """What the list calls the owner: the runtime's internal number of the user, as text."""
        return str(self._number(memory.owner)) if memory.scope == "user" else memory.scope_id

    def event_of(self, owner: str, source: str, source_id: str) -> str | None:
        """The event that a source's item became; None where it is new."""
        return self._events.get((owner, source, source_id))

    def note_event(self, owner: str, source: str, source_id: str, event_id: str) -> None:
        """Remember what a source's item became, so that it is not taken twice."""
        self._events[owner, source, source_id] = event_id

    def _number(self, owner: str) -> int:
        return self._numbers.setdefault(owner, len(self._numbers) + 1)


def iso(timestamp: float, suffix: str = "") -> str:
    """``2026-11-22T15:42:30.945568``, in UTC, with or without saying so."""
    return datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + suffix
