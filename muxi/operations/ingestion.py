"""Ingestion: memories from other systems, processed in the background, one by one, in batches, or distilled."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from muxi.call import Call, Key, Procedure
from muxi.client.endpoints import operation, procedure
from muxi.clock import Clock, SystemClock
from muxi.operations.fields import given, plain
from muxi.operations.waiting import WAIT_TIMEOUT, wait_for_job

if TYPE_CHECKING:
    from muxi.types import (
        DistilledBatch,
        DistilledMemories,
        DistilledStatus,
        IngestedBatch,
        IngestedMemory,
        IngestionStatus,
    )

__all__ = ["IngestionOperations"]

#: Makes the 64 bytes of an Ed25519 signature of what it is given.
Sign = Callable[[bytes], bytes]


class IngestionOperations:
    """Methods that ingest memories. Either key will do; a user is required unless stated otherwise."""

    @operation
    def ingest_memory(
        self,
        content: Any,
        *,
        user_id: str,
        source: str,
        source_id: str | None = None,
        timestamp: str | None = None,
        subject: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        scope: str | None = None,
        scope_id: str | None = None,
    ) -> Call[IngestedMemory]:
        """Ingest a content, of which memories are made in the background (``POST /memories`` with a ``source``).

        Args:
            content: anything that JSON can hold.
            user_id: whose memory.
            source: where it comes from, such as ``gmail``.
            source_id: its id there; a known one is not taken in again.
            timestamp: when it happened, ISO 8601.
            subject: the person or thing that it is about.
            metadata: whatever is to be kept beside it.
            scope: ``user`` (the default), ``group`` or ``formation``.
            scope_id: which group.

        Returns:
            The job to wait for as ``processing_id``; none where it was known already (``duplicate``).

        Raises:
            ValidationError: a field does not fit; nothing has been sent.
            RateLimitError: four are under way for this user; wait for one with :meth:`wait_for_ingestion`.
            AuthorizationError: the scope is not the user's to write to.
        """
        return Call.post(
            "/memories",
            body={
                "content": plain(content),
                "source": source,
                **given(
                    source_id=source_id,
                    timestamp=timestamp,
                    subject=subject,
                    metadata=metadata,
                    scope=scope,
                    scope_id=scope_id,
                ),
            },
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            accepts="MemoryIngest",
            returns="IngestedMemory",
        )

    @operation
    def ingest_memories(self, items: Sequence[Mapping[str, Any]], *, user_id: str) -> Call[IngestedBatch]:
        """Ingest up to a hundred contents at once (``POST /memories/batch``).

        Args:
            items: each with ``content`` and ``source``, and what else :meth:`ingest_memory` takes.
            user_id: whose memories.

        Returns:
            The result of each item, in order (``accepted``, ``duplicate``, ``invalid``), and the job to wait for.

        Raises:
            ValidationError: there is none or too many; nothing has been sent.
            RateLimitError: four ingestions are under way for this user.
        """
        return Call.post(
            "/memories/batch",
            body={"items": plain(items)},
            user_id=user_id,
            user_required=True,
            key=Key.EITHER,
            accepts="MemoryBatch",
            returns="IngestedBatch",
        )

    @operation
    def get_ingestion_status(self, processing_id: str, user_id: str = "") -> Call[IngestionStatus]:
        """Get the state of an ingestion (``GET /memories/ingestion/{processing_id}``).

        Args:
            processing_id: the job.
            user_id: whose; any user's if empty, which takes the admin key.

        Raises:
            NotFoundError: it is unknown, or finished for more than five minutes.
            AuthorizationError: it is another user's.
        """
        return Call.get(
            "/memories/ingestion/{processing_id}",
            params={"processing_id": processing_id},
            user_id=user_id or None,
            key=Key.EITHER if user_id else Key.ADMIN,
            returns="IngestionStatus",
        )

    @procedure
    def wait_for_ingestion(
        self, processing_id: str, user_id: str = "", *, timeout: float | None = WAIT_TIMEOUT
    ) -> Procedure[IngestionStatus]:
        """Wait until an ingestion has ended, polling its state.

        Args:
            processing_id: the job.
            user_id: as for :meth:`get_ingestion_status`.
            timeout: seconds to wait at the most; None waits for as long as it takes.

        Returns:
            The result of each item. Some may have failed: see ``counts``.

        Raises:
            JobFailed: the job failed or was cancelled as a whole.
            NotFoundError: it is unknown.
            ResultForgotten: it was seen at work, and its end was forgotten before this looked.
            TimeoutError: it is still at work.
        """

        def look() -> Call[IngestionStatus]:
            return IngestionOperations.get_ingestion_status.call(processing_id, user_id)

        return (yield from wait_for_job(look, processing_id, timeout))

    @operation
    def ingest_distilled(
        self,
        batch: DistilledBatch | Mapping[str, Any],
        *,
        distillery_id: str,
        sign: Sign,
        timestamp: int | None = None,
    ) -> Call[DistilledMemories]:
        """Ingest signed memories that were distilled elsewhere (``POST /memories/distilled``).

        The signature is made when the call is made and good for five minutes, so a call that is kept for later
        does not keep.

        ::

            key = Ed25519PrivateKey.from_private_bytes(…)  # of the package cryptography
            client.ingest_distilled(batch, distillery_id="…", sign=key.sign)

        Args:
            batch: ``batch_id`` and ``events``, each with ``event_type``, ``user_id``, ``source_id`` and ``payload``.
            distillery_id: who sends it; see :meth:`register_distillery`.
            sign: makes the Ed25519 signature (64 bytes) of the bytes it is given.
            timestamp: the time to sign with, in seconds since the epoch; now if not given.

        Returns:
            How many were accepted and why others were not, and the job to wait for.

        Raises:
            ValidationError: the batch does not fit; nothing has been sent.
            AuthenticationError: the signature is wrong or too old.
            NotFoundError: the sender has been revoked.
        """
        body = plain(batch)
        call: Call[DistilledMemories] = Call(
            "POST", "/memories/distilled", body=body, key=Key.EITHER, accepts="DistilledBatch"
        )
        content = call.payload(body)
        if timestamp is None:
            # Made as a value, without a client, the call has no clock to go by but the machine's.
            clock: Clock = getattr(self, "clock", None) or SystemClock()
            timestamp = int(clock.time())
        at = str(timestamp)
        signature = sign(b"muxi-distillery-v1\n%b\n%b\n%b" % (at.encode(), distillery_id.encode(), content))
        return Call.post(
            call.path,
            body=body,
            content=content,
            headers={
                "Content-Type": "application/json",
                "X-Distillery-ID": distillery_id,
                "X-Distillery-Signature": b64encode(signature).decode(),
                "X-Distillery-Timestamp": at,
            },
            key=Key.EITHER,
            accepts="DistilledBatch",
            returns="DistilledMemories",
        )

    @operation
    def get_distilled_status(self, processing_id: str, *, distillery_id: str | None = None) -> Call[DistilledStatus]:
        """Get the state of a distilled batch (``GET /memories/distilled/{processing_id}``).

        Args:
            processing_id: the job.
            distillery_id: who sent it; needed with the client key.

        Raises:
            NotFoundError: it is unknown, or finished for more than five minutes.
            AuthorizationError: another distillery sent it, or with the client key none was named.
        """
        return Call.get(
            "/memories/distilled/{processing_id}",
            params={"processing_id": processing_id},
            headers={} if distillery_id is None else {"X-Distillery-ID": distillery_id},
            key=Key.EITHER,
            returns="DistilledStatus",
        )

    @procedure
    def wait_for_distilled(
        self, processing_id: str, *, distillery_id: str | None = None, timeout: float | None = WAIT_TIMEOUT
    ) -> Procedure[DistilledStatus]:
        """Wait until a distilled batch has ended; otherwise as :meth:`wait_for_ingestion`.

        Args:
            processing_id: the job.
            distillery_id: as for :meth:`get_distilled_status`.
            timeout: seconds to wait at the most; None waits for as long as it takes.
        """

        def look() -> Call[DistilledStatus]:
            return IngestionOperations.get_distilled_status.call(processing_id, distillery_id=distillery_id)

        return (yield from wait_for_job(look, processing_id, timeout))
