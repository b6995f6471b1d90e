"""The workers of a batch: threads or processes of its own, or an executor that the caller has made."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, Literal

from muxi.batch.errors import ExecutorBroken
from muxi.batch.recipe import ClientRecipe
from muxi.batch.values import BatchJob, CallReply
from muxi.batch.work import ClientStore, pack, perform, perform_packed, unpack
from muxi.errors import ConfigurationError, plain_cause

__all__ = ["ExecutorChoice", "Workers"]

#: What ``executor=`` takes.
ExecutorChoice = Executor | Literal["threads", "processes"]

#: Most processes of a batch's own pool.
_MOST_PROCESSES = 60

#: Pools of processes that a batch makes one after the other without a reply in between.
_MOST_POOLS = 3


class Workers:
    """The workers of one batch.

    Args:
        choice: ``"threads"``, ``"processes"`` or an executor.
        recipe: the recipe of the clients.
        token: id of the batch.
        concurrency: most jobs at a time.

    Raises:
        ConfigurationError: the recipe does not pickle, and the workers are in other processes.
    """

    def __init__(self, choice: ExecutorChoice, recipe: ClientRecipe, token: str, concurrency: int) -> None:
        self._concurrency = concurrency
        self._token = token
        self._store: ClientStore | None = None
        self._recipe = b""
        #: Pools made since the last reply.
        self._pools = 0
        #: Whether the executor is the batch's own.
        self._own = isinstance(choice, str)
        in_process = choice == "threads" or isinstance(choice, ThreadPoolExecutor)
        if in_process:
            self._store = ClientStore(recipe)
        else:
            try:
                self._recipe = pickle.dumps(recipe)
            except Exception as error:
                raise ConfigurationError(
                    f"the recipe of the client cannot travel to other processes: {plain_cause(error)}"
                ) from None
        self._executor = self._make(choice) if isinstance(choice, str) else choice

    def _make(self, choice: str) -> Executor:
        if choice == "threads":
            return ThreadPoolExecutor(self._concurrency, "muxi-batch")
        self._pools += 1
        return ProcessPoolExecutor(
            min(self._concurrency, _MOST_PROCESSES),
            # Not fork: other threads of this process may hold locks, and the journal is open.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_process,
        )

    @property
    def own_processes(self) -> bool:
        """True if the workers are processes of the batch's own, which can be replaced."""
        return self._own and self._store is None

    def submit(self, job: BatchJob) -> Future[Any]:
        """Hand a job to a worker.

        Raises:
            ExecutorBroken: the executor takes no more jobs; this one has not been handed over.
            BatchError: the job cannot travel to another process; it has not been handed over.
        """
        store = self._store
        packed = b"" if store is not None else pack(self._token, self._recipe, job)
        try:
            if store is not None:
                return self._executor.submit(perform, store, job)
            return self._executor.submit(perform_packed, packed)
        except (BrokenExecutor, RuntimeError) as error:
            cause = plain_cause(error)
            raise ExecutorBroken(
                "EXECUTOR_BROKEN",
                f"the executor takes no more calls: {cause}; what was in flight has been reported, the rest of the "
                "input has not been sent",
            ) from cause

    def reply_of(self, future: Future[Any]) -> CallReply:
        """Return the reply of a finished job.

        Raises:
            Exception: whatever the executor reports when it lost the job.
        """
        found = future.result()
        self._pools = 0
        return unpack(found) if isinstance(found, bytes) else found

    def replace(self) -> bool:
        """Replace a broken executor, where it is the batch's own, and return whether there is a new one."""
        if not self.own_processes or self._pools >= _MOST_POOLS:
            return False
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._make("processes")
        return True

    def stop_taking(self) -> None:
        """Take no more jobs; those that run go on."""
        if self._own:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def close(self, *, wait: bool) -> None:
        """Close what the batch has made.

        Args:
            wait: whether threads and processes are waited for.
        """
        if self._own:
            self._executor.shutdown(wait=wait, cancel_futures=True)
        if self._store is not None:
            self._store.close()


def _start_process() -> None:
    """Prepare a worker process: it leaves Ctrl-C to its parent, and ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end_with_parent() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=end_with_parent, name="muxi-batch-parent", daemon=True).start()
