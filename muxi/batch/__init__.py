"""Thousands of calls, with a bound on what is in flight and a journal that a killed run goes on from.

::

    from muxi import FormationClient, FormationConfig, batch

    calls = (FormationClient.chat.call(question, user_id="ada") for question in questions)
    for result in batch.run(calls, FormationConfig(), concurrency=50, journal="run.jsonl"):
        print(result.position, result.value if result.ok else result.error)
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TypeVar

from muxi.batch.asynchronous import AsyncBatch
from muxi.batch.errors import (
    BatchError,
    ExecutorBroken,
    JournalBusy,
    JournalError,
    JournalMismatch,
    OutcomeUnknown,
)
from muxi.batch.journal import Journal
from muxi.batch.pools import ExecutorChoice
from muxi.batch.recipe import ClientRecipe, ClientSource
from muxi.batch.runner import Batch
from muxi.batch.settings import BatchSettings
from muxi.batch.values import BatchProgress, BatchResult
from muxi.call import Call
from muxi.transport.arguments import check_arguments

__all__ = [
    "AsyncBatch",
    "Batch",
    "BatchError",
    "BatchProgress",
    "BatchResult",
    "ClientRecipe",
    "ExecutorBroken",
    "Journal",
    "JournalBusy",
    "JournalError",
    "JournalMismatch",
    "OutcomeUnknown",
    "run",
    "run_async",
]

T = TypeVar("T")


@check_arguments("client", contents=("calls",))
def run(
    calls: Iterable[Call[T]],
    client: ClientSource,
    *,
    executor: ExecutorChoice = "threads",
    concurrency: int = 16,
    ordered: bool = False,
    journal: str | os.PathLike[str] | Journal | None = None,
    rate: float | None = None,
    retry_budget: int | None = None,
    progress: Callable[[BatchProgress], object] | None = None,
    total: int | None = None,
    runs_once: bool | None = None,
) -> Batch[T]:
    """Run calls, and return an iterator over their results.

    Args:
        calls: calls as values, from any iterable, also an endless one. It is drawn from only as results are taken.
        client: the configuration of a client, or a function that returns one; each worker makes its own.
        executor: ``"threads"``; ``"processes"``, new ones of the batch's own; or an executor of
            ``concurrent.futures``, such as Dask's ``Client.get_executor()``, which is left open.
        concurrency: most calls in flight.
        ordered: whether results come in the order of the input; otherwise as the calls end.
        journal: the file that results are written to before they are yielded, and that another run goes on from.
        rate: most requests per second, retries included.
        retry_budget: most retries of all calls together; ten successful calls return one. Once it is used up, each
            call is sent once.
        progress: called with the counts after each result, in the thread that iterates. An exception is logged.
        total: number of calls, for the progress; known for lists.
        runs_once: whether the executor never runs a task twice. Known for those of the standard library; for others
            it is taken that they do, and calls that must not run twice are refused.

    Raises:
        ConfigurationError: an argument is invalid.

    Iterating raises JournalError where the journal cannot be used or written, JournalMismatch where it belongs to other
    calls, ExecutorBroken where the executor is lost, and whatever ``calls`` raises, each after everything that was in
    flight. A call that fails raises nothing: its result has the error.
    """
    settings = BatchSettings(
        recipe=ClientRecipe(client),
        executor=executor,
        concurrency=concurrency,
        ordered=ordered,
        journal=journal,
        rate=rate,
        retry_budget=retry_budget,
        progress=progress,
        total=total,
        runs_once=runs_once,
    )
    return Batch(calls, settings)


@check_arguments("client", contents=("calls",))
def run_async(
    calls: Iterable[Call[T]] | AsyncIterable[Call[T]],
    client: ClientSource,
    *,
    concurrency: int = 16,
    ordered: bool = False,
    journal: str | os.PathLike[str] | Journal | None = None,
    rate: float | None = None,
    retry_budget: int | None = None,
    progress: Callable[[BatchProgress], object] | None = None,
    total: int | None = None,
) -> AsyncBatch[T]:
    """Run calls as tasks of the event loop, and return an async iterator over their results.

    Args:
        calls: as for :func:`run`, or an async iterable.
        client: the configuration of a client, or a function that returns an async one; there is one client.
        concurrency: as for :func:`run`, like all that follow.
        ordered: likewise.
        journal: likewise.
        rate: likewise.
        retry_budget: likewise.
        progress: likewise.
        total: likewise.

    Raises:
        ConfigurationError: an argument is invalid.
    """
    settings = BatchSettings(
        recipe=ClientRecipe(client),
        concurrency=concurrency,
        ordered=ordered,
        journal=journal,
        rate=rate,
        retry_budget=retry_budget,
        progress=progress,
        total=total,
    )
    return AsyncBatch(calls, settings)
