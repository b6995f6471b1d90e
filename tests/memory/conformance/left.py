"""Captures that nobody has set up yet, as patterns. A resource that is embedded takes its own out of here."""

from __future__ import annotations

WAITING: tuple[str, ...] = ("*",)
