"""Text as the server's language has it."""

from __future__ import annotations

__all__ = ["well_formed"]


def well_formed(text: str) -> str:
    """A text with U+FFFD in the place of what is no character: Go's strings are read as UTF-8."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
