"""Background jobs on memories, and their results.

Of one thing ``created_at`` is seconds since the epoch and ``completed_at`` ISO 8601 with a Z.
"""

from typing import Any

from muxi.types.records import TypedDict

__all__ = [
    "BatchItem",
    "DistilledBatch",
    "DistilledEvent",
    "DistilledMemories",
    "DistilledStatus",
    "Distillery",
    "DistilleryList",
    "ForgottenMemory",
    "IngestedBatch",
    "IngestedMemory",
    "IngestionStatus",
    "MemoryBackfill",
    "MemoryJob",
    "MemoryLint",
    "MemoryProvenance",
    "MemoryRebuild",
    "Projection",
    "ProvenanceEvent",
]


class Projection(TypedDict, total=False):
    """The rebuild of one projection of a user's memories: the number of events applied and skipped."""

    events: int
    applied: int
    failed: int
    dry_run: bool


class MemoryRebuild(TypedDict, total=False):
    """A rebuild that was started (``job_id``, ``status``), or its report (``projections``)."""

    user_id: str
    job_id: str
    status: str
    #: For people only: it lacks the version prefix of routes.
    status_url: str
    dry_run: bool
    projections: dict[str, Projection]


class ForgottenMemory(TypedDict, total=False):
    """The forgotten memories, with the job (``job_id``) or the report (``projections``) of the rebuild after it."""

    user_id: str
    source: str
    deleted_events: int
    #: Number of days during which they can be restored.
    grace_period_days: int
    job_id: str
    status: str
    status_url: str
    projections: dict[str, Projection]
    #: Projections that still contain the forgotten memories, because no rebuild was requested.
    rebuild_required: list[str]


class _MemoryJobAlways(TypedDict):
    job_id: str
    #: processing, completed, failed, cancelled
    status: str


class MemoryJob(_MemoryJobAlways, total=False):
    """The state of a rebuild; it has ``projections`` once it is completed."""

    user_id: str
    dry_run: bool
    projections: dict[str, Projection]
    error: str


class MemoryLint(TypedDict):
    """The report of a check of memories: what it found and repaired."""

    user_id: str | None
    report: dict[str, Any]


class MemoryBackfill(TypedDict):
    """The number of events created for memories that are older than the event log, by projection."""

    user_id: str
    synthesized: dict[str, dict[str, Any]]


class _BatchItemAlways(TypedDict):
    index: int
    #: accepted, duplicate or invalid
    status: str


class BatchItem(_BatchItemAlways, total=False):
    """The result of one item of a batch."""

    event_id: str
    derived_events: list[Any]
    error: str


class _IngestedBatchAlways(TypedDict):
    items: list[BatchItem]
    counts: dict[str, int]


class IngestedBatch(_IngestedBatchAlways, total=False):
    """The results of a batch in the order of its items; without a job where no item was accepted."""

    processing_id: str | None
    status_url: str


class _IngestionStatusAlways(TypedDict):
    processing_id: str
    #: queued, processing, completed or failed
    status: str
    created_at: float


class _IngestedMemoryAlways(TypedDict):
    #: accepted or duplicate
    status: str
    duplicate: bool
    event_id: str
    source: str
    source_id: str | None
    scope: str
    scope_id: str | None


class IngestedMemory(_IngestedMemoryAlways, total=False):
    """The result of an ingestion request; a duplicate has no job to wait for."""

    processing_id: str
    status_url: str
    derived_events: list[Any]


class IngestionStatus(_IngestionStatusAlways, total=False):
    """The state of an ingestion; it has ``items`` and ``counts`` once it is completed."""

    completed_at: str
    items: list[dict[str, Any]]
    counts: dict[str, int]
    usage: dict[str, Any]
    error: str


class ProvenanceEvent(TypedDict, total=False):
    """An event that a memory is derived from; ``occurred_at`` is ISO 8601 in UTC without a zone."""

    event_id: str
    event_type: str
    source: str
    source_id: str | None
    source_confidence: float
    effective_confidence: float
    decay_rate: str
    occurred_at: str
    agent_id: str | None
    conversation_id: str | None
    request_id: str | None
    payload: dict[str, Any]
    deleted_at: str | None


class MemoryProvenance(TypedDict, total=False):
    """The provenance of a memory: its event, and the chain of events that led to it."""

    event: ProvenanceEvent
    entity: Any
    chain: list[ProvenanceEvent]


class Distillery(TypedDict):
    """A sender of distilled memories; ``created_at`` and ``revoked_at`` are ISO 8601."""

    id: int
    distillery_id: str
    formation_id: str
    name: str
    description: str | None
    public_key: str
    scope: dict[str, Any]
    trust_level: str
    #: active or revoked
    status: str
    created_at: str
    revoked_at: str | None


class DistilleryList(TypedDict):
    """The distilleries, including revoked ones."""

    distilleries: list[Distillery]
    count: int


class DistilledEvent(TypedDict, total=False):
    """One distilled memory; ``event_type`` is ``fact.extracted``, ``interaction.turn`` or ``log.entry``."""

    event_type: str
    user_id: str
    source_id: str
    payload: dict[str, Any]


class _DistilledBatchRequired(TypedDict):
    batch_id: str
    events: list[DistilledEvent]


class DistilledBatch(_DistilledBatchRequired, total=False):
    """The body of ``POST /memories/distilled``; ``embedding_mode`` is ``none`` or ``pre_computed``."""

    embedding_mode: str


class _DistilledMemoriesAlways(TypedDict):
    batch_id: str
    accepted: int
    duplicates: int
    rejected: int
    rejections: list[dict[str, Any]]
    #: The job to wait for; None where nothing was accepted.
    processing_id: str | None


class DistilledMemories(_DistilledMemoriesAlways, total=False):
    """The result of a distilled batch; each of ``rejections`` has an ``index`` and a ``reason``."""

    status_url: str


class DistilledStatus(_IngestionStatusAlways, total=False):
    """The state of a distilled batch; it has ``items`` and ``counts`` once it is completed."""

    completed_at: str
    batch_id: str
    items: list[dict[str, Any]]
    counts: dict[str, int]
    pre_computed_vectors_used: bool
    error: str
