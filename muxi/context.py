"""The state of a call on its way, which every hook of the call gets."""

from __future__ import annotations

from enum import Enum
from typing import Any

from muxi.call import Call
from muxi.clock import Clock
from muxi.config import Address, CallOptions
from muxi.errors import MuxiError
from muxi.records import Record, field
from muxi.redact import SHORTEST_SECRET, keys_in, redact_text
from muxi.transport import AsyncResponse, BufferedResponse, Request, Response

__all__ = ["STOP", "Context", "Outcome", "Stop"]


#: Smallest timeout passed to a transport, in seconds. Less counts as an expired deadline.
MOMENT = 0.001


class Stop(Enum):
    """The type of :data:`STOP`."""

    STOP = "stop"

    def __repr__(self) -> str:
        return "STOP"


#: What ``muxi_retry_delay`` returns to have no further attempt.
STOP = Stop.STOP


class Context(Record):
    """One logical call over all its attempts. Plugins may read every field, and keep what they need in ``state``."""

    call: Call[Any]
    address: Address
    #: The absolute URL of the call with its query, percent-encoded.
    url: str
    options: CallOptions
    clock: Clock
    #: The number of the current attempt, from 1; 0 before the first.
    attempt: int = 0
    #: Idempotency key, the same for all attempts; None where the call has none.
    idempotency_key: str | None = None
    #: The id under which the platform tracks the work, where the call gave it one.
    request_id: str | None = None
    #: When the call began, on ``clock.monotonic()``.
    started: float = 0.0
    #: Whether the client is an async one, so that a hook may return something to await.
    asynchronous: bool = False
    #: Whether the transport keeps requests in this process, so that no other program can read a key on its way.
    private: bool = False
    #: The request of the current attempt.
    request: Request | None = None
    #: Values that plugins keep between the hooks of one call; use keys of your own.
    state: dict[str, Any] = field(default_factory=dict, repr=False)

    #: Keys that sign requests of this call and are in none of them; errors and logs mask them too.
    signing_keys: tuple[str, ...] = field(default=(), repr=False)

    def add_signing_key(self, key: str) -> None:
        """Have errors and logs of this call mask a key that is in none of its requests, but signs them."""
        if len(key) >= SHORTEST_SECRET and key not in self.signing_keys:
            self.signing_keys = (*self.signing_keys, key)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that errors and logs of this call mask: keys of its requests, and secrets in the call."""
        headers = self.options.headers if self.request is None else self.request.headers
        return tuple(dict.fromkeys((*keys_in(headers.items()), *self.signing_keys, *self.call.secrets)))

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.clock.monotonic() - self.started

    def __repr__(self) -> str:
        url = redact_text(self.url, self.secrets)
        return f"<{type(self).__name__} of {self.call.label}, {url}, attempt {self.attempt}>"


class Outcome(Record, frozen=True):
    """The end of an attempt or a call: an error, or a result with its answer.

    A stream has no result: its events were the caller's.
    """

    error: MuxiError | BaseException | None = None
    result: Any = None
    response: Response | AsyncResponse | BufferedResponse | None = None
    #: Of a stream: whether the caller closed or dropped it before its end.
    left: bool = False
