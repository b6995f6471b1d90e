"""Work on memories that goes on in the background, and what came of it.

Of one thing ``created_at`` is seconds since the epoch and ``completed_at`` ISO 8601 with a Z.
"""

from typing import Any, TypedDict

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
    """What became of one view on a user's memories: how many events were applied to it, and how many not."""

    events: int
    applied: int
    failed: int
    dry_run: bool


class MemoryRebuild(TypedDict, total=False):
    """A rebuild that was started (``job_id``, ``status``), or its report (``projections``)."""

    user_id: str
    job_id: str
    status: str
    #: Of use to people only: it lacks the version that routes begin with.
    status_url: str
    dry_run: bool
    projections: dict[str, Projection]


class ForgottenMemory(TypedDict, total=False):
    """What was forgotten, with the job (``job_id``) or the report (``projections``) of the rebuild after it."""

    user_id: str
    source: str
    deleted_events: int
    #: How many days they can still be had back.
    grace_period_days: int
    job_id: str
    status: str
    status_url: str
    projections: dict[str, Projection]
    #: The views that still have what was forgotten, where no rebuild was wanted.
    rebuild_required: list[str]


class _MemoryJobAlways(TypedDict):
    job_id: str
    #: processing, completed, failed, cancelled
    status: str


class MemoryJob(_MemoryJobAlways, total=False):
    """Where a rebuild stands; ``projections`` is there once it is completed."""

    user_id: str
    dry_run: bool
    projections: dict[str, Projection]
    error: str


class MemoryLint(TypedDict):
    """What a look over the memories has found and mended."""

    user_id: str | None
    report: dict[str, Any]


class MemoryBackfill(TypedDict):
    """How many events were made up for memories from before there were events, by view."""

    user_id: str
    synthesized: dict[str, dict[str, Any]]


class _BatchItemAlways(TypedDict):
    index: int
    #: accepted, duplicate or invalid
    status: str


class BatchItem(_BatchItemAlways, total=False):
    """What became of one item of a batch."""

    event_id: str
    derived_events: list[Any]
    error: str


class _IngestedBatchAlways(TypedDict):
    items: list[BatchItem]
    counts: dict[str, int]


class IngestedBatch(_IngestedBatchAlways, total=False):
    """What became of each item of a batch, in order; the job is missing where nothing was accepted."""

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
    """What became of something that was sent in; of a known one there is no job to wait for."""

    processing_id: str
    status_url: str
    derived_events: list[Any]


class IngestionStatus(_IngestionStatusAlways, total=False):
    """Where an ingestion stands; ``items`` and ``counts`` are there once it is completed."""

    completed_at: str
    items: list[dict[str, Any]]
    counts: dict[str, int]
    usage: dict[str, Any]
    error: str


class ProvenanceEvent(TypedDict, total=False):
    """Something that a memory goes back to; ``occurred_at`` is ISO 8601 in UTC without a zone."""

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
    """Where a memory comes from: the event, and the chain that led to it."""

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
    """All senders, revoked ones too."""

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
    """What became of a batch; ``rejections`` has an ``index`` and a ``reason`` each."""

    status_url: str


class DistilledStatus(_IngestionStatusAlways, total=False):
    """Where a batch stands; ``items`` and ``counts`` are there once it is completed."""

    completed_at: str
    batch_id: str
    items: list[dict[str, Any]]
    counts: dict[str, int]
    pre_computed_vectors_used: bool
    error: str
