"""Distilleries: senders of memories that were distilled elsewhere."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from muxi.clock import Clock
from muxi_transports.memory.formation.ed25519 import verify
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.times import iso

__all__ = ["EVENT_TYPES", "Distilleries", "StoredDistillery", "public_key"]

#: The types of events.
EVENT_TYPES = ("fact.extracted", "log.entry", "interaction.turn")

_SCOPE: Mapping[str, object] = {
    "user_ids": "all",
    "event_types": list(EVENT_TYPES),
    "max_events_per_day": 1_000_000,
    "max_batch_size": 10_000,
}
_DAY = 24 * 3600.0


def public_key(text: str) -> bytes:
    """The 32 bytes of a key as it is registered: base64, ``ed25519:`` in front or not.

    Raises:
        ValueError: it is none; the message says why, in the words of the wire.
    """
    try:
        key = base64.b64decode(text.removeprefix("ed25519:"), validate=True)
    except binascii.Error as error:
        raise ValueError(f"public_key is not valid base64: {error}") from None
    if len(key) != 32:
        raise ValueError(f"public_key must be 32 bytes, got {len(key)}")
    return key


@dataclass
class StoredDistillery:
    """One sender.

    Args:
        number: its number.
        id: its id.
        name: its name.
        description: what it is.
        key: its public key, as it was registered.
        scope: what it may send, and for whom.
        trust: how far it is trusted.
        created_at: when it was registered, in seconds since the Unix epoch.
        revoked_at: when it was revoked.
    """

    number: int
    id: str
    name: str
    description: str | None
    key: str
    scope: dict[str, object]
    trust: str
    created_at: float
    revoked_at: float | None = None
    #: Times and counts of the events sent, for the daily quota.
    sent: list[tuple[float, int]] = field(default_factory=list)

    def on_wire(self, formation_id: str) -> dict[str, object]:
        """The sender as ``GET /v1/memory/distilleries`` has it."""
        return {
            "id": self.number,
            "distillery_id": self.id,
            "formation_id": formation_id,
            "name": self.name,
            "description": self.description,
            "public_key": self.key,
            "scope": self.scope,
            "trust_level": self.trust,
            "status": "active" if self.revoked_at is None else "revoked",
            "created_at": iso(self.created_at),
            "revoked_at": None if self.revoked_at is None else iso(self.revoked_at),
        }

    def has_signed(self, signature: str, timestamp: str, body: bytes) -> bool:
        """True if the signature of this body at this time is the distillery's."""
        try:
            raw = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            return False
        message = b"muxi-distillery-v1\n%b\n%b\n%b" % (timestamp.encode(), self.id.encode(), body)
        return verify(public_key(self.key), raw, message)

    def bound(self, name: str) -> int:
        """A number of its scope."""
        bound = self.scope.get(name)
        return bound if isinstance(bound, int) else 0

    def accepts_type(self, event_type: str) -> bool:
        """True if it may send events of a type."""
        types = self.scope.get("event_types")
        return isinstance(types, list) and event_type in types

    def accepts_user(self, user_id: str) -> bool:
        """True if it may send events of a user."""
        users = self.scope.get("user_ids")
        return users == "all" or (isinstance(users, list) and user_id in users)

    def today(self, now: float) -> int:
        """The number of events sent in the last 24 hours."""
        self.sent = [(at, count) for at, count in self.sent if now - at < _DAY]
        return sum(count for _, count in self.sent)


class Distilleries:
    """All senders, in the order they were registered."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._all: list[StoredDistillery] = []

    def __iter__(self) -> Iterator[StoredDistillery]:
        return iter(self._all)

    def register(
        self,
        name: str,
        key: str,
        description: str | None = None,
        scope: Mapping[str, object] | None = None,
        trust: str | None = None,
        *,
        distillery_id: str | None = None,
    ) -> StoredDistillery:
        """Register a sender (see :class:`StoredDistillery`).

        Raises:
            ValueError: the key is none.
        """
        public_key(key)
        distillery = StoredDistillery(
            len(self._all) + 1,
            distillery_id or self._ids.new(),
            name,
            description,
            key if key.startswith("ed25519:") else f"ed25519:{key}",
            {**_SCOPE, **(scope or {})},
            trust or "provisional",
            self._clock.time(),
        )
        self._all.append(distillery)
        return distillery

    def get(self, distillery_id: str) -> StoredDistillery | None:
        """A sender by id, also one that was revoked."""
        return next((one for one in self._all if one.id == distillery_id), None)

    def revoke(self, distillery: StoredDistillery) -> None:
        """Accept no more of a sender; once is enough."""
        distillery.revoked_at = distillery.revoked_at or self._clock.time()
