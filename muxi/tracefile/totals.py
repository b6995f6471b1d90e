"""Totals of calls by operation, in memory that does not grow with the number of calls."""

from __future__ import annotations

import math
from typing import Any

from muxi.tracefile.calls import CallTrace

__all__ = ["OperationTotals", "Quantiles", "TotalsTable"]

#: Ratio of the bounds of a class of values. A quantile is off by at most its square root: one percent.
_RATIO = 1.02

#: Smallest value that differs from zero, in seconds.
_SMALLEST = 1e-6

#: Operations that have totals of their own; calls of further ones are counted together.
_MAX_OPERATIONS = 1000

_OTHERS = "(others)"


class Quantiles:
    """Quantiles of positive numbers, with a relative error of at most one percent.

    Values are counted in classes whose bounds grow by a constant ratio.
    """

    def __init__(self) -> None:
        self.count: int = 0
        self._classes: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count a value."""
        self.count += 1
        index = -(10**6) if value < _SMALLEST else round(math.log(value, _RATIO))
        self._classes[index] = self._classes.get(index, 0) + 1

    def value(self, share: float) -> float | None:
        """Return the value that a share of the values, from 0 to 1, does not exceed; None without values."""
        if not self.count:
            return None
        rank = max(1, math.ceil(share * self.count))
        passed = 0
        for index in sorted(self._classes):
            passed += self._classes[index]
            if passed >= rank:
                return 0.0 if index == -(10**6) else _RATIO**index
        return None


class OperationTotals:
    """The totals of one operation."""

    def __init__(self) -> None:
        self.calls: int = 0
        self.failed: int = 0
        self.unfinished: int = 0
        self.retries: int = 0
        self.events: int = 0
        self._streamed = 0.0
        self._seconds = Quantiles()
        self._first = Quantiles()

    def add(self, call: CallTrace) -> None:
        """Count a call. An unfinished one has no duration."""
        self.calls += 1
        self.failed += call.failed
        self.retries += max(0, call.attempts - 1)
        if call.outcome == "unfinished":
            self.unfinished += 1
        else:
            self._seconds.add(call.seconds)
        if call.first is not None:
            self._first.add(call.first)
        if call.events > 1:
            self.events += call.events - 1
            self._streamed += call.streamed

    def describe(self) -> dict[str, Any]:
        """Return the totals as data: times in seconds, None where there is nothing to measure."""
        return {
            "calls": self.calls,
            "failed": self.failed,
            "unfinished": self.unfinished,
            "retries": self.retries,
            "p50": _rounded(self._seconds.value(0.5)),
            "p95": _rounded(self._seconds.value(0.95)),
            "first_event_p50": _rounded(self._first.value(0.5)),
            "first_event_p95": _rounded(self._first.value(0.95)),
            "events_per_second": _rounded(self.events / self._streamed) if self._streamed > 0 else None,
        }


class TotalsTable:
    """Totals by operation, and of all calls."""

    def __init__(self) -> None:
        self._all = OperationTotals()
        self._by_operation: dict[str, OperationTotals] = {}

    @property
    def calls(self) -> int:
        """Number of all calls."""
        return self._all.calls

    def add(self, call: CallTrace) -> None:
        """Count a call."""
        self._all.add(call)
        name = call.operation
        if name not in self._by_operation and len(self._by_operation) >= _MAX_OPERATIONS:
            name = _OTHERS
        self._by_operation.setdefault(name, OperationTotals()).add(call)

    def describe(self) -> dict[str, Any]:
        """Return the totals as data, operations by name."""
        operations = {name: self._by_operation[name].describe() for name in sorted(self._by_operation)}
        return {"all": self._all.describe(), "operations": operations}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
