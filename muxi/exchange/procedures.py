"""Several calls as one: procedures, which end with a result, and iterations over pages, which yield items."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from muxi.call import Call, Item, Pages, Procedure, Wait
from muxi.errors import MuxiError
from muxi.exchange.incoming import answer_behind
from muxi.exchange.life import begin, check_answer, run_call
from muxi.exchange.steps import ExchangeResult, ExchangeSettings, ExchangeSteps, ItemSteps, Sleep, relay

__all__ = ["iterate_pages", "run_procedure"]

T = TypeVar("T")


#: Errors of steps that read an answer which is not what the wire promises.
_MISREAD = (AttributeError, LookupError, TypeError)


def run_procedure(
    steps: Procedure[T], settings: ExchangeSettings
) -> ExchangeSteps[tuple[T, ExchangeResult[Any] | None]]:
    """Run a procedure: each of its calls as an exchange, one after the other.

    Returns:
        What the procedure returned, and the last answer on the way to it.

    Raises:
        ValidationError: the procedure cannot go on with an answer, because it does not fit its schema.
    """
    calls = _ProcedureCalls(settings)
    with _explain_errors(steps, calls):
        result = yield from relay(steps, calls.perform)
    return result, calls.last


def iterate_pages(steps: Pages[T], settings: ExchangeSettings) -> ItemSteps[T]:
    """Run an iteration over pages as :func:`run_procedure` runs a procedure, and yield its items.

    Raises:
        ValidationError: the iteration cannot go on with an answer, because it does not fit its schema.
    """
    calls = _ProcedureCalls(settings)

    def perform(step: Call[Any] | Wait | Item[T]) -> Generator[Any, Any, object]:
        if isinstance(step, Item):
            yield step
            return None
        return (yield from calls.perform(step))

    with _explain_errors(steps, calls):
        yield from relay(steps, perform)


class _ProcedureCalls:
    """Performs the calls and waits of one procedure, and keeps the last answer."""

    def __init__(self, settings: ExchangeSettings) -> None:
        self.settings = settings
        self.last: ExchangeResult[Any] | None = None
        self._started = settings.clock.monotonic()

    def perform(self, step: Call[Any] | Wait) -> ExchangeSteps[object]:
        if isinstance(step, Wait):
            yield Sleep(step.seconds)
            return self.settings.clock.monotonic() - self._started
        context = begin(step, self.settings)
        try:
            self.last = yield from run_call(context, self.settings)
        except MuxiError as error:
            if error.answer:
                # A procedure may take an error, such as "not found", for the answer it looked for.
                self.last = ExchangeResult(None, answer_behind(error), context)
            raise
        return self.last.data


@contextmanager
def _explain_errors(steps: object, calls: _ProcedureCalls) -> Iterator[None]:
    """Name the procedure in errors that come from itself, and say which answer it could not read.

    Answers are not checked strictly before the steps get them: a field that is wrong and that no step reads would end a
    wait or an iteration for nothing.
    """
    try:
        yield
    except MuxiError as error:
        error.call = error.call or getattr(steps, "__name__", None)
        raise
    except _MISREAD:
        if calls.last is not None and calls.last.data is not None:
            check_answer(calls.last, calls.settings, strict=True)
        raise
