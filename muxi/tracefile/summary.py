"""A summary of a trace of any size: totals of all calls, and a bounded selection of them with their details."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from muxi.tracefile import VERSION
from muxi.tracefile.calls import CallTrace
from muxi.tracefile.reading import LineTally, TraceLine
from muxi.tracefile.totals import TotalsTable

__all__ = ["KeptCall", "SelectionLimits", "TraceSummary"]


@dataclass(frozen=True)
class SelectionLimits:
    """Bounds of a selection, in calls and in bytes of their details."""

    #: The newest calls, which are all calls of a trace that is not larger.
    newest: int = 10_000
    newest_bytes: int = 64 * 1024 * 1024
    #: Of the older ones, the slowest and the newest that failed.
    slowest: int = 1000
    failed: int = 1000
    #: Largest details of an older call that is kept, in bytes.
    older_bytes: int = 32 * 1024
    #: Calls without an end that are followed at the same time; of more, the oldest counts as unfinished.
    running: int = 10_000


class KeptCall(NamedTuple):
    """A call of the selection: its row, and its details as JSON on one line."""

    row: list[Any]
    details: str

    @property
    def start(self) -> float:
        """Unix time of its start, in seconds."""
        return float(self.row[7])


class TraceSummary:
    """Totals and selection of the calls in a trace, built line by line.

    Args:
        limits: bounds of the selection.
    """

    def __init__(self, limits: SelectionLimits | None = None) -> None:
        self.totals: TotalsTable = TotalsTable()
        self._limits = limits or SelectionLimits()
        self._running: OrderedDict[str, CallTrace] = OrderedDict()
        self._newest: deque[KeptCall] = deque()
        self._newest_bytes = 0
        self._slowest: list[tuple[float, int, KeptCall]] = []
        self._failed: deque[KeptCall] = deque(maxlen=self._limits.failed)
        self._order = 0
        #: Rows of calls that have changed since :meth:`take_changes`, by id; None if nothing follows the summary.
        self._changes: dict[str, KeptCall | CallTrace] | None = None

    def add(self, record: TraceLine) -> None:
        """Add a line."""
        name = record["call"]
        call = self._running.get(name)
        if call is None:
            call = self._running[name] = CallTrace(name, float(record["t"]) - max(0.0, float(record["at"])))
            if len(self._running) > self._limits.running:
                self._conclude(next(iter(self._running)))
        if call.add(record):
            self._conclude(name)
        elif self._changes is not None:
            self._changes[name] = call

    def add_all(self, records: Iterable[TraceLine]) -> None:
        """Add lines."""
        for record in records:
            self.add(record)

    def finish(self) -> None:
        """Count the calls that have no end."""
        while self._running:
            self._conclude(next(iter(self._running)))

    def selection(self) -> list[KeptCall]:
        """Return the kept calls, those that run included, by their start."""
        older = {id(kept): kept for kept in (*(item[2] for item in self._slowest), *self._failed)}
        running = [KeptCall(call.row(), call.details()) for call in self._running.values()]
        return sorted((*older.values(), *self._newest, *running), key=lambda kept: kept.start)

    def describe(self, tally: LineTally) -> dict[str, Any]:
        """Return totals and numbers of lines as data."""
        return {"version": VERSION, "lines": asdict(tally), "totals": self.totals.describe()}

    def follow(self) -> None:
        """Note which calls change from now on."""
        self._changes = {}

    def take_changes(self) -> list[KeptCall]:
        """Return the calls that have changed since the last time, as they are now."""
        changes, self._changes = self._changes or {}, {}
        return [
            kept if isinstance(kept, KeptCall) else KeptCall(kept.row(), kept.details()) for kept in changes.values()
        ]

    def _conclude(self, call_id: str) -> None:
        """Count a call, and keep it with the newest."""
        call = self._running.pop(call_id)
        self.totals.add(call)
        kept = KeptCall(call.row(), call.details())
        if self._changes is not None:
            self._changes[call_id] = kept
        self._newest.append(kept)
        self._newest_bytes += len(kept.details)
        while len(self._newest) > self._limits.newest or self._newest_bytes > self._limits.newest_bytes:
            self._retire(self._newest.popleft())

    def _retire(self, kept: KeptCall) -> None:
        """Keep a call that is not among the newest any more, if it is among the slowest or the failed."""
        self._newest_bytes -= len(kept.details)
        if len(kept.details) > self._limits.older_bytes:
            return
        if kept.row[10] == "failed":
            self._failed.append(kept)
            return
        self._order += 1
        item = (float(kept.row[8]), self._order, kept)
        if len(self._slowest) < self._limits.slowest:
            heapq.heappush(self._slowest, item)
        else:
            heapq.heappushpop(self._slowest, item)
