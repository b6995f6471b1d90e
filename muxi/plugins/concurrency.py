"""At most so many calls at work at once; the others wait in line."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from muxi.clock import Clock, SystemClock
from muxi.context import Context
from muxi.errors import RateLimitError
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_count, check_name, check_number
from muxi.plugins.lease import Lease

if TYPE_CHECKING:
    import asyncio

__all__ = ["ConcurrencyLimit"]

#: How often a clock that is not the machine's own is looked at, in seconds: nothing tells when a test has moved it.
_GLANCE = 0.02


class ConcurrencyLimit:
    """``muxi.concurrency_limit``: a call waits for a free place, and keeps it until it has ended.

    A stream has ended when its last event has been read, or when it was closed. A call keeps its place over its
    repetitions and the waits between them; what a cache answers needs none. One instance may serve several clients,
    sync and async, threads and event loops: they then share the places.

    Args:
        limit: how many calls at once.
        max_wait: the longest wait for a place in seconds; None waits as long as the call's ``deadline`` allows.
        name: of the plugin, where a client has several.

    Raises:
        ConfigurationError: an argument has no sense.

    A call that has waited longer is refused with a :class:`muxi.RateLimitError` of the code
    ``LOCAL_CONCURRENCY_LIMIT``; nothing has been sent, and it is not repeated.
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
        self._taken = 0
        self._line: deque[_Waiter] = deque()
        #: Places that have come back and are not yet counted; appended to from anywhere, a collector too.
        self._returned: deque[None] = deque()

    @property
    def at_work(self) -> int:
        """How many calls have a place."""
        return self._taken - len(self._returned)

    @property
    def waiting(self) -> int:
        """How many calls wait for one."""
        return sum(not waiter.decided for waiter in tuple(self._line))

    @hookimpl
    def muxi_intercept(self, context: Context) -> Coroutine[Any, Any, None] | None:
        if self.name in context.state:
            return None
        if context.asynchronous:
            return self._enter_async(context)
        event = threading.Event()
        if waiter := self._line_up(event.set):
            try:
                granted = self._wait(event, context)
            except BaseException:
                self._leave(waiter)
                raise
            if not granted and waiter.decide():
                raise self._refusal(context)
        context.state[self.name] = Lease(self._give_back)
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
        if waiter := self._line_up(lambda: loop.call_soon_threadsafe(_set, granted)):
            try:
                await self._wait_async(granted, context)
            except BaseException:
                self._leave(waiter)
                raise
            if not granted.done() and waiter.decide():
                raise self._refusal(context)
        context.state[self.name] = Lease(self._give_back)

    def _wait(self, granted: threading.Event, context: Context) -> bool:
        until = self._until(context)
        while (left := until - context.clock.monotonic()) > 0:
            if granted.wait(min(left, _glance(context.clock), threading.TIMEOUT_MAX)):
                return True
        return granted.is_set()

    async def _wait_async(self, granted: asyncio.Future[None], context: Context) -> None:
        import asyncio

        until = self._until(context)
        while not granted.done() and (left := until - context.clock.monotonic()) > 0:
            bound = min(left, _glance(context.clock))
            await asyncio.wait([granted], timeout=None if bound == math.inf else bound)

    def _until(self, context: Context) -> float:
        """When the wait is over, on the clock."""
        deadline = context.options.deadline
        end = math.inf if deadline is None else context.started + deadline
        return min(context.clock.monotonic() + self._max_wait, end)

    def _refusal(self, context: Context) -> RateLimitError:
        deadline = context.options.deadline
        late = deadline is not None and context.elapsed >= deadline
        bound = f"the call's deadline = {deadline:g} s" if late else f"max_wait = {self._max_wait:g} s"
        return RateLimitError(
            f"this client's own limit of {self._limit} calls at once was reached for longer than {bound}; nothing has "
            "been sent (a stream counts until it has been read to its end or closed)",
            0,
            code="LOCAL_CONCURRENCY_LIMIT",
        )

    def _line_up(self, wake: Callable[[], object]) -> _Waiter | None:
        """Take a place, or else stand in line; ``wake`` is called when there is a place."""
        with self._lock:
            self._serve()
            waiter = None
            if self._taken < self._limit:
                self._taken += 1
            else:
                waiter = _Waiter(wake)
                self._line.append(waiter)
        self._hand_on()
        return waiter

    def _leave(self, waiter: _Waiter) -> None:
        """Stand in line no longer; where a place has been given in the same moment, pass it on."""
        if not waiter.decide():
            self._give_back()

    def _give_back(self) -> None:
        self._returned.append(None)
        self._hand_on()

    def _hand_on(self) -> None:
        """Give the places that have come back to those who wait.

        Never waits for the lock, since it may be called by a collector in the middle of anything. Whoever holds the
        lock meanwhile comes here afterwards.
        """
        while self._returned and self._lock.acquire(blocking=False):
            try:
                self._serve()
            finally:
                self._lock.release()

    def _serve(self) -> None:
        """Under the lock: count what has come back, and give it to the first in line."""
        while self._returned:
            self._returned.pop()
            self._taken -= 1
        while self._line and (self._taken < self._limit or self._line[0].decided):
            waiter = self._line.popleft()
            if waiter.decide():
                self._taken += waiter.call()


class _Waiter:
    """One who stands in line, and is decided about once: a place is given, or it leaves."""

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._once = threading.Lock()

    @property
    def decided(self) -> bool:
        return self._once.locked()

    def decide(self) -> bool:
        """Whether it is for the caller to decide: true once."""
        return self._once.acquire(blocking=False)

    def call(self) -> bool:
        """Tell that there is a place; false where nobody is there any more."""
        try:
            self._wake()
        except RuntimeError:  # its event loop has been closed
            return False
        return True


def _glance(clock: Clock) -> float:
    return math.inf if isinstance(clock, SystemClock) else _GLANCE


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
