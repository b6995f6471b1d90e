"""Maintenance of memories: rebuild, repair, forget a source, and register distilleries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from muxi.call import Call, Key, Procedure
from muxi.client.endpoints import operation, procedure
from muxi.errors import ValidationError
from muxi.operations.agents import LONG_WORK_TIMEOUT
from muxi.operations.fields import given
from muxi.operations.waiting import WAIT_TIMEOUT, wait_for_job

if TYPE_CHECKING:
    from muxi.types import (
        Distillery,
        DistilleryList,
        ForgottenMemory,
        MemoryBackfill,
        MemoryJob,
        MemoryLint,
        MemoryRebuild,
    )

__all__ = ["MemoryJobOperations"]


class MemoryJobOperations:
    """Methods about the maintenance of memories. All take the admin key, and the user is part of the body."""

    @operation
    def rebuild_memory(
        self,
        user_id: str,
        *,
        projection: str | None = None,
        dry_run: bool | None = None,
        background: bool | None = None,
        backfill: bool | None = None,
    ) -> Call[MemoryRebuild]:
        """Rebuild the projections of a user's memories from the events (``POST /memory/rebuild``, admin key).

        Args:
            user_id: whose.
            projection: one view: ``flat_facts``, ``knowledge_graph``, ``captains_log``, ``artifact_metadata``; all
                of them if not given.
            dry_run: only count; answers at once with the report.
            background: answer at once with a ``job_id`` (the runtime's default), or at the end with the report.
            backfill: make up events for memories from before there were events, first.

        Returns:
            The job, to be given to :meth:`wait_for_memory_job`, or the report.

        Raises:
            ValidationError: a field does not fit, and nothing has been sent; or there is no such view.
        """
        return Call.post(
            "/memory/rebuild",
            body={
                "user_id": user_id,
                **given(projection=projection, dry_run=dry_run, background=background, backfill=backfill),
            },
            key=Key.ADMIN,
            timeout=LONG_WORK_TIMEOUT,
            accepts="MemoryRebuild",
            returns="MemoryRebuild",
        )

    @operation
    def get_rebuild_status(self, job_id: str) -> Call[MemoryJob]:
        """Get the state of a rebuild (``GET /memory/rebuild/{job_id}``, admin key).

        Raises:
            NotFoundError: it is unknown, or finished for more than five minutes.
        """
        return Call.get("/memory/rebuild/{job_id}", params={"job_id": job_id}, key=Key.ADMIN, returns="MemoryJob")

    @operation
    def forget_memory_source(
        self,
        user_id: str,
        source: str,
        *,
        reason: str | None = None,
        rebuild: bool | None = None,
        background: bool | None = None,
        sync: bool | None = None,
    ) -> Call[ForgottenMemory]:
        """Forget the memories of a user that come from a source (``POST /memory/forget``, admin key).

        Args:
            user_id: whose.
            source: what they came from, such as ``gmail``.
            reason: why, for the record; the runtime's default is ``user_request``.
            rebuild: build the views anew afterwards (the runtime's default).
            background: do so in the background and answer with a ``job_id`` (the runtime's default).
            sync: answer at the end, whatever the value of ``background``.

        Returns:
            How many events were deleted, and the job, to be given to :meth:`wait_for_memory_job`, or the report.

        Raises:
            ValidationError: a field does not fit; nothing has been sent.
        """
        return Call.post(
            "/memory/forget",
            query={"sync": sync},
            body={
                "user_id": user_id,
                "source": source,
                **given(reason=reason, rebuild=rebuild, background=background),
            },
            key=Key.ADMIN,
            timeout=LONG_WORK_TIMEOUT,
            accepts="MemoryForget",
            returns="ForgottenMemory",
        )

    @operation
    def get_forget_status(self, job_id: str) -> Call[MemoryJob]:
        """Get the state of the rebuild after forgetting (``GET /memory/forget/{job_id}``, admin key).

        Raises:
            NotFoundError: it is unknown, or finished for more than five minutes.
        """
        return Call.get("/memory/forget/{job_id}", params={"job_id": job_id}, key=Key.ADMIN, returns="MemoryJob")

    @procedure
    def wait_for_memory_job(self, job_id: str, *, timeout: float | None = WAIT_TIMEOUT) -> Procedure[MemoryJob]:
        """Wait until a rebuild has ended, also one after forgetting, polling its state.

        Args:
            job_id: the ``job_id`` of :meth:`rebuild_memory` or :meth:`forget_memory_source`; its beginning tells
                which.
            timeout: seconds to wait at the most; None waits for as long as it takes.

        Returns:
            The result for each projection. Some events may have failed: see ``projections``.

        Raises:
            JobFailed: the job failed or was cancelled as a whole.
            NotFoundError: it is unknown.
            ResultForgotten: it was seen at work, and its end was forgotten before this looked.
            TimeoutError: it is still at work.
            ValidationError: the id is of no such job; nothing has been sent.
        """
        looks = {
            "rebuild": MemoryJobOperations.get_rebuild_status,
            "forget": MemoryJobOperations.get_forget_status,
        }
        look = looks.get(job_id.partition("_")[0])
        if look is None:
            problem = f"is neither a rebuild_… nor a forget_…: {job_id!r}"
            raise ValidationError(
                "INVALID_PARAMETER",
                f"job_id {problem}",
                details={"validation_errors": [{"field": "job_id", "msg": problem}]},
            )
        asked = look.call(job_id)
        return (yield from wait_for_job(lambda: asked, job_id, timeout))

    @operation
    def lint_memory(self, user_id: str | None = None) -> Call[MemoryLint]:
        """Check the memories, repair what can be repaired, report the rest (``POST /memory/lint``, admin key).

        Args:
            user_id: whose; all users' if not given.

        Raises:
            ServerError: the formation has no ``memory.lint`` block.
        """
        return Call.post(
            "/memory/lint",
            body=given(user_id=user_id),
            key=Key.ADMIN,
            timeout=LONG_WORK_TIMEOUT,
            accepts="MemoryLint",
            returns="MemoryLint",
        )

    @operation
    def backfill_memory(self, user_id: str) -> Call[MemoryBackfill]:
        """Create events for memories that are older than the event log (``POST /memory/backfill``, admin key).

        Args:
            user_id: whose.

        Returns:
            How many were made up for each view, and whether all are (``complete``).
        """
        return Call.post(
            "/memory/backfill",
            body={"user_id": user_id},
            key=Key.ADMIN,
            timeout=LONG_WORK_TIMEOUT,
            accepts="MemoryBackfill",
            returns="MemoryBackfill",
        )

    @operation
    def get_distilleries(self) -> Call[DistilleryList]:
        """List the distilleries, including revoked ones (``GET /memory/distilleries``, admin key)."""
        return Call.get("/memory/distilleries", key=Key.ADMIN, returns="DistilleryList")

    @operation
    def register_distillery(
        self,
        name: str,
        public_key: str,
        *,
        description: str | None = None,
        scope: Mapping[str, Any] | None = None,
        trust_level: str | None = None,
    ) -> Call[Distillery]:
        """Register a sender of distilled memories (``POST /memory/distilleries``, admin key).

        Args:
            name: who it is.
            public_key: their Ed25519 key, as ``ed25519:`` and the base64 of its 32 bytes.
            description: what for.
            scope: what may be sent: ``user_ids``, ``event_types``, ``max_events_per_day``, ``max_batch_size``.
            trust_level: the runtime's default is ``provisional``.

        Returns:
            The registration; its ``distillery_id`` is what :meth:`ingest_distilled` takes.

        Raises:
            ValidationError: a field does not fit, and nothing has been sent; or the key is none.
            ServerError: the formation has not enabled ``memory.distillery``.
        """
        return Call.post(
            "/memory/distilleries",
            body={
                "name": name,
                "public_key": public_key,
                **given(description=description, scope=scope, trust_level=trust_level),
            },
            key=Key.ADMIN,
            accepts="DistilleryRegister",
            returns="Distillery",
        )

    @operation
    def revoke_distillery(self, distillery_id: str) -> Call[Distillery]:
        """Revoke a sender of distilled memories (``DELETE /memory/distilleries/{distillery_id}``, admin key).

        A second time does no harm.

        Raises:
            NotFoundError: there is none of that id.
        """
        return Call.delete(
            "/memory/distilleries/{distillery_id}",
            params={"distillery_id": distillery_id},
            key=Key.ADMIN,
            returns="Distillery",
        )
