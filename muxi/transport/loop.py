"""Code for both colours at once: a generator yields what it needs done, and a driver does it, blocking or awaiting.

:func:`run` and :func:`run_async` are the only places where an outcome is sent, and an error thrown, into a generator.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import closing
from typing import Any, TypeVar, cast

__all__ = ["iterate", "iterate_async", "run", "run_async"]

Effect = TypeVar("Effect")
Item = TypeVar("Item")
Result = TypeVar("Result")


# Any, here and below: a generator that yields several kinds of effects is sent several kinds of outcomes.
def run(steps: Generator[Effect, Any, Result], perform: Callable[[Effect], object]) -> Result:
    """Run a generator to its end, and return what it returns.

    Args:
        steps: yields effects. It is sent the outcome of each; an error of one, also an interrupt, is thrown into it.
        perform: performs one effect, blocking, and returns its outcome.
    """
    try:
        effect = next(steps)
        while True:
            try:
                outcome = perform(effect)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        return cast(Result, stop.value)


async def run_async(steps: Generator[Effect, Any, Result], perform: Callable[[Effect], Awaitable[object]]) -> Result:
    """As :func:`run`, in an event loop. A cancellation of the task is thrown into the generator as well.

    Args:
        steps: as for :func:`run`.
        perform: performs one effect and returns its outcome.
    """
    try:
        effect = next(steps)
        while True:
            try:
                outcome = await perform(effect)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(outcome)
    except StopIteration as stop:
        return cast(Result, stop.value)


def iterate(
    steps: Generator[Effect | Item, Any, object], perform: Callable[[Effect], object], item: type[Item]
) -> Iterator[Item]:
    """Run a generator as :func:`run` does, and yield those of its effects that are items.

    Args:
        steps: yields effects and items; it is sent None for an item. It is closed where the iteration is left.
        perform: performs one effect, blocking, and returns its outcome.
        item: the class of the items.
    """
    with closing(steps):
        try:
            effect = next(steps)
            while True:
                if isinstance(effect, item):
                    yield effect
                    effect = steps.send(None)
                    continue
                try:
                    outcome = perform(cast(Effect, effect))
                except BaseException as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(outcome)
        except StopIteration:
            return


async def iterate_async(
    steps: Generator[Effect | Item, Any, object], perform: Callable[[Effect], Awaitable[object]], item: type[Item]
) -> AsyncIterator[Item]:
    """As :func:`iterate`, in an event loop. Close the iteration (``aclose``) where you leave it in the middle.

    Args:
        steps: as for :func:`iterate`.
        perform: performs one effect and returns its outcome.
        item: the class of the items.
    """
    with closing(steps):
        try:
            effect = next(steps)
            while True:
                if isinstance(effect, item):
                    yield effect
                    effect = steps.send(None)
                    continue
                try:
                    outcome = await perform(cast(Effect, effect))
                except BaseException as error:
                    effect = steps.throw(error)
                else:
                    effect = steps.send(outcome)
        except StopIteration:
            return
