"""Executors as others write them: jobs travel as bytes, workers are lost, tasks are cancelled."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

from muxi import FormationClient
from muxi.batch.recipe import ClientRecipe
from tests.batch.support import Formation, InProcess

__all__ = ["FORMATIONS", "Foreign", "make_client", "recipe_of", "serve_by_name"]

#: Formations that recipes find by name, since a formation itself does not travel.
FORMATIONS: dict[str, Formation] = {}


def make_client(**settings: Any) -> FormationClient:
    """The client of a worker."""
    formation = FORMATIONS["formation"]
    return FormationClient(url="https://formation", client_key="k", transport=lambda: InProcess(formation), **settings)


def serve_by_name(formation: Formation) -> None:
    FORMATIONS["formation"] = formation


def recipe_of(function: Any = make_client) -> ClientRecipe:
    return ClientRecipe(function, name="formation under test")


class Foreign(Executor):
    """Runs each task at once, in this thread, as if it were in another process.

    Args:
        lose: numbers of the tasks whose worker is lost after it has run them.
        error: what the executor then reports.
        broken: whether it takes no more tasks after a loss.
    """

    def __init__(
        self, lose: tuple[int, ...] = (), error: type[BaseException] = BrokenExecutor, *, broken: bool = True
    ) -> None:
        self._lose, self._error, self._broken = lose, error, broken
        self._lost = False
        self.tasks = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self._lost and self._broken:
            raise self._error("a worker was lost before")
        function, given = pickle.loads(pickle.dumps((fn, args)))  # noqa: S301  our own
        future: Future[Any] = Future()
        number = self.tasks
        self.tasks += 1
        value = pickle.loads(pickle.dumps(function(*given)))  # noqa: S301  likewise
        if number in self._lose:
            self._lost = True
            future.set_exception(self._error("a worker was lost"))
        else:
            future.set_result(value)
        return future
