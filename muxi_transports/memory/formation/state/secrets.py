"""Secrets: their values, and what is shown of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Reloaded", "Secrets", "mask_secret"]


@dataclass(frozen=True)
class Reloaded:
    """The result of a reload, by the secrets' names."""

    added: tuple[str, ...] = ()
    overwritten: tuple[str, ...] = ()
    preserved: tuple[str, ...] = ()


class Secrets:
    """Secrets by name, in capitals.

    Args:
        values: those there are at the start.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        #: The file of the formation, which routes write to; values that a test puts here are loaded by a reload.
        self.file: dict[str, str] = {_spelt(key): value for key, value in values.items()}
        self._loaded = dict(self.file)

    def get(self, key: str) -> str | None:
        """The value of a secret."""
        return self._loaded.get(_spelt(key))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and _spelt(key) in self._loaded

    def __len__(self) -> int:
        return len(self._loaded)

    def put(self, key: str, value: str) -> None:
        """Keep a secret, in the file too."""
        self._loaded[_spelt(key)] = self.file[_spelt(key)] = value

    def remove(self, key: str) -> None:
        """Forget a secret, in the file too."""
        self._loaded.pop(_spelt(key), None)
        self.file.pop(_spelt(key), None)

    def is_one_of(self, key: str, names: set[str]) -> bool:
        """True if a secret is among these, in any spelling."""
        return _spelt(key) in {_spelt(name) for name in names}

    def masked(self) -> dict[str, str]:
        """All secrets by name, as they are shown."""
        return {key: mask_secret(value) for key, value in sorted(self._loaded.items())}

    def reload(self) -> Reloaded:
        """Take over what the file has; what it has no longer stays."""
        before = dict(self._loaded)
        file = {_spelt(key): value for key, value in self.file.items()}
        self._loaded |= file
        return Reloaded(
            tuple(key for key in file if key not in before),
            tuple(key for key, value in file.items() if key in before and before[key] != value),
            tuple(key for key in before if key not in file),
        )

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._loaded))})"


def mask_secret(value: str) -> str:
    """Mask a secret: its ends stay, of a short one nothing."""
    if len(value) <= 8:
        return "•" * 8
    return f"{value[:5]}{'•' * 6}{value[-4:]}" if value.startswith("sk-") else f"{value[:4]}{'•' * 8}{value[-4:]}"


def _spelt(key: str) -> str:
    return re.sub(r"\W", "_", key).upper()
