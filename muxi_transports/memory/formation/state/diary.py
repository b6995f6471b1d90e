"""The diary about users: an entry for a day, which the author of a test writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from muxi_transports.memory.formation.state.users import Users

__all__ = ["Diary", "DiaryEntry"]


@dataclass(frozen=True)
class DiaryEntry:
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

    def __init__(self, users: Users) -> None:
        self._users = users
        self._entries: dict[int, list[DiaryEntry]] = {}

    def add(self, user_id: str, entry: DiaryEntry) -> None:
        """Write an entry."""
        self._entries.setdefault(self._users.number(user_id), []).append(entry)

    def listed(self, user_id: str, since: date | None = None, until: date | None = None) -> Sequence[DiaryEntry]:
        """List a user's entries, newest first, between two days, both included."""
        number = self._users.number_of(user_id)
        written = [] if number is None else self._entries.get(number, [])
        entries = sorted(written, key=lambda entry: entry.day, reverse=True)
        return [
            entry
            for entry in entries
            if (since is None or entry.day >= since) and (until is None or entry.day <= until)
        ]
