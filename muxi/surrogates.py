"""Halves of surrogate pairs: JSON can say them alone, and UTF-8 cannot encode them (RFC 8259, section 8.2)."""

from __future__ import annotations

__all__ = ["has_half", "replace_halves"]


def has_half(text: str) -> bool:
    """Return whether a text has half of a surrogate pair, so that UTF-8 cannot encode it."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def replace_halves(text: str) -> str:
    """Return a text in which halves of surrogate pairs are joined or, alone, replaced by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") if has_half(text) else text
