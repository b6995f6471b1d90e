"""A cache of the answers to reading calls."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from muxi.call import Call, Key, Repeat
from muxi.context import Context, Outcome
from muxi.errors import ConfigurationError, MissingExtraError
from muxi.exchange.repeat import repeat_of
from muxi.forks import renew_after_fork
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_count, check_name, check_number
from muxi.redact import show_value
from muxi.streaming.call import StreamCall
from muxi.transport import AsyncResponse, BufferedResponse, Headers, Request, Response

try:
    import cachetools
except ImportError as _missing:
    raise MissingExtraError(
        f"the response cache needs cachetools, which cannot be imported ({_missing}): pip install 'muxi-client[cache]'"
    ) from _missing

__all__ = ["ResponseCache"]

#: Reading calls about a current state, which a cached answer would get wrong. Waiting for work uses these.
_LIVE = frozenset(
    {
        "get_audit_log",
        "get_distilled_status",
        "get_forget_status",
        "get_ingestion_status",
        "get_rebuild_status",
        "get_request_status",
        "get_requests",
        "get_status",
        "health",
    }
)

#: Number of users whose writes are remembered; beyond it the cache is cleared.
_MANY = 10_000

#: Headers that differ from request to request without changing the answer.
_MEANINGLESS = frozenset({"baggage", "cache-control", "traceparent", "tracestate", "x-muxi-idempotency-key"})


class ResponseCache:
    """``muxi.cache``: answers a repeated GET from memory, for ``ttl`` seconds after a successful answer.

    Requests are the same if they have the same method, URL, user, key and other headers. Keys are kept as salted hashes
    only. Never kept are streams, downloads and plain texts; answers of a server (each request to one is signed for
    itself); answers with an error; and those whose ``Cache-Control`` forbids it, while a ``max-age`` shortens the time.
    Not kept either, unless ``routes`` names them, are calls that ask how something is doing: health, status, requests
    and jobs.

    A call that may write clears the entries of its user at its address, before it is sent and when it has ended; one
    without a user clears all entries of the address. An answer that arrives in between is not kept.

    An answer out of the cache has the headers ``Age`` and ``Cache-Status: muxi-client; hit`` (RFC 9211). A call with
    the header ``Cache-Control: no-cache`` is sent; with ``no-store`` its answer is not kept either. One instance may
    serve several clients, sync and async, and threads, as long as they go by the same clock.

    Args:
        ttl: seconds.
        max_entries: number of answers that are kept; the least recently used is dropped first.
        routes: the only routes whose answers are kept, as templates: ``["/agents", "/agents/{agent_id}"]``.
        name: name of the plugin.

    Raises:
        ConfigurationError: an argument is invalid.
    """

    def __init__(
        self,
        ttl: float = 60.0,
        max_entries: int = 1024,
        *,
        routes: Collection[str] | None = None,
        name: str = "muxi.cache",
    ) -> None:
        check_number("ttl", ttl)
        check_count("max_entries", max_entries)
        check_name(name)
        chosen: object = routes
        if isinstance(chosen, str) or not isinstance(chosen, Collection | None):
            raise ConfigurationError(f"routes= takes a collection of route templates, got {show_value(chosen)}")
        for route in chosen or ():
            if not isinstance(route, str) or not route.startswith("/"):
                raise ConfigurationError(
                    f"routes= takes templates such as '/agents/{{agent_id}}', got {show_value(route)}"
                )
        self.name: str = name
        #: Number of calls answered from the cache, and of calls that were not.
        self.hits: int = 0
        self.misses: int = 0
        self._ttl = ttl
        self._routes = None if routes is None else frozenset(routes)
        self._salt = os.urandom(32)
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        #: The time of the current operation, on the client's clock.
        self._now = 0.0
        self._entries: cachetools.TLRUCache[bytes, _CachedAnswer] = cachetools.TLRUCache(
            max_entries, ttu=lambda _, entry, now: now + entry.lifetime, timer=lambda: self._now
        )
        #: Number of writes by address and user (or none). Answers requested before a write are out of date, whether
        #: they are cached or still on their way.
        self._writes: dict[tuple[str, str | None], int] = {}
        self._clears = 0

    def __len__(self) -> int:
        """Number of entries, including expired ones whose place was not needed yet."""
        with self._lock:
            return len(self._entries)

    def clear(self) -> None:
        """Remove all entries."""
        with self._lock:
            self._clear()

    @hookimpl(tryfirst=True)
    def muxi_intercept(self, request: Request, context: Context) -> BufferedResponse | None:
        call = context.call
        if request.method != "GET" or repeat_of(call) is not Repeat.SAFE:
            self._forget(context)
            return None
        if not self._is_cacheable(call):
            return None
        wanted = _directives(request.headers)
        if "no-store" in wanted:
            return None
        key = self._key(request)
        with self._lock:
            self._now = context.clock.monotonic()
            state = self._state(context)
            entry = None if "no-cache" in wanted else self._entries.get(key)
            if entry is not None and entry.state == state:
                self.hits += 1
                return entry.answer(self._now)
            self.misses += 1
            context.state[self.name] = _Pending(key, state)
        return None

    @hookimpl(tryfirst=True)
    def muxi_response_received(
        self, response: Response | AsyncResponse | BufferedResponse, context: Context
    ) -> BufferedResponse | None:
        pending: _Pending | None = context.state.get(self.name)
        if pending is not None and isinstance(response, BufferedResponse):
            pending.entry = self._entry(response, context, pending.state)
        return None

    @hookimpl
    def muxi_call_finished(self, call: Call[object], outcome: Outcome, context: Context) -> None:
        if call.method != "GET" or repeat_of(call) is not Repeat.SAFE:
            self._forget(context)
            return
        pending: _Pending | None = context.state.pop(self.name, None)
        # Only now is it certain that the answer was decoded without an error.
        if pending is None or pending.entry is None or outcome.error is not None:
            return
        with self._lock:
            if self._state(context) == pending.state:
                self._now = context.clock.monotonic()
                self._entries[pending.key] = pending.entry

    def _is_cacheable(self, call: Call[object]) -> bool:
        if isinstance(call, StreamCall) or call.into is not None or call.plain_text or call.key is Key.SIGNATURE:
            return False
        return call.operation not in _LIVE if self._routes is None else call.path in self._routes

    def _key(self, request: Request) -> bytes:
        """Return the cache key of a request, from which no key of the platform can be recovered."""
        digest = hashlib.blake2b(key=self._salt)
        headers = sorted((name.lower(), value) for name, value in request.headers.items())
        kept = [pair for pair in headers if pair[0] not in _MEANINGLESS]
        digest.update(repr((request.method, request.url, kept)).encode("utf-8", "surrogatepass"))
        return digest.digest()

    def _entry(self, response: BufferedResponse, context: Context, state: _State) -> _CachedAnswer | None:
        directives = _directives(response.headers)
        if (
            response.status != 200
            or {"no-store", "no-cache"} & directives.keys()
            or response.headers.get("vary") == "*"
        ):
            return None
        age = _seconds(response.headers.get("age")) or 0.0
        lifetime = self._ttl
        if (bound := _seconds(directives.get("max-age"))) is not None:
            lifetime = min(lifetime, bound - age)
        if lifetime <= 0:
            return None
        return _CachedAnswer(
            state, response.headers.copy(), response.content, response.reason, age, context.clock.monotonic(), lifetime
        )

    def _forget(self, context: Context) -> None:
        scope = (context.address.base_url, context.call.user_id or None)
        with self._lock:
            self._writes[scope] = self._writes.get(scope, 0) + 1
            if len(self._writes) > _MANY:
                self._clear()

    def _clear(self) -> None:
        self._clears += 1
        self._entries.clear()
        self._writes.clear()

    def _state(self, context: Context) -> _State:
        address, user = context.address.base_url, context.call.user_id or None
        return self._clears, self._writes.get((address, None), 0), self._writes.get((address, user), 0)


#: Number of clearings, of writes without a user, and of writes by the user.
_State: TypeAlias = tuple[int, int, int]


@dataclass
class _Pending:
    """A reading call in progress."""

    key: bytes
    state: _State
    entry: _CachedAnswer | None = None


@dataclass(frozen=True)
class _CachedAnswer:
    """A cached answer."""

    #: Number of writes before the request.
    state: _State
    headers: Headers
    content: bytes
    reason: str
    #: Age on arrival, in seconds, and time of arrival on the clock.
    age: float
    came: float
    lifetime: float

    def answer(self, now: float) -> BufferedResponse:
        headers = self.headers.copy()
        headers["Age"] = str(int(self.age + now - self.came))
        headers["Cache-Status"] = f"muxi-client; hit; ttl={int(self.came + self.lifetime - now)}"
        return BufferedResponse(200, headers, self.content, reason=self.reason)


def _directives(headers: Headers) -> dict[str, str]:
    """Parse ``Cache-Control`` into lower-case names and values, empty for none (RFC 9111)."""
    parts = (part.strip().partition("=") for part in (headers.get("cache-control") or "").split(","))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in parts if name.strip()}


def _seconds(text: str | None) -> float | None:
    """Parse a header's number of seconds; 0 for one that cannot be parsed, which prevents caching."""
    if text is None:
        return None
    return float(text) if text.isascii() and text.isdigit() else 0.0
