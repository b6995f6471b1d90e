"""The formation's tuning text (MUXI.md), and the formation's proposal for it."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = ["AppliedTuning", "DismissedTuning", "ReplacedTuning", "Tuning", "TuningRun"]


class Tuning(TypedDict):
    """A tuning text, and the file it is in; both None where there is none."""

    content: str | None
    path: str | None


class ReplacedTuning(TypedDict):
    """The size of a new text in bytes."""

    path: str
    bytes: int


class AppliedTuning(TypedDict):
    """The confirmation that the proposed text was applied."""

    path: str
    learnings_activated: int


class DismissedTuning(TypedDict):
    """The confirmation that the proposed text was discarded."""

    learnings_dismissed: int


class TuningRun(TypedDict, total=False):
    """The result of a pass over the formation's events; ``duration_ms`` in milliseconds."""

    trigger: str
    events_read: int
    segments_read: int
    entries_written: int
    dropped_sentences: int
    spool_committed: bool
    spool_segments_kept: bool
    benchmark_suites_run: list[Any]
    benchmark_skipped: str | None
    learnings_recorded: int
    learnings_retired: int
    muxi_md_applied: bool
    muxi_md_suggested: bool
    muxi_md_rejected_oversize: bool
    recommendations: int
    report_delivered: bool
    duration_ms: float
