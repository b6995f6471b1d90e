"""Batches from async code: calls as tasks of the event loop, with one client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from muxi.batch.course import Course
from muxi.batch.errors import JournalError
from muxi.batch.settings import BatchSettings, is_repeatable
from muxi.batch.values import BatchJob, BatchProgress, BatchResult, CallReply
from muxi.batch.work import perform_async
from muxi.call import Call, Repeat
from muxi.client.base import AsyncClient
from muxi.exchange.repeat import repeat_of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AsyncBatch"]

T = TypeVar("T")


class AsyncBatch(AsyncIterator[BatchResult[T]], Generic[T]):
    """A running batch of async code: an async iterator over its results, and a context manager that ends it.

    Leaving the ``async with`` block and :meth:`aclose` send no further call, wait for those in flight and write them
    into the journal. Cancelling the task that iterates cancels what is in flight.
    """

    def __init__(self, calls: Iterable[Call[T]] | AsyncIterable[Call[T]], settings: BatchSettings) -> None:
        self._engine: AsyncEngine[T] = AsyncEngine(calls, settings)
        self._results = iterate_async(self._engine)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BatchResult[T]:
        return await anext(self._results)

    @property
    def progress(self) -> BatchProgress:
        """The counts at this moment."""
        course = self._engine.course
        return BatchProgress() if course is None else course.progress

    async def aclose(self) -> None:
        """End the batch: send nothing more, wait for what is in flight, and write it into the journal."""
        self._engine.closing = True
        await self._results.aclose()
        await self._engine.abandon()

    async def __aenter__(self) -> Self:
        self._engine.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, asyncio.CancelledError):
            self._engine.cancelled = True
        await self.aclose()


class AsyncEngine(Generic[T]):
    """The state of a running batch of async code.

    Args:
        calls: the input.
        settings: everything else.
    """

    def __init__(self, calls: Iterable[Call[T]] | AsyncIterable[Call[T]], settings: BatchSettings) -> None:
        self.settings: BatchSettings = settings
        self.closing: bool = False
        self.cancelled: bool = False
        #: Whether the first result has been asked for.
        self.iterated: bool = False
        self.course: Course[T] | None = None
        self._calls = calls
        self._source: Iterator[Call[T]] | AsyncIterator[Call[T]]
        self._client: AsyncClient
        #: The task that waits for the next call of an async input.
        self._pull: asyncio.Task[Call[T]] | None = None
        self._exhausted = False
        self._failure: BaseException | None = None
        self._in_flight: dict[asyncio.Task[CallReply], BatchJob] = {}
        self._wake = asyncio.Event()

    def start(self) -> Course[T]:
        """Open the journal and make the client.

        Raises:
            JournalError: the journal cannot be used; nothing has been sent.
            ConfigurationError: the recipe of the client is of no use.
        """
        if self.course is not None:
            return self.course
        calls = self._calls
        course: Course[T] = self.settings.course(calls)
        try:
            if not isinstance(calls, AsyncIterable) and is_repeatable(calls):
                course.check_ahead(calls)
            self._source = aiter(calls) if isinstance(calls, AsyncIterable) else iter(calls)
            self._client = self.settings.recipe.make_async()
        except BaseException:
            if course.journal is not None:
                course.journal.close()
            raise
        self.course = course
        return course

    async def abandon(self) -> None:
        """Close what was opened for results that were never asked for."""
        if self.course is not None and not self.iterated:
            await self.finish(self.course, cancel=True)

    async def advance(self, course: Course[T]) -> bool:
        """Send calls and collect outcomes until a result is ready; False at the end.

        Raises:
            Exception: what the input raised, once everything in flight has ended.
            MuxiError: the batch cannot go on.
        """
        while True:
            await self._fill(course)
            if course.ready:
                return True
            if not self._in_flight and self._exhausted:
                if self._failure is not None:
                    raise self._failure
                return False
            await self._wait(course)
            await self._settle(course)

    def _may_draw(self, course: Course[T]) -> bool:
        return (
            not self._exhausted
            and len(self._in_flight) < self.settings.concurrency
            and course.outstanding < self.settings.window
        )

    async def _fill(self, course: Course[T]) -> None:
        """Draw and send as many calls as may be in flight."""
        while self._may_draw(course) and course.pace.delay(monotonic()) <= 0:
            try:
                if isinstance(self._source, AsyncIterator):
                    if self._pull is None:
                        self._pull = asyncio.ensure_future(_next_of(self._source))
                        self._pull.add_done_callback(self._notify)
                        await asyncio.sleep(0)  # an input that need not wait has its call now
                    if not self._pull.done():
                        return
                    pull, self._pull = self._pull, None
                    call = pull.result()
                else:
                    call = next(self._source)
            except (StopIteration, _EndOfInput):
                self._exhausted = True
                course.end_input()
                return
            except Exception as error:  # of the input, which is the user's: raised as it is, at the end
                self._exhausted = True
                self._failure = error
                return
            job = course.draw(call)
            if job is None:
                continue
            course.pace.start(monotonic())
            if course.journal is not None and repeat_of(job.call) is Repeat.NEVER:
                # It waits for the disk.
                await _whole(asyncio.ensure_future(asyncio.to_thread(course.begin, [job])))
            else:
                course.begin([job])
            task = asyncio.ensure_future(perform_async(self._client, job))
            self._in_flight[task] = job
            task.add_done_callback(self._notify)

    def _notify(self, task: asyncio.Task[Any]) -> None:
        self._wake.set()

    async def _wait(self, course: Course[T]) -> None:
        """Wait for an outcome, a call of the input, or the moment at which the next call may start."""
        delay = course.pace.delay(monotonic()) if self._may_draw(course) and self._pull is None else 0.0
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay or None)
        self._wake.clear()

    async def _settle(self, course: Course[T]) -> None:
        """Turn finished tasks into results."""
        outcomes: list[tuple[int, CallReply]] = []
        for task in [task for task in self._in_flight if task.done()]:
            job = self._in_flight.pop(task)
            outcomes.append((job.position, task.result()))
        await self._write(course, outcomes)

    async def _write(self, course: Course[T], outcomes: list[tuple[int, CallReply]]) -> None:
        """Write outcomes down without holding up the loop while the disk is waited for."""
        if not outcomes or course.journal is None:
            course.end(outcomes)
            return
        await _whole(asyncio.ensure_future(asyncio.to_thread(course.end, outcomes)))

    async def finish(self, course: Course[T], *, cancel: bool) -> None:
        """End cleanly.

        Args:
            cancel: whether what is in flight is cancelled; otherwise it is waited for.

        Raises:
            JournalError: it cannot be written; the error has the results.
        """
        failure: JournalError | None = None
        try:
            if self._pull is not None:
                self._pull.cancel()
                await asyncio.wait([self._pull])
                if not self._pull.cancelled():
                    self._pull.exception()  # of the input, which is not asked for any more calls
            while self._in_flight:
                if cancel:
                    for task in self._in_flight:
                        task.cancel()
                finished, _ = await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
                ended = [(self._in_flight.pop(task), task) for task in finished]
                # Those that were cancelled stay open in the journal, so that another run decides.
                whole = [(job.position, task.result()) for job, task in ended if not task.cancelled()]
                try:
                    await self._write(course, whole)
                except JournalError as error:
                    failure = failure or JournalError(error.code, error.message)
                    failure.results += error.results
        except asyncio.CancelledError:
            for task in self._in_flight:
                task.cancel()
            raise
        finally:
            if course.journal is not None:
                course.journal.close()
            await self._client.close()
        if failure is not None:
            raise failure


async def _whole(step: asyncio.Future[None]) -> None:
    """Wait for a step of the journal to its end, also when cancelled: half a step would leave counts and file apart."""
    try:
        await asyncio.shield(step)
    except asyncio.CancelledError:
        if not step.done():
            await asyncio.wait([step])
        raise


class _EndOfInput(Exception):
    """The async input has no more calls; a task cannot end with StopAsyncIteration."""


async def _next_of(source: AsyncIterator[Call[T]]) -> Call[T]:
    try:
        return await anext(source)
    except StopAsyncIteration:
        raise _EndOfInput from None


async def iterate_async(engine: AsyncEngine[T]) -> AsyncGenerator[BatchResult[T], None]:
    """Yield the results of a batch, and end it, whatever happens."""
    course = engine.start()
    engine.iterated = True
    try:
        while await engine.advance(course):
            yield course.ready.popleft()
    except GeneratorExit:
        # One that nothing refers to any more is closed by the loop: that is no wish to wait.
        await engine.finish(course, cancel=engine.cancelled or not engine.closing)
        raise
    except JournalError as error:
        try:
            await engine.finish(course, cancel=False)
        except JournalError as another:
            error.results += another.results
        raise
    except BaseException as error:
        await engine.finish(course, cancel=isinstance(error, asyncio.CancelledError))
        raise
    await engine.finish(course, cancel=False)
