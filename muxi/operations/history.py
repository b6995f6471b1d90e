"""The history of a user, and the provenance of memories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxi.call import Call, Item, Key, Pages, send
from muxi.client.endpoints import operation, pages
from muxi.errors import ListTruncated
from muxi.operations.limits import Range

if TYPE_CHECKING:
    from muxi.types import History, HistoryEntry, MemoryProvenance

__all__ = ["HistoryOperations"]

#: The most entries that one answer can have.
MAX_PAGE = 100


class HistoryOperations:
    """Methods about history and provenance. Either key will do, and a user is needed with both."""

    @operation
    def get_history(
        self,
        user_id: str,
        limit: int | None = None,
        *,
        date_from: str | None = None,
        date_to: str | None = None,
        include_sources: bool | None = None,
    ) -> Call[History]:
        """List the history of a user, the newest entries first (``GET /history``).

        Args:
            user_id: the user.
            limit: how many at the most, 1 to 100; the runtime's default is 10.
            date_from: the first day, ISO 8601. The runtime silently ignores what is not a date.
            date_to: the last day, likewise.
            include_sources: tell what each entry was made from.

        Raises:
            ValidationError: the limit is out of range; nothing has been sent.
        """
        return Call.get(
            "/history",
            query={
                "limit": limit,
                "date_from": date_from,
                "date_to": date_to,
                "include_sources": include_sources,
            },
            limits={"limit": Range(1, MAX_PAGE)},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="History",
        )

    @pages
    def iter_history(
        self,
        user_id: str,
        *,
        date_from: str | None = None,
        date_to: str | None = None,
        include_sources: bool | None = None,
    ) -> Pages[HistoryEntry]:
        """Iterate over the history of a user, the newest entries first, paging by date.

        None comes twice, also where new ones are written meanwhile.

        Args:
            user_id: the user.
            date_from: as for :meth:`get_history`.
            date_to: likewise.
            include_sources: likewise.

        Raises:
            ListTruncated: after the last entry that the wire can list, where there may be more (over a hundred of
                one day).
        """
        seen: set[str] = set()
        while True:
            page = yield from send(
                HistoryOperations.get_history.call(
                    user_id, MAX_PAGE, date_from=date_from, date_to=date_to, include_sources=include_sources
                )
            )
            fresh = 0
            for entry in page["entries"]:
                if (known := str(entry.get("id"))) not in seen:
                    seen.add(known)
                    fresh += 1
                    yield Item(entry)
            if len(page["entries"]) < MAX_PAGE:
                return
            oldest = page["entries"][-1].get("date")
            if not fresh or not oldest:
                raise ListTruncated(
                    f"the wire lists {MAX_PAGE} entries at a time and knows no way to the rest of this day: {oldest}",
                    details={"listed": len(seen), "date": oldest},
                )
            date_to = oldest

    @operation
    def get_memory_provenance(
        self, user_id: str, *, entity: str | None = None, event_id: str | None = None
    ) -> Call[MemoryProvenance]:
        """Get the provenance of a memory (``GET /memories/provenance``).

        Args:
            user_id: whose memory.
            entity: name of a person or thing in the memories; this or ``event_id`` is required.
            event_id: an event, as an ingestion names it.

        Raises:
            ValidationError: neither is given.
            NotFoundError: there is no such thing, or no such event.
        """
        return Call.get(
            "/memories/provenance",
            query={"entity": entity, "event_id": event_id},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            returns="MemoryProvenance",
        )
