"""The formation's tuning text (MUXI.md), and what the formation proposes for it."""

from typing import Any, TypedDict

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
    """That the proposed text is the text now."""

    path: str
    learnings_activated: int


class DismissedTuning(TypedDict):
    """That the proposed text is gone."""

    learnings_dismissed: int


class TuningRun(TypedDict, total=False):
    """What a pass over the formation's events has found; ``duration_ms`` in milliseconds."""

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
