"""Times as the runtime writes and reads them."""

from __future__ import annotations

from datetime import datetime, timezone

__all__ = ["iso", "seconds"]


def iso(timestamp: float, suffix: str = "") -> str:
    """``2026-11-22T15:42:30.945568``, in UTC, with or without saying so."""
    return datetime.fromtimestamp(timestamp, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f") + suffix


def seconds(text: str) -> float | None:
    """Seconds since the Unix epoch of an ISO 8601 time, in UTC where it names no zone; None where it is none."""
    try:
        # Python 3.10 does not read a Z.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
