"""The decisions of a batch, without workers: what is sent, what is not sent again, what goes into the journal."""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from muxi.batch.errors import BatchError, JournalError, JournalMismatch, OutcomeUnknown
from muxi.batch.identity import digest_of, with_identity
from muxi.batch.journal import JournalFile
from muxi.batch.pace import Pace
from muxi.batch.records import DoneRecord, begun_line, done_line, unsent_line
from muxi.batch.values import BatchJob, BatchProgress, BatchResult, CallReply
from muxi.batch.work import why_not_a_call
from muxi.call import Call, Repeat
from muxi.errors import ConfigurationError, MuxiError, ValidationError
from muxi.exchange.repeat import is_gone, may_repeat, repeat_of, was_refused
from muxi.result import Meta, Result

__all__ = ["Course"]

T = TypeVar("T")

logger: logging.Logger = logging.getLogger("muxi")

#: Digest of a call that has none, because it can never be sent.
_NO_DIGEST = "0" * 32


class Course(Generic[T]):
    """The state of one run.

    Args:
        journal: the open journal, or None.
        pace: rate and retry budget.
        ordered: whether results come in the order of the input.
        total: number of calls, if it is known.
        on_progress: called after each result.
        runs_once: whether a worker never gets the same job twice.
    """

    def __init__(
        self,
        journal: JournalFile | None,
        pace: Pace,
        *,
        ordered: bool = False,
        total: int | None = None,
        on_progress: Callable[[BatchProgress], object] | None = None,
        runs_once: bool = True,
    ) -> None:
        self.journal: JournalFile | None = journal
        self.id: str = journal.id if journal else uuid.uuid4().hex
        self.pace: Pace = pace
        self._ordered = ordered
        self._on_progress = on_progress
        self._runs_once = runs_once
        self._started = time.monotonic()
        self._progress = BatchProgress(total=total)
        self._reported = False
        #: Number of calls that have been drawn from the input.
        self.drawn: int = 0
        #: Calls in flight by position, as they were given, with their digests.
        self._open: dict[int, tuple[Call[T], str]] = {}
        #: Positions in flight that an earlier run had begun, or that a lost worker had.
        self._again: set[int] = set()
        #: Results that can be yielded, and in the order of the input those that wait for an earlier one.
        self.ready: deque[BatchResult[T]] = deque()
        self._held: dict[int, BatchResult[T]] = {}
        self._next = 0

    @property
    def outstanding(self) -> int:
        """Number of calls that were drawn and whose results have not been yielded."""
        return len(self._open) + len(self.ready) + len(self._held)

    @property
    def progress(self) -> BatchProgress:
        """The counts at this moment."""
        elapsed = time.monotonic() - self._started
        return replace(self._progress, in_flight=len(self._open), elapsed=elapsed)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def check_ahead(self, calls: Iterable[Call[T]]) -> None:
        """Compare the beginning of an input with the journal, before anything is sent.

        Raises:
            JournalMismatch: they differ.
        """
        if self.journal is None or not self.journal.count:
            return
        position = -1
        for position, call in zip(range(self.journal.count), calls, strict=False):
            self._check(position, _identify(call)[0] if why_not_a_call(call) is None else _NO_DIGEST)
        self._check_length(position + 1)

    def draw(self, call: Call[T]) -> BatchJob | None:
        """Take the next call of the input, and return the job to send; None where its result is there already.

        Raises:
            JournalMismatch: an earlier run had another call at this position.
            JournalError: the journal cannot be read, or cannot hold this call.
        """
        position = self.drawn
        self.drawn += 1
        problem = why_not_a_call(call)
        digest = _NO_DIGEST
        if self.journal is not None:
            if problem is None:
                digest, problem = _identify(call)
            found = self._check(position, digest)
            if found is not None:
                self._yield([self._result(position, call, found.reply, replayed=True)])
                return None
            if position in self.journal.begun and problem is None and repeat_of(call) is Repeat.NEVER:
                problem = OutcomeUnknown(
                    "INTERRUPTED",
                    "an earlier run was killed while this call was in flight: it may have run, and sending it again "
                    "could run it twice",
                )
        if problem is None and not self._runs_once and repeat_of(call) is Repeat.NEVER:
            problem = BatchError(
                "MAY_RUN_TWICE",
                "the executor may run a call again when it loses a worker, and this call must not run twice; give "
                "runs_once=True if the executor is set up to run each task once, or use threads",
            )
        self._open[position] = call, digest
        if problem is not None:
            problem.call = problem.call or getattr(call, "label", None)
            self.end([(position, CallReply(error=problem))])
            return None
        if self.journal is not None and position in self.journal.begun:
            self._again.add(position)
        return BatchJob(position, with_identity(call, self.id, position), self.pace.retried)

    def begin(self, jobs: Sequence[BatchJob]) -> None:
        """Write down that jobs are handed to workers. Until that is on disk, none that must not run twice is sent.

        Raises:
            JournalError: the journal cannot be written; the jobs are not in flight.
        """
        if self.journal is None:
            return
        new = [job for job in jobs if job.position not in self.journal.begun]
        lines = [begun_line(job.position, self._open[job.position][1]) for job in new]
        if not lines:
            return
        try:
            self.journal.write(lines, sync=any(repeat_of(job.call) is Repeat.NEVER for job in new))
        except JournalError:
            for job in jobs:
                self._open.pop(job.position, None)
            raise
        for job in new:
            self.journal.begun[job.position] = self._open[job.position][1]

    def repeats(self, job: BatchJob) -> bool:
        """Return whether a job may be handed to a worker again after its worker was lost."""
        if repeat_of(job.call) is Repeat.NEVER:
            return False
        self._again.add(job.position)
        return True

    def end_input(self) -> None:
        """Check that the input was as long as in an earlier run.

        Raises:
            JournalMismatch: it was shorter.
        """
        self._check_length(self.drawn)

    # -- outcomes ------------------------------------------------------------------------------------------------------

    def end(self, outcomes: Sequence[tuple[int, CallReply]]) -> None:
        """Write down outcomes, and make them ready to be yielded.

        Raises:
            JournalError: they cannot be written; the error has them.
        """
        results: list[BatchResult[T]] = []
        lines: list[bytes] = []
        now = time.monotonic()
        again = self._again & {position for position, _ in outcomes}
        for position, given in outcomes:
            call, digest = self._open.pop(position)
            reply = self._gone(position, call, given)
            results.append(self._result(position, call, reply))
            self.pace.end(reply.attempts, ok=reply.error is None, now=now)
            if self.journal is not None:
                lines += self._lines_of(position, call, digest, reply, again=position in again)
        if self.journal is not None and lines:
            try:
                self.journal.write(lines, sync=True)
            except JournalError as error:
                error.results = tuple(results)
                raise
        self._again -= again
        self._yield(results)

    def _lines_of(self, position: int, call: Call[T], digest: str, reply: CallReply, *, again: bool) -> list[bytes]:
        """Return what the journal is to hold of an outcome.

        A failure after which the call may be sent again, by the same rules as for a retry, is not the end of it: the
        next run sends it again.
        """
        begun = self._journal.begun
        error = reply.error
        if error is not None and position in begun:
            if was_refused(error) and not again:
                del begun[position]
                return [unsent_line(position)]
            if was_refused(error) or _may_repeat(call, error):
                return []
        lines = [] if position in begun else [begun_line(position, digest)]
        begun.pop(position, None)
        return [*lines, done_line(position, digest, reply)]

    @property
    def _journal(self) -> JournalFile:
        assert self.journal is not None  # noqa: S101  asked only where there is one
        return self.journal

    def refuse(self, position: int, error: MuxiError) -> None:
        """Make an error the result of a call that no worker has had, so that another run sends it.

        Raises:
            JournalError: the journal cannot be written.
        """
        call = self._open[position][0]
        self.take_back([position])
        error.call = error.call or call.label
        self._yield([self._result(position, call, CallReply(error=error))])

    def take_back(self, positions: Iterable[int]) -> None:
        """Write down that jobs were not handed to a worker after all.

        Raises:
            JournalError: the journal cannot be written.
        """
        lines = []
        for position in positions:
            self._open.pop(position, None)
            # What an earlier run had begun may have run then, whatever becomes of it now.
            if self.journal is not None and position not in self._again:
                self.journal.begun.pop(position, None)
                lines.append(unsent_line(position))
        if self.journal is not None and lines:
            self.journal.write(lines, sync=False)

    def stop_reporting(self) -> None:
        """Call the function for progress no more."""
        self._on_progress = None

    def _gone(self, position: int, call: Call[T], reply: CallReply) -> CallReply:
        """Return an empty result for a repeated removal that found nothing: the first one did it."""
        if position in self._again and reply.error is not None and is_gone(repeat_of(call), reply.error):
            gone = Result({}, meta=Meta(status=404, attempts=reply.attempts))
            return CallReply(value=gone, attempts=reply.attempts, elapsed=reply.elapsed)
        return reply

    def _result(self, position: int, call: Call[T], reply: CallReply, *, replayed: bool = False) -> BatchResult[T]:
        return BatchResult(position, call, reply.value, reply.error, reply.attempts, reply.elapsed, replayed)

    def _yield(self, results: Iterable[BatchResult[T]]) -> None:
        for result in results:
            counts = self._progress
            self._progress = replace(
                counts,
                done=counts.done + 1,
                failed=counts.failed + (not result.ok),
                replayed=counts.replayed + result.replayed,
            )
            self._held[result.position] = result
            if not self._ordered:
                self.ready.append(self._held.pop(result.position))
            while self._ordered and (found := self._held.pop(self._next, None)) is not None:
                self.ready.append(found)
                self._next += 1
            self._report()

    def _report(self) -> None:
        if self._on_progress is None:
            return
        try:
            self._on_progress(self.progress)
        except Exception:
            # It observes, and must not cost results.
            if not self._reported:
                logger.exception("the function given as progress= failed; the batch goes on")
            self._reported = True

    # -- the input of an earlier run -----------------------------------------------------------------------------------

    def _check(self, position: int, digest: str) -> DoneRecord | None:
        """Compare a call with that of an earlier run, and return the outcome that it had there."""
        if self.journal is None:
            return None
        found = self.journal.look_up(position)
        known = found.digest if found else self.journal.begun.get(position)
        if known is not None and known != digest:
            raise JournalMismatch(
                "JOURNAL_OF_ANOTHER_INPUT",
                f"the journal {self.journal.path} belongs to another input: its call {position} is not this one; give "
                "the same calls in the same order, or another journal",
            )
        return found

    def _check_length(self, length: int) -> None:
        if self.journal is not None and length < self.journal.count:
            raise JournalMismatch(
                "JOURNAL_OF_ANOTHER_INPUT",
                f"the journal {self.journal.path} belongs to another input: it has {self.journal.count} calls, and "
                f"these are {length}",
            )


def _identify(call: Call[Any]) -> tuple[str, MuxiError | None]:
    """Return the digest of a call; zeros and an error where it can never be sent, or not be compared."""
    try:
        return digest_of(call), None
    except (ConfigurationError, ValidationError) as error:
        return _NO_DIGEST, error


def _may_repeat(call: Call[Any], error: MuxiError) -> bool:
    """Return whether another run may send a call again: keyed ones have the same key then."""
    if isinstance(error, OutcomeUnknown):
        return error.code == "WORKER_LOST" and repeat_of(call) is not Repeat.NEVER
    return may_repeat(repeat_of(call), error, keyed=True)
