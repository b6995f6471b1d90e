"""Credentials that users have given for services; of what they are only a preview is ever shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from muxi.clock import Clock
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.state.users import Users
from muxi_transports.memory.formation.times import iso

__all__ = ["Credentials", "StoredCredential"]


@dataclass
class StoredCredential:
    """One credential.

    Args:
        id: its id.
        service: what it is for, in lower case.
        name: which of the user's it is.
        value: what it is.
        preview: the ends of its ciphertext.
        created_at: when, in seconds since the Unix epoch.
        updated_at: when it was last replaced.
    """

    id: str
    service: str
    name: str
    value: Mapping[str, object] = field(repr=False)
    preview: str
    created_at: float
    updated_at: float

    def on_wire(self) -> dict[str, object]:
        """The credential as lists have it."""
        return {
            "credential_id": self.id,
            "service": self.service,
            "name": self.name,
            "credential_preview": self.preview,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
        }


class Credentials:
    """Credentials by user."""

    def __init__(self, users: Users, clock: Clock, ids: Ids) -> None:
        self._users = users
        self._clock = clock
        self._ids = ids
        self._credentials: dict[int, list[StoredCredential]] = {}

    def add(self, user_id: str, service: str, name: str | None, value: Mapping[str, object]) -> StoredCredential:
        """Keep a credential; one of the same service and name is replaced, and keeps its id.

        Args:
            user_id: whose.
            service: what it is for.
            name: which of several; the service's name if None.
            value: what it is, such as ``{"token": "…"}``.
        """
        now = self._clock.time()
        service, name = service.lower(), name or service.lower()
        mine = self._credentials.setdefault(self._users.number(user_id), [])
        credential = next((one for one in mine if (one.service, one.name) == (service, name)), None)
        # The wire cuts the preview from the ciphertext, which says nothing of what it hides.
        preview = f"gAAAAAB*****{self._ids.new()[:3]}"
        if credential is None:
            credential = StoredCredential(self._ids.new(), service, name, dict(value), preview, now, now)
            mine.append(credential)
        else:
            credential.value, credential.preview, credential.updated_at = dict(value), preview, now
        return credential

    def of(self, user_id: str) -> list[StoredCredential]:
        """A user's credentials, oldest first."""
        number = self._users.number_of(user_id)
        return [] if number is None else list(self._credentials.get(number, ()))

    def get(self, user_id: str, credential_id: str) -> StoredCredential | None:
        """One of a user's credentials."""
        return next((one for one in self.of(user_id) if one.id == credential_id), None)

    def remove(self, user_id: str, credential: StoredCredential) -> None:
        """Forget a credential."""
        self._credentials[self._users.number(user_id)].remove(credential)
