"""Batches from sync code: calls on threads, in processes, or on any executor of ``concurrent.futures``."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from muxi.batch.course import Course
from muxi.batch.errors import BatchError, ExecutorBroken, JournalError, OutcomeUnknown
from muxi.batch.interrupts import holding_interrupts
from muxi.batch.pools import Workers
from muxi.batch.settings import BatchSettings, is_repeatable
from muxi.batch.values import BatchJob, BatchProgress, BatchResult, CallReply
from muxi.call import Call
from muxi.errors import MuxiError, plain_cause
from muxi.forks import renew_after_fork

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Batch"]

T = TypeVar("T")

#: How often a job whose worker was lost is handed to another one.
_MOST_LOSSES = 2


class Batch(Iterator[BatchResult[T]], Generic[T]):
    """A running batch: an iterator over its results, and a context manager that ends it.

    It starts with the ``with`` block, or with the first result that is asked for. Leaving the block, :meth:`close`, an
    error and Ctrl-C end it cleanly: no further call is sent, those in flight are waited for and written into the
    journal, clients and workers are closed. Ctrl-C once more does not wait.
    """

    def __init__(self, calls: Iterable[Call[T]], settings: BatchSettings) -> None:
        self._engine: Engine[T] = Engine(calls, settings)
        # The engine does not know its iterator: a batch that is dropped half-way is freed, and thereby ended, at once.
        self._results = iterate(self._engine)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> BatchResult[T]:
        return next(self._results)

    @property
    def progress(self) -> BatchProgress:
        """The counts at this moment."""
        course = self._engine.course
        return BatchProgress() if course is None else course.progress

    def close(self) -> None:
        """End the batch: send nothing more, wait for what is in flight, and write it into the journal."""
        self._engine.closing = True
        self._results.close()
        self._engine.abandon()

    def __enter__(self) -> Self:
        self._engine.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Engine(Generic[T]):
    """The state of a running batch of sync code.

    Args:
        calls: the input.
        settings: everything else.
    """

    def __init__(self, calls: Iterable[Call[T]], settings: BatchSettings) -> None:
        self.settings: BatchSettings = settings
        #: Whether the user has asked for the end; a batch that was only dropped does not wait.
        self.closing: bool = False
        #: Whether the first result has been asked for.
        self.iterated: bool = False
        self.course: Course[T] | None = None
        self._calls = calls
        self._exhausted = False
        #: What ends the batch once everything in flight has ended.
        self._failure: BaseException | None = None
        self._in_flight: dict[Future[Any], BatchJob] = {}
        self._losses: dict[int, int] = {}
        self._finished: SimpleQueue[Future[Any]] = SimpleQueue()
        self._source: Iterator[Call[T]]
        self._workers: Workers
        #: Held by the threads that write down what a batch has left in flight.
        self._writing = threading.Lock()
        renew_after_fork(self, "_writing")

    def start(self) -> Course[T]:
        """Open the journal and start the workers.

        Raises:
            JournalError: the journal cannot be used; nothing has been sent.
            ConfigurationError: the recipe of the client is of no use.
        """
        if self.course is not None:
            return self.course
        settings, calls = self.settings, self._calls
        course: Course[T] = settings.course(calls)
        try:
            if is_repeatable(calls):
                course.check_ahead(calls)
            self._source = iter(calls)
            self._workers = Workers(settings.executor, settings.recipe, course.id, settings.concurrency)
        except BaseException:
            if course.journal is not None:
                course.journal.close()
            raise
        self.course = course
        return course

    def abandon(self) -> None:
        """Close what was opened for results that were never asked for."""
        if self.course is not None and not self.iterated:
            self._close(self.course, wait=True)

    def advance(self, course: Course[T]) -> bool:
        """Send calls and collect outcomes until a result is ready; False at the end.

        Raises:
            Exception: what the input raised, once everything in flight has ended.
            MuxiError: the batch cannot go on.
        """
        while True:
            self._fill(course)
            if course.ready:
                return True
            if not self._in_flight and self._exhausted:
                if self._failure is not None:
                    raise self._failure
                return False
            self._collect(course)

    def _fill(self, course: Course[T]) -> None:
        """Draw and send as many calls as may be in flight."""
        jobs: list[BatchJob] = []
        limit = self.settings.concurrency
        while (
            not self._exhausted
            and len(self._in_flight) + len(jobs) < limit
            and course.outstanding < self.settings.window
            and course.pace.delay(monotonic()) <= 0
        ):
            try:
                call = next(self._source)
            except StopIteration:
                self._exhausted = True
                course.end_input()
                break
            except Exception as error:  # of the input, which is the user's: raised as it is, at the end
                self._stop(error)
                break
            job = course.draw(call)
            if job is not None:
                course.pace.start(monotonic())
                jobs.append(job)
        if jobs:
            with holding_interrupts():
                self._send(course, jobs)

    def _send(self, course: Course[T], jobs: list[BatchJob]) -> None:
        course.begin(jobs)
        for job in jobs:
            try:
                if not self._submit(course, job):
                    course.refuse(job.position, BatchError("NOT_SENT", f"{_NOT_SENT}: {self._failure}"))
            except BatchError as error:  # it does not pickle
                course.end([(job.position, CallReply(error=error))])

    def _submit(self, course: Course[T], job: BatchJob) -> bool:
        """Hand a job to a worker, and return whether that succeeded."""
        try:
            if isinstance(self._failure, ExecutorBroken):
                raise self._failure
            future = self._workers.submit(job)
        except ExecutorBroken as error:
            if self._workers.replace():
                return self._submit(course, job)
            self._stop(error)
            return False
        self._in_flight[future] = job
        future.add_done_callback(self._finished.put)
        return True

    def _stop(self, error: BaseException) -> None:
        """Draw no more calls, and raise an error once everything in flight has ended."""
        self._exhausted = True
        self._failure = self._failure or error

    def _collect(self, course: Course[T]) -> None:
        """Wait for outcomes, or for the moment at which the next call may start."""
        free = not self._exhausted and len(self._in_flight) < self.settings.concurrency
        delay = course.pace.delay(monotonic()) if free and course.outstanding < self.settings.window else 0.0
        futures: list[Future[Any]] = []
        with suppress(Empty):
            futures.append(self._finished.get(timeout=delay or None))
            while True:  # all that are there are written to the disk together
                futures.append(self._finished.get_nowait())
        with holding_interrupts():
            self._settle(course, futures)

    def _settle(self, course: Course[T], futures: Iterable[Future[Any]]) -> None:
        """Turn finished futures into results, and hand jobs of lost workers to others."""
        outcomes: list[tuple[int, CallReply]] = []
        lost: list[tuple[BatchJob, BaseException]] = []
        for future in futures:
            job = self._in_flight[future]
            if future.cancelled():
                # Only the owner of an executor cancels what is in it.
                self._stop(_broken("its tasks were cancelled"))
                course.refuse(job.position, BatchError("NOT_SENT", f"{_NOT_SENT}: it was cancelled in the executor"))
            elif (error := future.exception()) is None:
                outcomes.append((job.position, self._workers.reply_of(future)))
            elif isinstance(error, BrokenExecutor) and self._may_repeat(course, job):
                lost.append((job, error))
            else:
                outcomes.append((job.position, CallReply(error=_lost(job, error), attempts=1)))
                if isinstance(error, BrokenExecutor) and not self._workers.own_processes:
                    self._stop(_broken(str(plain_cause(error))))
            del self._in_flight[future]
        course.end(outcomes)
        for job, error in lost:
            if not self._submit(course, job):
                course.end([(job.position, CallReply(error=_lost(job, error), attempts=1))])

    def _may_repeat(self, course: Course[T], job: BatchJob) -> bool:
        losses = self._losses[job.position] = self._losses.get(job.position, 0) + 1
        return self._workers.own_processes and losses <= _MOST_LOSSES and course.repeats(job)

    # -- the end -------------------------------------------------------------------------------------------------------

    def finish(self, course: Course[T]) -> None:
        """End cleanly: take back what no worker has, wait for the rest, and write it down.

        Raises:
            JournalError: it cannot be written; the error has the results.
        """
        failure: JournalError | None = None
        try:
            with holding_interrupts():
                self._cancel(course)
            while self._in_flight:
                finished, _ = wait(self._in_flight, return_when=FIRST_COMPLETED)
                try:
                    with holding_interrupts():
                        self._settle_last(course, finished)
                except JournalError as error:
                    # What follows cannot be written either; the first error has all results.
                    failure = failure or JournalError(error.code, error.message)
                    failure.results += error.results
        except BaseException:
            self.leave(course)
            raise
        self._close(course, wait=True)
        if failure is not None:
            raise failure

    def leave(self, course: Course[T]) -> None:
        """End without waiting: what is in flight writes itself into the journal, and the last one closes it."""
        course.stop_reporting()
        with suppress(MuxiError):  # another run finds the calls in flight, and decides
            self._cancel(course)
        self._workers.stop_taking()
        if not self._in_flight:
            self._close(course, wait=False)
            return

        def write_down(future: Future[Any]) -> None:
            with self._writing:
                with suppress(MuxiError):  # likewise; nothing is left that an error could be raised from
                    self._settle_last(course, [future])
                if not self._in_flight:
                    self._close(course, wait=False)

        for future in list(self._in_flight):
            future.add_done_callback(write_down)

    def _cancel(self, course: Course[T]) -> None:
        taken = [future for future in self._in_flight if future.cancel()]
        course.take_back([self._in_flight.pop(future).position for future in taken])

    def _settle_last(self, course: Course[T], futures: Iterable[Future[Any]]) -> None:
        """Write outcomes down; those of lost workers stay open, so that another run decides."""
        outcomes: list[tuple[int, CallReply]] = []
        for future in futures:
            job = self._in_flight.pop(future)
            if not future.cancelled() and future.exception() is None:
                outcomes.append((job.position, self._workers.reply_of(future)))
        course.end(outcomes)

    def _close(self, course: Course[T], *, wait: bool) -> None:
        try:
            self._workers.close(wait=wait)
        finally:
            if course.journal is not None:
                course.journal.close()


def iterate(engine: Engine[T]) -> Generator[BatchResult[T], None, None]:
    """Yield the results of a batch, and end it, whatever happens."""
    course = engine.start()
    engine.iterated = True
    try:
        while engine.advance(course):
            yield course.ready.popleft()
    except GeneratorExit:
        # A batch that nothing refers to any more is ended by the interpreter, which must not be held up.
        if engine.closing:
            engine.finish(course)
        else:
            engine.leave(course)
        raise
    except JournalError as error:
        try:
            engine.finish(course)
        except JournalError as another:
            error.results += another.results
        raise
    except BaseException:
        engine.finish(course)
        raise
    engine.finish(course)


_NOT_SENT = "nothing has been sent, because the executor did not run this call"


def _lost(job: BatchJob, error: BaseException) -> MuxiError:
    cause = plain_cause(error)
    what = (
        "the worker that had this call was lost" if isinstance(error, BrokenExecutor) else "the executor has no answer"
    )
    lost = OutcomeUnknown("WORKER_LOST", f"{what}: {cause}; the call may have run")
    lost.call = job.call.label
    lost.__cause__ = cause
    return lost


def _broken(problem: str) -> ExecutorBroken:
    return ExecutorBroken(
        "EXECUTOR_BROKEN",
        f"the executor has lost its workers and takes no more calls: {problem}; what was in flight has been reported, "
        "the rest of the input has not been sent",
    )
