"""Plans of faults: by a script, by route, or by chance."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import NamedTuple

from muxi.errors import ConfigurationError
from muxi.forks import renew_after_fork
from muxi.redact import redact_text
from muxi.transport import Request
from muxi.transport.arguments import check_arguments
from muxi_transports.faulty.faults import Fault
from muxi_transports.routing.rule import RoutingRule, parse_rule, place_of

__all__ = ["Faults", "Struck"]


class Struck(NamedTuple):
    """A fault that a request has met."""

    method: str
    #: Without its query; a password in it is masked.
    url: str
    fault: Fault


@dataclass
class _PlannedFaults:
    rule: RoutingRule
    fault: Fault
    left: int | None
    skip: int
    probability: float


@check_arguments()
class Faults:
    """A plan of faults. It may serve transports of both colours, and change while they are in use.

    A script goes first, one entry for each request. When it has run out, the first rule that fits strikes.

    Args:
        *script: as :meth:`script` takes it.
        seed: makes chance repeatable. Without one it is 0, so that a test does the same each time.
        skew: seconds that the client's clock is ahead of the platform's; below 0 it is behind.
    """

    def __init__(self, *script: Fault | None, seed: int | str = 0, skew: float = 0.0) -> None:
        self.skew: float = skew
        #: The faults that have struck, in order.
        self.struck: list[Struck] = []
        self._random = random.Random(seed if isinstance(seed, int) else seed.encode("utf-8", "surrogatepass"))  # noqa: S311  chance, not a secret
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._script: list[Fault | None] = []
        self._entries: list[_PlannedFaults] = []
        self.script(*script)

    def script(self, *faults: Fault | None) -> None:
        """Plan the next requests, one entry each; None is no fault.

        Raises:
            ConfigurationError: an entry is no fault.
        """
        for fault in faults:
            if fault is not None:
                _check_fault(fault)
        with self._lock:
            self._script.extend(faults)

    def on(self, rule: str, fault: Fault, *, times: int | None = None, skip: int = 0, probability: float = 1.0) -> None:
        """Plan a fault for the requests of a route.

        Args:
            rule: which requests: ``POST /v1/chat``, ``/**/memories``, ``*``; the rules of routing transports.
            fault: what goes wrong with them.
            times: with how many of them at the most; None is with all.
            skip: how many of them pass unharmed first.
            probability: the share of them that it strikes, from 0 to 1.

        Raises:
            ConfigurationError: the rule is none, or a number is out of range.
        """
        _check_fault(fault)
        if not 0 <= probability <= 1 or skip < 0 or (times is not None and times < 0):
            raise ConfigurationError("on() takes a probability from 0 to 1, and times and skip from 0 up")
        with self._lock:
            self._entries.append(_PlannedFaults(parse_rule(rule), fault, times, skip, probability))

    def clear(self) -> None:
        """Let everything pass from now on. What has struck stays listed."""
        with self._lock:
            self._script.clear()
            self._entries.clear()

    def choose(self, request: Request) -> Fault | None:
        """Choose the fault of this request, and note it as struck."""
        with self._lock:
            fault = self._script.pop(0) if self._script else self._by_rule(request)
            if fault is not None:
                self.struck.append(Struck(request.method, redact_text(request.url.partition("?")[0]), fault))
            return fault

    def _by_rule(self, request: Request) -> Fault | None:
        place = place_of(request)
        for entry in self._entries:
            if entry.left == 0 or not entry.rule.fits(place):
                continue
            if entry.skip:
                entry.skip -= 1
                continue
            if entry.probability < 1 and self._random.random() >= entry.probability:
                continue
            if entry.left is not None:
                entry.left -= 1
            return entry.fault
        return None

    def __repr__(self) -> str:
        rules = [f"{entry.rule.text!r}: {entry.fault!r}" for entry in self._entries]
        return f"Faults({', '.join([*map(repr, self._script), *rules])})"


def _check_fault(fault: object) -> None:
    if not isinstance(fault, Fault):
        hint = f"; give {fault.__name__}()" if isinstance(fault, type) and issubclass(fault, Fault) else ""
        raise ConfigurationError(f"{fault!r} is no fault{hint}")
