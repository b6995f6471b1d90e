"""``GET /v1/history``: the diary about a user."""

from __future__ import annotations

from datetime import date

from muxi_transports.memory.formation.envelope import Success
from muxi_transports.memory.formation.router import FormationRoute, Incoming
from muxi_transports.memory.formation.state.diary import DiaryEntry
from muxi_transports.memory.formation.times import iso
from muxi_transports.memory.formation.validation import Field, flag, integer, text

__all__ = ["ROUTES"]


def get_history(incoming: Incoming) -> Success:
    """The newest entries; what is no date is taken for none given (the wire)."""
    query = incoming.query
    entries = incoming.formation.diary.listed(
        incoming.owner, _day(query.text("date_from")), _day(query.text("date_to"))
    )
    with_sources = bool(query.get("include_sources"))
    page = [_on_wire(entry, with_sources=with_sources) for entry in entries[: query.integer("limit")]]
    return Success("memory", "memory.retrieved", {"entries": page, "count": len(page)})


def _day(value: str | None) -> date | None:
    try:
        return date.fromisoformat((value or "")[:10])
    except ValueError:
        return None


def _on_wire(entry: DiaryEntry, *, with_sources: bool) -> dict[str, object]:
    fields: dict[str, object] = {
        "id": entry.id,
        "date": entry.day.isoformat(),
        "summary": entry.summary,
        "decisions": list(entry.decisions),
        "projects": list(entry.projects),
        "context": entry.context,
        "created_at": iso(entry.created_at),
        "updated_at": iso(entry.created_at),
    }
    if with_sources:
        fields["sources"] = [{"source_type": kind, "source_id": source_id} for kind, source_id in entry.sources]
    return fields


ROUTES = (
    FormationRoute(
        "GET",
        "/v1/history",
        get_history,
        query=(
            Field("limit", integer(1, 100), default=10),
            Field("date_from", text),
            Field("date_to", text),
            Field("include_sources", flag, default=False),
        ),
    ),
)
