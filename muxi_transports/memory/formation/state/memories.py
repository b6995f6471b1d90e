"""The long-term memory: what the formation remembers about its users."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from muxi_transports.memory.formation.state.users import Users

__all__ = ["SCOPES", "Memories", "StoredMemory"]

#: Whose a memory can be.
SCOPES = ("user", "group", "formation")


@dataclass(frozen=True)
class StoredMemory:
    """One thing remembered.

    Args:
        id: 21 characters.
        owner: the user it was written for.
        content: the text.
        created_at: seconds since the Unix epoch.
        metadata: as the wire lists it, with ``timestamp``.
        scope: one of :data:`SCOPES`.
        scope_id: the group; None otherwise.
        event_id: the event it was derived from; None for a memory that was added directly.
    """

    id: str
    owner: str
    content: str
    created_at: float
    metadata: Mapping[str, object]
    scope: str = "user"
    scope_id: str | None = None
    event_id: str | None = None


class Memories:
    """Memories of all users, in the order they were made."""

    def __init__(self, users: Users) -> None:
        self._users = users
        #: By id, with the number of the user: a name may be given to another user later.
        self._memories: dict[str, tuple[int, StoredMemory]] = {}

    def add(self, memory: StoredMemory) -> None:
        """Keep a memory."""
        self._memories[memory.id] = (self._users.number(memory.owner), memory)

    def listed(self, owner: str, scopes: Collection[str] = SCOPES) -> list[StoredMemory]:
        """List the memories visible to a user, newest first: the user's own and those of the formation."""
        mine = self._users.number_of(owner)
        seen = [
            memory
            for number, memory in self._memories.values()
            if memory.scope in scopes and (number == mine or memory.scope == "formation")
        ]
        return seen[::-1]

    def of(self, number: int) -> list[StoredMemory]:
        """List a user's own memories, oldest first."""
        return [memory for whose, memory in self._memories.values() if whose == number]

    def owners(self) -> list[int]:
        """The numbers of the users that something is remembered about."""
        return sorted({number for number, _ in self._memories.values()})

    def remove(self, owner: str, memory_id: str) -> StoredMemory | None:
        """Forget a memory; None where the user has none of that id."""
        number, memory = self._memories.get(memory_id, (None, None))
        if memory is None or number != self._users.number_of(owner):
            return None
        return self.drop(memory_id)

    def drop(self, memory_id: str) -> StoredMemory | None:
        """Forget a memory, whosever it is; None where there is none of that id."""
        _, memory = self._memories.pop(memory_id, (None, None))
        return memory

    def scope_id(self, memory: StoredMemory) -> str | None:
        """The owner in lists: the runtime's internal number of the user, as text."""
        return str(self._memories[memory.id][0]) if memory.scope == "user" else memory.scope_id
