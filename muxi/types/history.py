"""The formation's diary about a user."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["History", "HistoryEntry"]


class HistoryEntry(TypedDict, total=False):
    """One day with a user. Read in the runtime's source, never seen live."""

    id: str
    #: ISO 8601, without a time.
    date: str
    summary: str
    decisions: Any
    projects: Any
    context: Any
    created_at: str
    updated_at: str
    #: ``source_type`` and ``source_id`` of what the entry was made from, where asked for.
    sources: list[dict[str, str]]


class History(TypedDict):
    """The latest entries, the newest first. ``count`` is the length of this list, there is no total."""

    entries: list[HistoryEntry]
    count: int
