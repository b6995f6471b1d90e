"""The progress of ``muxi-client batch``: a bar at a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from muxi.batch import BatchProgress
from muxi.cli.terminal import is_terminal, say

__all__ = ["describe", "watching"]

#: Seconds between two lines where there is no terminal.
_INTERVAL = 10.0


@contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[BatchProgress], None]]:
    """Yield a function that shows the counts on stderr.

    Args:
        quiet: whether nothing is shown.
    """
    if quiet:
        yield lambda counts: None
    elif is_terminal(sys.stderr):
        with _bar() as show:
            yield show
    else:
        yield _lines()


def _lines() -> Callable[[BatchProgress], None]:
    last = time.monotonic()

    def show(counts: BatchProgress) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= _INTERVAL:
            last = now
            say(describe(counts))

    return show


@contextmanager
def _bar() -> Iterator[Callable[[BatchProgress], None]]:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    except ModuleNotFoundError:
        yield _lines()
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(file=sys.stderr), transient=True, refresh_per_second=5) as progress:
        task = progress.add_task("", total=None)

        def show(counts: BatchProgress) -> None:
            progress.update(task, completed=counts.done, total=counts.total, description=_rest(counts))

        yield show


def describe(counts: BatchProgress) -> str:
    """Return the counts in one line."""
    total = "" if counts.total is None else f" of {counts.total:,}"
    return f"{counts.done:,}{total}, {_rest(counts)}"


def _rest(counts: BatchProgress) -> str:
    parts = [f"{counts.rate:.3g}/s"]
    if counts.left is not None:
        parts.append(f"{_duration(counts.left)} left")
    if counts.failed:
        parts.append(f"{counts.failed:,} failed")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
