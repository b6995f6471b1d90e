"""Transports whose network fails as planned: connections refused and reset, streams cut, answers that stall.

Any transport can be wrapped; what goes wrong is chosen by a script, by route, or by chance with a seed::

    faults = Faults()
    faults.on("POST /v1/chat", Refuse(), times=1)
    client = FormationClient(transport=FaultyTransport("memory", faults), url="http://memory", client_key="any")
"""

from __future__ import annotations

from muxi_transports.faulty.faults import (
    BadTls,
    Cut,
    CutBetweenEvents,
    Duplicate,
    Fault,
    Refuse,
    ResetAnswer,
    ResetRequest,
    SlowBytes,
    Stall,
    Status,
    Unreachable,
    WrongContentType,
)
from muxi_transports.faulty.plan import Faults, Struck
from muxi_transports.faulty.transport import AsyncFaultyTransport, Faulty, FaultyTransport

__all__ = [
    "AsyncFaultyTransport",
    "BadTls",
    "Cut",
    "CutBetweenEvents",
    "Duplicate",
    "Fault",
    "Faults",
    "Faulty",
    "FaultyTransport",
    "Refuse",
    "ResetAnswer",
    "ResetRequest",
    "SlowBytes",
    "Stall",
    "Status",
    "Struck",
    "Unreachable",
    "WrongContentType",
]
