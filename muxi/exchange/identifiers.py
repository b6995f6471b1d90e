"""Random ids of the platform's form."""

from __future__ import annotations

import os

__all__ = ["random_id"]

_ALPHABET = b"_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TABLE = bytes(_ALPHABET[byte % 63] for byte in range(256))


def random_id(prefix: str, length: int = 21) -> str:
    """``prefix`` and that many random characters, of almost 6 bits each, from the system's secure source."""
    return prefix + os.urandom(length).translate(_TABLE).decode("ascii")
