"""For transports that hold other transports: choosing and opening these, pauses on their clock, bounds of a request."""

from __future__ import annotations

from muxi_transports.around.choice import DEFAULT_TRANSPORT, Choice, Slot, Wrapping, common_clock
from muxi_transports.around.patience import BoundedWait, Patience
from muxi_transports.around.pause import Pause
from muxi_transports.around.waiting import KeepPause, Waiter

__all__ = [
    "DEFAULT_TRANSPORT",
    "BoundedWait",
    "Choice",
    "KeepPause",
    "Patience",
    "Pause",
    "Slot",
    "Waiter",
    "Wrapping",
    "common_clock",
]
