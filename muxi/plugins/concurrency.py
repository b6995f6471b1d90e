"""A limit on the number of calls in progress; further calls wait in a queue.

A place may be released in a finalizer: where no hook tells the end of a call, its lease is released when its context
is collected. A finalizer runs in the middle of any code of any thread, also of code that holds this lock, so a release
never waits. It appends to ``_released``, a deque, which needs no lock, and tries to take the lock; a failed attempt
means that another thread holds it, and every holder looks at ``_released`` again after it has let the lock go
(:meth:`ConcurrencyLimit._grant_waiters`).
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from muxi.clock import Clock, SystemClock
from muxi.context import Context
from muxi.errors import RateLimitError
from muxi.forks import renew_after_fork
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_count, check_name, check_number
from muxi.plugins.lease import Lease

if TYPE_CHECKING:
    import asyncio

__all__ = ["ConcurrencyLimit"]

#: Interval at which a clock other than the machine's is polled, in seconds: a test that advances it wakes no waiter.
_POLL = 0.02


class ConcurrencyLimit:
    """``muxi.concurrency_limit``: a call waits for a free place and holds it until the call ends.

    A stream ends when its last event was read, or when it was closed. A call holds its place during its retries and
    the waits between them; an answer from a cache needs no place. Several clients, sync and async, threads and event
    loops may share one instance; they then share its places.

    Args:
        limit: number of calls in progress.
        max_wait: longest wait for a place in seconds; None waits until the call's ``deadline``.
        name: name of the plugin, for a client with several.

    Raises:
        ConfigurationError: an argument is invalid.

    A call that has waited too long fails with a :class:`muxi.RateLimitError` of the code ``LOCAL_CONCURRENCY_LIMIT``.
    It was not sent, and is not retried.
    """

    def __init__(self, limit: int, *, max_wait: float | None = 60.0, name: str = "muxi.concurrency_limit") -> None:
        check_count("limit", limit)
        if max_wait is not None:
            check_number("max_wait", max_wait, zero=True)
        check_name(name)
        self.name: str = name
        self._limit = limit
        self._max_wait = math.inf if max_wait is None else max_wait
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._taken = 0
        self._queue: deque[_Waiter] = deque()
        #: Released places that are not yet subtracted from ``_taken``.
        self._released: deque[None] = deque()

    @property
    def at_work(self) -> int:
        """Number of calls that hold a place."""
        return self._taken - len(self._released)

    @property
    def waiting(self) -> int:
        """Number of calls in the queue."""
        return sum(not waiter.is_decided for waiter in tuple(self._queue))

    @hookimpl
    def muxi_intercept(self, context: Context) -> Coroutine[Any, Any, None] | None:
        if self.name in context.state:
            return None
        if context.asynchronous:
            return self._enter_async(context)
        event = threading.Event()
        if waiter := self._enqueue(event.set):
            try:
                granted = self._wait(event, context)
            except BaseException:
                self._cancel_wait(waiter)
                raise
            if not granted and waiter.decide():
                raise self._refusal(context)
        context.state[self.name] = Lease(self._release)
        return None

    @hookimpl
    def muxi_call_finished(self, context: Context) -> None:
        lease: Lease | None = context.state.pop(self.name, None)
        if lease is not None:
            lease.end()

    async def _enter_async(self, context: Context) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        granted: asyncio.Future[None] = loop.create_future()
        if waiter := self._enqueue(lambda: loop.call_soon_threadsafe(_set, granted)):
            try:
                await self._wait_async(granted, context)
            except BaseException:
                self._cancel_wait(waiter)
                raise
            if not granted.done() and waiter.decide():
                raise self._refusal(context)
        context.state[self.name] = Lease(self._release)

    def _wait(self, granted: threading.Event, context: Context) -> bool:
        until = self._until(context)
        while (left := until - context.clock.monotonic()) > 0:
            if granted.wait(min(left, _poll_interval(context.clock), threading.TIMEOUT_MAX)):
                return True
        return granted.is_set()

    async def _wait_async(self, granted: asyncio.Future[None], context: Context) -> None:
        import asyncio

        until = self._until(context)
        while not granted.done() and (left := until - context.clock.monotonic()) > 0:
            bound = min(left, _poll_interval(context.clock))
            await asyncio.wait([granted], timeout=None if bound == math.inf else bound)

    def _until(self, context: Context) -> float:
        """Return the end of the wait, on the client's clock."""
        deadline = context.options.deadline
        end = math.inf if deadline is None else context.started + deadline
        return min(context.clock.monotonic() + self._max_wait, end)

    def _refusal(self, context: Context) -> RateLimitError:
        deadline = context.options.deadline
        late = deadline is not None and context.elapsed >= deadline
        bound = f"the call's deadline = {deadline:g} s" if late else f"max_wait = {self._max_wait:g} s"
        return RateLimitError(
            f"this client's own limit of {self._limit} calls at once was reached for longer than {bound}; nothing was "
            "sent (a stream counts until it was read to its end or closed)",
            0,
            code="LOCAL_CONCURRENCY_LIMIT",
        )

    def _enqueue(self, wake: Callable[[], object]) -> _Waiter | None:
        """Take a free place, or else join the queue; ``wake`` is called when a place was granted."""
        with self._lock:
            self._grant()
            waiter = None
            if self._taken < self._limit:
                self._taken += 1
            else:
                waiter = _Waiter(wake)
                self._queue.append(waiter)
        self._grant_waiters()
        return waiter

    def _cancel_wait(self, waiter: _Waiter) -> None:
        """Leave the queue; release a place that was granted at the same moment."""
        if not waiter.decide():
            self._release()

    def _release(self) -> None:
        """Release a place. Never waits for the lock, see the head of this module."""
        self._released.append(None)
        self._grant_waiters()

    def _grant_waiters(self) -> None:
        """Grant released places to waiters, unless another thread holds the lock and will do so."""
        while self._released and self._lock.acquire(blocking=False):
            try:
                self._grant()
            finally:
                self._lock.release()

    def _grant(self) -> None:
        """Count the released places, and grant them in the order of the queue. The caller holds the lock."""
        while self._released:
            self._released.pop()
            self._taken -= 1
        while self._queue and (self._taken < self._limit or self._queue[0].is_decided):
            waiter = self._queue.popleft()
            if waiter.decide():
                self._taken += waiter.wake()


class _Waiter:
    """A call in the queue. The first of grant, timeout and cancellation decides how its wait ends."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._undecided = deque([None])

    @property
    def is_decided(self) -> bool:
        return not self._undecided

    def decide(self) -> bool:
        """Claim the decision; true for the first caller only."""
        try:
            self._undecided.pop()  # atomic, and without a lock
        except IndexError:
            return False
        return True

    def wake(self) -> bool:
        """Notify the call that it has a place; false if its event loop was closed."""
        try:
            self._wake()
        except RuntimeError:
            return False
        return True


def _poll_interval(clock: Clock) -> float:
    return math.inf if isinstance(clock, SystemClock) else _POLL


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
