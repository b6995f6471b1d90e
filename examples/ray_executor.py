"""Run a batch of chats on a Ray cluster: ``executor=`` takes any executor, and this is one for Ray.

export MUXI_CLIENT_KEY=…          # on the workers too
python examples/ray_executor.py http://localhost:8001 "What is two plus two?" "And three plus three?"
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from muxi import FormationClient, FormationConfig, batch


class RayExecutor(Executor):
    """Runs each task once on the cluster that ``ray.init()`` has found.

    ``max_retries=0`` keeps Ray from running a task again after it lost a worker, so that ``runs_once=True`` holds.
    """

    def __init__(self, **options: Any) -> None:
        import ray  # pyright: ignore[reportMissingImports]  # it is installed where it is used

        self._remote: Any = ray.remote(**{"max_retries": 0, "num_cpus": 1, **options})

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._remote(fn).remote(*args, **kwargs).future()
        return future


def main(url: str, *questions: str) -> None:
    """Ask each question on a worker of the cluster."""
    import ray  # pyright: ignore[reportMissingImports]  # likewise

    ray.init()
    calls = [FormationClient.chat.call(question, user_id="example") for question in questions]
    with batch.run(calls, FormationConfig(url=url), executor=RayExecutor(), runs_once=True) as results:
        for result in results:
            print(result.value["message"]["content"] if result.value is not None else result.error)


if __name__ == "__main__":
    main(*sys.argv[1:])
