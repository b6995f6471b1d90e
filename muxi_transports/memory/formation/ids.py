"""Ids as the runtime makes them: 21 characters of letters, digits and underscores behind a prefix."""

from __future__ import annotations

import random

__all__ = ["Ids"]

_ALPHABET = "_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Ids:
    """A source of ids.

    Args:
        seed: the same seed gives the same ids; None gives others each time.
    """

    def __init__(self, seed: int | str | None = None) -> None:
        # Ids name things, they guard nothing: what counts is that a test can repeat them.
        self._random = random.Random(seed.encode("utf-8", "surrogatepass") if isinstance(seed, str) else seed)  # noqa: S311

    def new(self, prefix: str = "", length: int = 21) -> str:
        """An id such as ``req_0ln7S1mtsrsswV53JEcjV``."""
        return prefix + "".join(self._random.choices(_ALPHABET, k=length))
