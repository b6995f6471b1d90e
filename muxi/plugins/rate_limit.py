"""A limit on the rate of requests: a token bucket at which calls wait in the order of their arrival."""

from __future__ import annotations

import heapq
import math
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from muxi.context import Context
from muxi.errors import RateLimitError
from muxi.forks import renew_after_fork
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_count, check_function, check_name, check_number

__all__ = ["RateLimit"]

#: Number of buckets from which idle ones are removed.
_MANY = 1000


class RateLimit:
    """``muxi.rate_limit``: a request waits for a token; one that would wait too long is refused.

    Each request that is sent takes a token, retries included; an answer from a cache takes none. Clients, sync and
    async, and threads may share one instance; they then share the rate.

    Args:
        rate: number of requests in ``per`` seconds.
        per: seconds.
        burst: number of requests that may be sent at once after a pause; ``rate`` if not given, and at
            least 1. In any ``t`` seconds there are at most ``burst + t * rate / per`` requests.
        max_wait: longest wait in seconds; None waits until the call's ``deadline``.
        key: returns the key of a call's bucket, such as ``lambda context: context.call.user_id``; by default all calls
            share one.
        name: name of the plugin, for a client with several.

    Raises:
        ConfigurationError: an argument is invalid.

    A call that would have to wait longer fails at once with a :class:`muxi.RateLimitError` of the code
    ``LOCAL_RATE_LIMIT``, whose ``retry_after`` is that wait in seconds; it was not sent, and is not retried.
    """

    def __init__(
        self,
        rate: float,
        per: float = 1.0,
        *,
        burst: int | None = None,
        max_wait: float | None = 60.0,
        key: Callable[[Context], Hashable] | None = None,
        name: str = "muxi.rate_limit",
    ) -> None:
        check_number("rate", rate)
        check_number("per", per)
        if burst is not None:
            check_count("burst", burst)
        if max_wait is not None:
            check_number("max_wait", max_wait, zero=True)
        check_function("key", key)
        check_name(name)
        self.name: str = name
        self._rate = f"{rate:g} requests in {per:g} s"
        self._interval = per / rate
        self._ahead = ((burst or max(1, math.floor(rate))) - 1) * self._interval
        self._max_wait = math.inf if max_wait is None else max_wait
        self._key = key
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._buckets: dict[Hashable, _Bucket] = {}
        self._crowded = _MANY

    @hookimpl
    def muxi_intercept(self, context: Context) -> Coroutine[Any, Any, None] | None:
        now = context.clock.monotonic()
        deadline = context.options.deadline
        left = math.inf if deadline is None else deadline - context.elapsed
        with self._lock:
            bucket = self._bucket(self._key(context) if self._key else None, now)
            slot = bucket.first(now)
            wait = slot - now
            if wait <= 0 or (wait <= self._max_wait and wait < left):
                bucket.take(slot, now)
            else:
                raise self._refusal(wait, deadline if wait <= self._max_wait else None)
        if wait <= 0:
            return None
        if context.asynchronous:
            return _sleep_async(context, wait, slot, bucket)
        try:
            context.clock.sleep(wait)
        except BaseException:
            bucket.given_back.append(slot)
            raise
        return None

    def _bucket(self, key: Hashable, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._crowded:
                self._buckets = {other: kept for other, kept in self._buckets.items() if kept.tail > now}
                self._crowded = max(_MANY, 2 * len(self._buckets))
            bucket = self._buckets[key] = _Bucket(self._interval, self._ahead)
        return bucket

    def _refusal(self, wait: float, deadline: float | None) -> RateLimitError:
        bound = f"max_wait = {self._max_wait:g} s" if deadline is None else f"the call's deadline = {deadline:g} s"
        return RateLimitError(
            f"this client's own limit of {self._rate} is used up: the call would wait {wait:.3g} s, and {bound} does "
            "not allow that; nothing has been sent",
            0,
            wait,
            code="LOCAL_RATE_LIMIT",
        )


async def _sleep_async(context: Context, wait: float, slot: float, bucket: _Bucket) -> None:
    try:
        await context.clock.sleep_async(wait)
    except BaseException:
        bucket.given_back.append(slot)
        raise


class _Bucket:
    """The virtual scheduling of a token bucket (ITU-T I.371): it assigns each request the time at which it may be sent.

    A request is assigned its time on arrival and sleeps until then, so that the order is kept and nothing is woken.

    Args:
        interval: seconds between two tokens.
        ahead: seconds' worth of tokens that may be used at once.
    """

    def __init__(self, interval: float, ahead: float) -> None:
        self._interval = interval
        self._ahead = ahead
        #: Time at which the bucket will be full.
        self.tail = -math.inf
        #: Times assigned to requests that were cancelled; appended to by any thread.
        self.given_back: deque[float] = deque()
        self._free: list[float] = []

    def first(self, now: float) -> float:
        """Return the time for the next request; not later than ``now`` if it may be sent at once."""
        while self.given_back:
            heapq.heappush(self._free, self.given_back.popleft())
        while self._free and self._free[0] < now:
            # Its token has gone back into the bucket, which may be full.
            heapq.heappop(self._free)
        return self._free[0] if self._free else max(self.tail, now) - self._ahead

    def take(self, slot: float, now: float) -> None:
        """Assign that time."""
        if self._free:
            heapq.heappop(self._free)
        else:
            self.tail = max(self.tail, now) + self._interval
