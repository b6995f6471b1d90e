"""Results and progress of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from muxi.call import Call
from muxi.errors import MuxiError

__all__ = ["BatchJob", "BatchProgress", "BatchResult", "CallReply"]

T = TypeVar("T")


@dataclass(frozen=True)
class BatchResult(Generic[T]):
    """The result of one call of a batch: a value or an error."""

    #: Position of the call in the input, from 0.
    position: int
    #: The call as it was given.
    call: Call[T]
    #: The result of ``client.send(call)``; None where it failed.
    value: T | None = None
    #: The error of the call; None where it succeeded.
    error: MuxiError | None = None
    #: Number of requests that were sent; 0 where nothing was.
    attempts: int = 0
    #: Seconds that the call took.
    elapsed: float = 0.0
    #: Whether the result was read from the journal of an earlier run.
    replayed: bool = False

    @property
    def ok(self) -> bool:
        """True if the call succeeded."""
        return self.error is None

    def unwrap(self) -> T:
        """Return the value.

        Raises:
            MuxiError: the call failed.
        """
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


@dataclass(frozen=True)
class BatchProgress:
    """Counts of a batch at one moment."""

    #: Results so far, those of an earlier run included.
    done: int = 0
    #: Results so far that are errors.
    failed: int = 0
    #: Results so far that were read from the journal.
    replayed: int = 0
    #: Calls that have been started and have no result yet.
    in_flight: int = 0
    #: Number of calls where the input knows its length.
    total: int | None = None
    #: Seconds since the batch began.
    elapsed: float = 0.0

    @property
    def rate(self) -> float:
        """Calls of this run that ended, per second."""
        return (self.done - self.replayed) / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until the end at this rate; None where that cannot be known."""
        if self.total is None or self.rate <= 0:
            return None
        return max(0, self.total - self.done) / self.rate


@dataclass(frozen=True)
class BatchJob:
    """One call on its way to a worker."""

    position: int
    #: The call with its idempotency key.
    call: Call[Any]
    #: Whether it may be retried; not once the retry budget of the batch is used up.
    retried: bool = True


@dataclass(frozen=True)
class CallReply:
    """The outcome of a job, as a worker returns it."""

    value: Any = None
    error: MuxiError | None = None
    attempts: int = 0
    elapsed: float = 0.0
