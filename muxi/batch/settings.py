"""The settings of a batch, checked before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from muxi.batch.course import Course
from muxi.batch.journal import Journal, JournalFile
from muxi.batch.pace import Pace
from muxi.batch.pools import ExecutorChoice
from muxi.batch.recipe import ClientRecipe
from muxi.batch.values import BatchProgress
from muxi.errors import ConfigurationError
from muxi.redact import show_value

__all__ = ["BatchSettings", "is_repeatable"]

T = TypeVar("T")

#: Most calls in flight.
_MOST_CONCURRENT = 100_000


@dataclass(frozen=True)
class BatchSettings:
    """The arguments of :func:`muxi.batch.run` and :func:`muxi.batch.run_async` beside the calls; see there.

    Raises:
        ConfigurationError: a setting is invalid; the message names the argument.
    """

    recipe: ClientRecipe
    executor: ExecutorChoice = "threads"
    concurrency: int = 16
    ordered: bool = False
    journal: str | os.PathLike[str] | Journal | None = None
    rate: float | None = None
    retry_budget: int | None = None
    progress: Callable[[BatchProgress], object] | None = None
    total: int | None = None
    runs_once: bool | None = None

    def __post_init__(self) -> None:
        executor: object = self.executor
        if not isinstance(executor, Executor) and executor not in ("threads", "processes"):
            raise ConfigurationError(
                "executor= takes 'threads', 'processes' or an executor of concurrent.futures, got "
                f"{executor if isinstance(executor, str) else type(executor).__name__!r}"
            )
        _check_count("concurrency", self.concurrency, 1, _MOST_CONCURRENT)
        for name, least in (("retry_budget", 0), ("total", 0)):
            if getattr(self, name) is not None:
                _check_count(name, getattr(self, name), least, 2**53)
        rate: object = self.rate
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 1e-6 <= rate < 1e9):
            raise ConfigurationError(f"rate= takes a number of calls per second above 0, got {show_value(rate)}")
        journal: object = self.journal
        if journal is not None and not isinstance(journal, str | os.PathLike | Journal):
            raise ConfigurationError(f"journal= takes a path or a Journal, got {type(journal).__name__}")
        if self.progress is not None and not callable(self.progress):
            raise ConfigurationError(f"progress= takes a function, got {type(self.progress).__name__}")

    @property
    def window(self) -> int:
        """Most calls that are drawn from the input and not yielded: more in the order of the input, so that one slow
        call does not hold up all others.
        """
        return 2 * self.concurrency if self.ordered else self.concurrency

    def course(self, calls: object) -> Course[Any]:
        """Open the journal, and return the state of a run that begins.

        Raises:
            JournalError: the journal cannot be used.
        """
        journal = self.journal
        if journal is not None and not isinstance(journal, Journal):
            journal = Journal(journal)
        runs_once = self.runs_once
        if runs_once is None:
            runs_once = isinstance(self.executor, str | ThreadPoolExecutor | ProcessPoolExecutor)
        return Course(
            None if journal is None else JournalFile(journal, self.recipe.identity),
            Pace(self.rate, self.retry_budget),
            ordered=self.ordered,
            total=len(calls) if self.total is None and isinstance(calls, Sized) else self.total,
            on_progress=self.progress,
            runs_once=runs_once,
        )


def is_repeatable(calls: Iterable[Any]) -> bool:
    """Return whether an input can be read a second time, so that it is compared with a journal before it is sent."""
    return isinstance(calls, Sized) and not isinstance(calls, Iterator)


def _check_count(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(f"{name}= takes a whole number from {least} to {most}, got {show_value(value)}")
