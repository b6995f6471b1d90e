"""A pause, as a value: what faults and worlds yield that never wait by themselves."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pause"]


@dataclass(frozen=True)
class Pause:
    """A wait on the clock of a transport, which the transport keeps.

    Args:
        seconds: how long; zero is allowed.
    """

    seconds: float
