"""The name of the command, and of the variable by which shells ask it for completions."""

from __future__ import annotations

__all__ = ["COMPLETE", "PROGRAM"]

PROGRAM = "muxi-client"
COMPLETE = "_MUXI_CLIENT_COMPLETE"
