"""The embedded formation: what it remembers, what its agents say, and the routes in front of it."""

from __future__ import annotations

from muxi_transports.memory.formation.app import EmbeddedFormation

__all__ = ["EmbeddedFormation"]
