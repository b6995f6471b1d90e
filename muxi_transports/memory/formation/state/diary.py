"""The diary about users: an entry for a day, which the author of a test writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

__all__ = ["Diary", "Entry"]


@dataclass(frozen=True)
class Entry:
    """One day with a user.

    Args:
        id: its id.
        day: which day.
        summary: what happened.
        created_at: when it was written, in seconds since the Unix epoch.
        decisions: what was decided.
        projects: what was worked on.
        context: what else there is to know.
        sources: type and id of what it was made from.
    """

    id: str
    day: date
    summary: str
    created_at: float
    decisions: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    context: str = ""
    sources: tuple[tuple[str, str], ...] = field(default=())


class Diary:
    """Entries by user."""

    def __init__(self) -> None:
        self._entries: dict[str, list[Entry]] = {}

    def add(self, user_id: str, entry: Entry) -> None:
        """Write an entry."""
        self._entries.setdefault(user_id, []).append(entry)

    def listed(self, user_id: str, since: date | None = None, until: date | None = None) -> Sequence[Entry]:
        """What was written about a user, the newest day first, between two days that count."""
        entries = sorted(self._entries.get(user_id, []), key=lambda entry: entry.day, reverse=True)
        return [
            entry
            for entry in entries
            if (since is None or entry.day >= since) and (until is None or entry.day <= until)
        ]
