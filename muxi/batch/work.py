"""The worker's side of a batch: one client for each thread, and calls that always end in a reply."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from typing import Any

from muxi.batch.errors import BatchError, OutcomeUnknown
from muxi.batch.recipe import ClientRecipe
from muxi.batch.values import BatchJob, CallReply
from muxi.call import Call
from muxi.client.base import AsyncClient, Client
from muxi.errors import MuxiError, ValidationError, plain_cause
from muxi.forks import renew_after_fork
from muxi.result import Result
from muxi.streaming.call import StreamCall

__all__ = ["ClientStore", "pack", "perform", "perform_async", "perform_packed", "unpack", "why_not_a_call"]

#: Batches whose clients a worker process keeps.
_MOST_STORES = 8


class ClientStore:
    """The clients of one batch in one process, one for each thread.

    Args:
        recipe: how a client is made.
    """

    def __init__(self, recipe: ClientRecipe) -> None:
        self._recipe = recipe
        self._local = threading.local()
        self._clients: list[Client] = []
        self._closed = False
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")

    def client(self, *, retried: bool) -> Client:
        """Return the client of the calling thread.

        Args:
            retried: whether its calls may be retried.

        Raises:
            MuxiError: it cannot be made.
        """
        found: tuple[Client, Client] | None = getattr(self._local, "clients", None)
        if found is None:
            made = self._recipe.make()
            with self._lock:
                self._clients.append(made)
                closed = self._closed
            if closed:
                made.close()
            found = self._local.clients = made, made.with_options(max_retries=0)
        return found[0] if retried else found[1]

    def close(self) -> None:
        """Close all clients; requests that are under way break off."""
        with self._lock:
            self._closed = True
            clients, self._clients = self._clients, []
        for client in clients:
            client.close()


def perform(store: ClientStore, job: BatchJob) -> CallReply:
    """Run a job with the client of this thread. Whatever the call raises is in the reply."""
    started = time.perf_counter()
    try:
        value = store.client(retried=job.retried).send(job.call)
    except Exception as error:  # plugins, recipes and hooks of users raise anything
        return _failure(error, started)
    return _success(value, started)


async def perform_async(client: AsyncClient, job: BatchJob) -> CallReply:
    """As :func:`perform`, with an async client."""
    started = time.perf_counter()
    try:
        value = await (client if job.retried else client.with_options(max_retries=0)).send(job.call)
    except Exception as error:  # likewise
        return _failure(error, started)
    return _success(value, started)


def _success(value: Any, started: float) -> CallReply:
    attempts = value.meta.attempts if isinstance(value, Result) else 1
    return CallReply(value=value, attempts=attempts, elapsed=time.perf_counter() - started)


def _failure(error: Exception, started: float) -> CallReply:
    elapsed = time.perf_counter() - started
    typed = error if isinstance(error, MuxiError) else _typed(error)
    # The frames of the traceback would keep everything alive that they refer to, as long as the result is kept.
    typed.__traceback__ = None
    return CallReply(error=typed, attempts=typed.attempts, elapsed=elapsed)


def _typed(error: Exception) -> MuxiError:
    cause = plain_cause(error)
    typed = BatchError("CALL_RAISED", f"the call raised an error that is not of the SDK: {cause}")
    typed.__cause__ = cause
    return typed


def why_not_a_call(call: object) -> MuxiError | None:
    """Return the error for something in the input that a batch cannot run, or None."""
    if isinstance(call, StreamCall):
        problem = "a batch takes calls with one result, and this is a stream; take chat.call(…) for chat_stream.call(…)"
    elif not isinstance(call, Call):
        problem = f"a batch takes calls, such as FormationClient.chat.call(…), got {type(call).__name__}"
    else:
        return None
    return ValidationError("NOT_A_CALL", problem)


# -- other processes ---------------------------------------------------------------------------------------------------

# Jobs and replies are packed here and not by the executor, so that what does not pickle has one meaning everywhere: an
# executor may break, or drop the task, or run it again.


def pack(token: str, recipe: bytes, job: BatchJob) -> bytes:
    """Return a job as bytes for :func:`perform_packed`.

    Args:
        token: id of the batch.
        recipe: the pickled recipe.
        job: the job.

    Raises:
        BatchError: the call does not pickle; nothing has been sent.
    """
    try:
        return pickle.dumps((token, recipe, pickle.dumps(job)))
    except Exception as error:
        cause = plain_cause(error)
        raise BatchError("CALL_NOT_PICKLED", f"the call cannot travel to another process: {cause}") from cause


def perform_packed(packed: bytes) -> bytes:
    """Run a packed job in a worker process, and return the packed reply."""
    started = time.perf_counter()
    token, recipe, job = pickle.loads(packed)  # noqa: S301  from our own parent
    try:
        reply = perform(_store(token, recipe), pickle.loads(job))  # noqa: S301  likewise
    except Exception as error:  # the recipe's module is missing here
        reply = _failure(error, started)
    try:
        return pickle.dumps(reply)
    except Exception as error:
        cause = plain_cause(error)
        lost: MuxiError = OutcomeUnknown(
            "ANSWER_LOST", f"the call has run, and its outcome cannot travel back to this process: {cause}"
        )
        return pickle.dumps(CallReply(error=lost, attempts=reply.attempts, elapsed=reply.elapsed))


def unpack(packed: bytes) -> CallReply:
    """Return a packed reply as it was."""
    reply: CallReply = pickle.loads(packed)  # noqa: S301  from our own worker
    return reply


_stores: dict[tuple[int, str], ClientStore] = {}
_stores_lock = threading.Lock()


def _store(token: str, recipe: bytes) -> ClientStore:
    """Return the clients of a batch in this process; those of a parent stay the parent's."""
    key = os.getpid(), token
    store = _stores.get(key)
    if store is None:
        made = ClientStore(pickle.loads(recipe))  # noqa: S301  from our own parent
        with _stores_lock:
            store = _stores.setdefault(key, made)
            while len(_stores) > _MOST_STORES:
                # Calls may still use its clients, which close by themselves when they are not used any more.
                del _stores[next(iter(_stores))]
    return store


renew_after_fork(sys.modules[__name__], "_stores_lock")
