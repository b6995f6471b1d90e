"""Projections of events: memories, and the counts of the other views."""

from __future__ import annotations

from collections.abc import Mapping

from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.formation.state.events import FACT, Events, MemoryEvent
from muxi_transports.memory.formation.state.memories import Memories, StoredMemory

__all__ = ["PROJECTIONS", "Projections", "Report"]

#: The views on events (the wire). Memories are the view `flat_facts`; of the others the formation only counts.
PROJECTIONS: tuple[str, ...] = ("artifact_metadata", "captains_log", "flat_facts", "knowledge_graph")

Report = dict[str, dict[str, object]]


class Projections:
    """Makes memories of events, and unmakes them."""

    def __init__(self, events: Events, memories: Memories, ids: Ids) -> None:
        self._events = events
        self._memories = memories
        self._ids = ids

    def project(self, event: MemoryEvent) -> StoredMemory:
        """Make the memory of a fact; made again, it has the id it had."""
        event.memory_id = event.memory_id or self._ids.new()
        metadata: dict[str, object] = {
            **event.metadata,
            "source": event.source,
            "source_id": event.source_id,
            "event_id": event.id,
            "timestamp": event.occurred_at,
        }
        if collection := event.payload.get("collection"):
            metadata["type"] = collection
        memory = StoredMemory(
            event.memory_id,
            event.owner,
            str(event.payload.get("memory", "")),
            event.occurred_at,
            metadata,
            event.scope,
            event.scope_id,
            event.id,
        )
        self._memories.add(memory)
        return memory

    def views(self, event: MemoryEvent) -> list[str]:
        """The views that an event is in."""
        if event.type == FACT:
            return ["flat_facts", "knowledge_graph"] if event.subject else ["flat_facts"]
        return ["captains_log"] if event.type == "log.entry" else []

    def rebuild(self, number: int | None, only: str | None = None, *, dry_run: bool = False) -> Report:
        """Make the views of a user anew from the events that are there.

        Args:
            number: the user; None for one who was never heard of.
            only: one view; all of them if None.
            dry_run: only say what would be done.

        Returns:
            Counts by view.
        """
        events = [] if number is None else self._events.of(number)
        report: Report = {}
        for view in PROJECTIONS if only is None else (only,):
            seen = [event for event in events if view in self.views(event)]
            if view == "flat_facts" and number is not None and not dry_run:
                self._make_anew(number, seen)
            counts: dict[str, object] = {"events": len(seen), "applied": 0 if dry_run else len(seen), "failed": 0}
            report[view] = {**counts, "dry_run": True} if dry_run else counts
        return report

    def backfill(self, number: int | None) -> dict[str, int]:
        """Make up events for memories that were written down directly; how many, by view."""
        made = dict.fromkeys(PROJECTIONS, 0)
        if number is None:
            return made
        for memory in self._memories.of(number):
            if memory.event_id is not None:
                continue
            payload: Mapping[str, object] = {"memory": memory.content}
            event = self._events.add(
                number,
                memory.owner,
                FACT,
                "backfill",
                memory.id,
                payload,
                occurred_at=memory.created_at,
                metadata=memory.metadata,
                scope=memory.scope,
                scope_id=memory.scope_id,
            )
            event.memory_id = memory.id
            self.project(event)
            made["flat_facts"] += 1
        return made

    def sweep(self, number: int) -> int:
        """Forget memories whose events were forgotten; how many there were."""
        orphans = [
            memory
            for memory in self._memories.of(number)
            if memory.event_id is not None and not self._events.is_live(memory.event_id)
        ]
        for memory in orphans:
            self._memories.drop(memory.id)
        return len(orphans)

    def _make_anew(self, number: int, facts: list[MemoryEvent]) -> None:
        # Both kinds keep the order in which they were made.
        kept = {event.memory_id for event in facts}
        for memory in self._memories.of(number):
            if memory.event_id is not None and memory.id not in kept:
                self._memories.drop(memory.id)
        for event in facts:
            self.project(event)
