"""A plugin that marks every request with the cost centre that pays for it, and counts what each has used."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import muxi
from muxi import Call, Context, Outcome
from muxi.commands import CommandRegistry
from muxi.transport import Request

__all__ = ["PLUGIN", "USAGE", "CostCentre", "Ledger", "Usage", "cost_centre"]

#: Pays where nobody else has been named.
UNASSIGNED = "unassigned"

# A context variable is each thread's and each task's own, so that users of one client do not pay for each other.
_current: ContextVar[str | None] = ContextVar("acme_cost_centre", default=None)


@contextmanager
def cost_centre(name: str) -> Iterator[None]:
    """Have a cost centre pay for the calls that begin in this block.

    Args:
        name: the cost centre.
    """
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)


@dataclass(frozen=True)
class Usage:
    """What a cost centre has used."""

    calls: int = 0
    failures: int = 0
    #: Requests that were sent, repetitions included.
    attempts: int = 0
    #: Characters of streamed text; the wire does not say how many tokens of a model they were.
    characters: int = 0


class Ledger:
    """What all cost centres have used; to be read and written from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usage: dict[str, Usage] = {}

    def of(self, name: str) -> Usage:
        """What a cost centre has used so far."""
        return self._usage.get(name, Usage())

    def add(self, name: str, calls: int = 0, failures: int = 0, attempts: int = 0, characters: int = 0) -> None:
        """Add to what a cost centre has used."""
        with self._lock:
            usage = self.of(name)
            self._usage[name] = replace(
                usage,
                calls=usage.calls + calls,
                failures=usage.failures + failures,
                attempts=usage.attempts + attempts,
                characters=usage.characters + characters,
            )


class CostCentre:
    """The plugin. It works on sync and on async clients, since none of its hooks waits for anything.

    Args:
        ledger: where usage is written down.
        default: pays for what no :func:`cost_centre` block pays for; by default the variable ``ACME_COST_CENTRE``.
    """

    name: str = "acme.cost_centre"

    def __init__(self, ledger: Ledger, default: str | None = None) -> None:
        self.ledger = ledger
        self._default = default

    @muxi.hookimpl
    def muxi_register_commands(self, registry: CommandRegistry) -> None:
        """Add ``muxi-client acme-payer``; its module is imported when it is run."""
        registry.add("acme-payer", "acme_muxi.commands:payer", "print the cost centre that pays for calls")

    @muxi.hookimpl
    def muxi_call_started(self, context: Context) -> None:
        """Settle who pays, once: a stream may be read where another cost centre is set."""
        payer = _current.get() or self._default or os.environ.get("ACME_COST_CENTRE") or UNASSIGNED
        context.state[self.name] = payer

    @muxi.hookimpl
    def muxi_prepare_request(self, request: Request, context: Context) -> None:
        """Called on every attempt, so that repetitions are marked and counted too."""
        request.headers["X-Acme-Cost-Centre"] = context.state[self.name]
        self.ledger.add(context.state[self.name], attempts=1)

    @muxi.hookimpl
    def muxi_event_received(self, event: object, context: Context) -> None:
        """Count the text of chats."""
        if isinstance(event, Mapping) and event.get("type") == "text":
            self.ledger.add(context.state[self.name], characters=len(event.get("text") or ""))

    @muxi.hookimpl
    def muxi_call_finished(self, call: Call[object], outcome: Outcome, context: Context) -> None:
        """Count the call, and whether it failed."""
        self.ledger.add(context.state[self.name], calls=1, failures=1 if outcome.error else 0)


#: What all clients of this process have used.
USAGE: Ledger = Ledger()

#: What the entry point names: a plugin is an object, and all clients share this one.
PLUGIN: CostCentre = CostCentre(USAGE)
