"""The events that memories go back to: what came from where, and what was made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from muxi.clock import Clock
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.times import iso

__all__ = ["FACT", "GRACE_DAYS", "INGESTED", "Events", "MemoryEvent"]

#: The types of events: something came in, and a fact was found in it.
INGESTED = "memory.ingested"
FACT = "fact.extracted"

#: Seconds for which a forgotten event is still visible (the wire).
GRACE_DAYS = 30


@dataclass
class MemoryEvent:
    """One event.

    Args:
        id: 21 characters.
        number: the number of the user.
        owner: the name of the user it came in under.
        type: what happened.
        source: where it comes from.
        source_id: its id there.
        occurred_at: when, in seconds since the Unix epoch.
        payload: what it says.
        parent: the event it was made of.
        subject: whom or what it is about.
        metadata: what was sent beside it.
        scope: whose the memories made of it are.
        scope_id: which group's.
        deleted_at: when it was forgotten.
        memory_id: the memory made of it.
    """

    id: str
    number: int
    owner: str
    type: str
    source: str
    source_id: str | None
    occurred_at: float
    payload: Mapping[str, object]
    parent: str | None = None
    subject: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    scope: str = "user"
    scope_id: str | None = None
    deleted_at: float | None = None
    memory_id: str | None = None

    def on_wire(self) -> dict[str, object]:
        """The event as ``GET /v1/memories/provenance`` has it."""
        return {
            "event_id": self.id,
            "event_type": self.type,
            "source": self.source,
            "source_id": self.source_id,
            "source_confidence": 1.0,
            "effective_confidence": 1.0,
            "decay_rate": "static",
            "occurred_at": iso(self.occurred_at),
            "agent_id": None,
            "conversation_id": None,
            "request_id": None,
            "payload": dict(self.payload),
            "deleted_at": None if self.deleted_at is None else iso(self.deleted_at),
        }


class Events:
    """All events, in the order they came."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._events: dict[str, MemoryEvent] = {}

    def add(
        self,
        number: int,
        owner: str,
        kind: str,
        source: str,
        source_id: str | None,
        payload: Mapping[str, object],
        *,
        event_id: str | None = None,
        occurred_at: float | None = None,
        subject: str | None = None,
        metadata: Mapping[str, object] | None = None,
        scope: str = "user",
        scope_id: str | None = None,
    ) -> MemoryEvent:
        """Note an event (see :class:`MemoryEvent`); it happened now, where nothing else is said."""
        event = MemoryEvent(
            event_id or self._ids.new(),
            number,
            owner,
            kind,
            source,
            source_id,
            self._clock.time() if occurred_at is None else occurred_at,
            payload,
            None,
            subject,
            dict(metadata or {}),
            scope,
            scope_id,
        )
        self._events[event.id] = event
        return event

    def derive(self, parent: MemoryEvent, kind: str, payload: Mapping[str, object]) -> MemoryEvent:
        """Note what was made of an event."""
        event = self.add(
            parent.number,
            parent.owner,
            kind,
            parent.source,
            parent.source_id,
            payload,
            subject=parent.subject,
            metadata=parent.metadata,
            scope=parent.scope,
            scope_id=parent.scope_id,
        )
        event.parent = parent.id
        return event

    def get(self, number: int | None, event_id: str) -> MemoryEvent | None:
        """One of a user's events, also one that was forgotten lately."""
        self._tidy()
        event = self._events.get(event_id)
        return event if event is not None and event.number == number else None

    def known(self, number: int, source: str, source_id: str | None) -> MemoryEvent | None:
        """Find the event that came from the same source under the same id."""
        if source_id is None:
            return None
        return next(
            (
                event
                for event in self.of(number)
                if (event.source, event.source_id, event.parent) == (source, source_id, None)
            ),
            None,
        )

    def derived_from(self, event: MemoryEvent) -> list[MemoryEvent]:
        """List the events derived from an event."""
        return [other for other in self._events.values() if other.parent == event.id and other.deleted_at is None]

    def of(self, number: int, kind: str | None = None) -> list[MemoryEvent]:
        """A user's events that were not forgotten, oldest first."""
        return [
            event
            for event in self._events.values()
            if event.number == number and event.deleted_at is None and kind in (None, event.type)
        ]

    def about(self, number: int | None, subject: str) -> list[MemoryEvent]:
        """List a user's events about a subject."""
        wanted = subject.casefold()
        events = [] if number is None else self.of(number)
        return [event for event in events if (event.subject or "").casefold() == wanted]

    def chain(self, event: MemoryEvent) -> list[MemoryEvent]:
        """An event behind those it was made of, the first one first."""
        chain = [event]
        while (parent := self._events.get(chain[0].parent or "")) is not None:
            chain.insert(0, parent)
        return chain

    def forget(self, number: int, source: str) -> list[MemoryEvent]:
        """Forget what came from a source; the events that were."""
        forgotten = [event for event in self.of(number) if event.source == source]
        for event in forgotten:
            event.deleted_at = self._clock.time()
        return forgotten

    def discard(self, event_id: str) -> None:
        """Forget one event."""
        event = self._events.get(event_id)
        if event is not None and event.deleted_at is None:
            event.deleted_at = self._clock.time()

    def is_live(self, event_id: str) -> bool:
        """True if an event exists and is not forgotten."""
        event = self._events.get(event_id)
        return event is not None and event.deleted_at is None

    def _tidy(self) -> None:
        oldest = self._clock.time() - GRACE_DAYS * 24 * 3600
        for event in list(self._events.values()):
            if event.deleted_at is not None and event.deleted_at < oldest:
                del self._events[event.id]
