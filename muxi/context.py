"""What plugins are told about the call that they are asked about."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from muxi.clock import Clock
from muxi.config import Address

if TYPE_CHECKING:
    from muxi.call import Call
    from muxi.errors import MuxiError
    from muxi.transport import AsyncResponse, BufferedResponse, Request, Response

__all__ = ["STOP", "Context", "Options", "Outcome", "Stop"]


#: Time that is as good as none, in seconds: what is left of a deadline is not split finer.
MOMENT = 0.001


class Stop(Enum):
    """The type of :data:`STOP`."""

    STOP = "stop"

    def __repr__(self) -> str:
        return "STOP"


#: What ``muxi_retry_delay`` returns to have no further attempt.
STOP = Stop.STOP


@dataclass(frozen=True)
class Options:
    """The settings that may differ from call to call (``client.with_options``)."""

    timeout: float
    connect_timeout: float
    max_retries: int
    deadline: float | None = None
    #: ``"default"`` leaves it to the kind of stream.
    idle_timeout: float | str | None = "default"
    stall_timeout: float | str | None = "default"
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    idempotency_key: str | None = None
    cancel_on_close: bool = False
    validate_responses: Literal["warn", "strict", "off"] = "warn"


@dataclass
class Context:
    """One logical call on its way, over all its attempts. Plugins may read everything and keep ``state``."""

    call: Call[Any]
    address: Address
    #: The address of the call itself, with its query, percent-encoded.
    url: str
    options: Options
    clock: Clock
    #: The number of the current attempt, from 1; 0 before the first.
    attempt: int = 0
    #: The same over all attempts; None where the call carries none.
    idempotency_key: str | None = None
    #: The id under which the platform tracks the work, where the call gave it one.
    request_id: str | None = None
    #: When the call began, on ``clock.monotonic()``.
    started: float = 0.0
    #: Whether the client is an async one, so that a hook may return something to await.
    asynchronous: bool = False
    #: The request of the current attempt.
    request: Request | None = None
    #: Room for plugins to remember something between the hooks of one call; use keys of your own.
    state: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self.clock.monotonic() - self.started


@dataclass(frozen=True)
class Outcome:
    """How an attempt or a call ended: with an error, or with a result and the answer behind it.

    A stream has no result: its events were the caller's.
    """

    error: MuxiError | BaseException | None = None
    result: Any = None
    response: Response | AsyncResponse | BufferedResponse | None = None
    #: Of a stream: whether the caller closed it, or let go of it, before its end.
    left: bool = False
