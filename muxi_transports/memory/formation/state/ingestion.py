"""Ingestion: items from other systems, and the facts extracted from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from muxi_transports.memory.formation.state.events import FACT, INGESTED, Events, MemoryEvent
from muxi_transports.memory.formation.state.projections import Projections
from muxi_transports.memory.formation.state.users import Users
from muxi_transports.memory.incidents import Incidents

__all__ = ["Extract", "Ingestion", "Intake"]


@dataclass(frozen=True)
class Intake:
    """One thing that came in.

    Args:
        content: any JSON.
        source: where it comes from.
        source_id: its id there.
        user_id: whose memory it is for.
        subject: whom or what it is about.
        metadata: what was sent beside it.
        scope: whose the memories made of it are.
        scope_id: which group's.
        occurred_at: when it happened, in seconds since the Unix epoch; None for now.
    """

    content: object
    source: str
    source_id: str | None
    user_id: str
    subject: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)
    scope: str = "user"
    scope_id: str | None = None
    occurred_at: float | None = None


#: Finds the facts in something that came in. None means that it is not worth keeping, raising that it cannot be read.
Extract = Callable[[Intake], "Iterable[str] | None"]


def as_it_is(intake: Intake) -> Iterable[str]:
    """The content as the one fact; JSON that is no text as JSON."""
    return [intake.content if isinstance(intake.content, str) else json.dumps(intake.content, ensure_ascii=False)]


class Ingestion:
    """Takes things in, and finds facts in them later."""

    def __init__(self, users: Users, events: Events, projections: Projections, incidents: Incidents) -> None:
        self._incidents = incidents
        self._users = users
        self._events = events
        self._projections = projections
        #: Finds the facts; a test may put its own here.
        self.extract: Extract = as_it_is

    def known(self, intake: Intake) -> MemoryEvent | None:
        """Find the event of an item that was ingested before."""
        number = self._users.number_of(intake.user_id)
        return None if number is None else self._events.known(number, intake.source, intake.source_id)

    def take(self, intake: Intake, *, event_id: str | None = None) -> MemoryEvent:
        """Note that something came in."""
        return self._events.add(
            self._users.number(intake.user_id),
            intake.user_id,
            INGESTED,
            intake.source,
            intake.source_id,
            {"content": intake.content},
            event_id=event_id,
            occurred_at=intake.occurred_at,
            subject=intake.subject,
            metadata=intake.metadata,
            scope=intake.scope,
            scope_id=intake.scope_id,
        )

    def digest(
        self, taken: Sequence[tuple[int, Intake, MemoryEvent]], model: str, *, unclassified: str | None = None
    ) -> dict[str, object]:
        """Find the facts in what came in, and make memories of them.

        Args:
            taken: each thing with its place in the batch and its event.
            model: the name of the model that the usage is counted for.
            unclassified: what the missing classifier says, where there is none: then no facts are found.

        Returns:
            What the status of the job says at the end.
        """
        counts = {"stored": 0, "filtered": 0, "failed": 0}
        items = []
        for index, intake, event in taken:
            item: dict[str, object] = {"source": intake.source, "source_id": intake.source_id}
            facts: list[str] = []
            disposition = "stored"
            if unclassified is not None:
                item["classify_error"] = unclassified
            else:
                try:
                    with self._incidents.watch("the function that extracts facts"):
                        found = self.extract(intake)
                        facts = [] if found is None else list(found)
                    disposition = "filtered" if found is None else "stored"
                except Exception as error:
                    disposition = "failed"
                    item["error"] = str(error) or type(error).__name__
            for fact in facts:
                self._projections.project(self._events.derive(event, FACT, {"memory": fact}))
            category = "unknown" if unclassified is not None else "fact"
            item |= {
                "classification": {"category": category, "margin": 0.0 if unclassified is not None else 1.0},
                "filter_level": "strict",
                "tier": 2,
                "tier_reason": f"category:{category}",
                "facts_extracted": len(facts),
                "graph_extractions": len(facts) if intake.subject else 0,
                "disposition": disposition,
                "index": index,
                "event_id": event.id,
            }
            items.append(item)
            counts[disposition] += 1
        # No model is asked, so none is paid for.
        nothing = [0, 0, 0, 0, 0, 0]
        usage = {
            "fields": ["total", "in", "out", "total_cached", "in_cached", "out_cached"],
            "total": nothing,
            "breakdown": {model: nothing},
        }
        return {"items": items, "counts": counts, "usage": usage}
