"""Errors of batches, beside those of the calls themselves."""

from __future__ import annotations

from typing import Any

from muxi.batch.values import BatchResult
from muxi.errors import MuxiError

__all__ = ["BatchError", "ExecutorBroken", "JournalBusy", "JournalError", "JournalMismatch", "OutcomeUnknown"]


class BatchError(MuxiError):
    """A batch, or one call of it, failed for a reason of its own."""


class OutcomeUnknown(BatchError):
    """The call may have run, and its answer is lost.

    ``code`` is ``INTERRUPTED`` where an earlier run was killed while the call was in flight, ``WORKER_LOST`` where the
    executor lost the worker that had it, ``ANSWER_LOST`` where the answer could not be brought back.
    """


class ExecutorBroken(BatchError):
    """The executor takes no more calls. Everything that was in flight has been yielded before this is raised."""


class JournalError(BatchError):
    """The journal cannot be read, written or understood."""

    #: Results that were there and could not be written; they are not yielded.
    results: tuple[BatchResult[Any], ...] = ()


class JournalBusy(JournalError):
    """Another process, or another batch of this one, uses the journal."""


class JournalMismatch(JournalError):
    """The journal belongs to other calls, or to another client."""
