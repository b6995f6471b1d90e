"""The limits of query parameters, which are checked before a request is sent."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Choice", "Range"]


class Range(NamedTuple):
    """A whole number, no less than ``least`` and, where there is a ``most``, no more than that."""

    least: int
    most: int | None = None

    def problem(self, value: object) -> str | None:
        """Return the problem of a value; None if it is within the limit."""
        if isinstance(value, bool) or not isinstance(value, int):
            return f"Must be a whole number, not {value!r}."
        if value < self.least:
            return f"Must be greater than or equal to {self.least}."
        if self.most is not None and value > self.most:
            return f"Must be less than or equal to {self.most}."
        return None


class Choice(NamedTuple):
    """One of these texts, or with ``several`` any of them, separated by commas."""

    choices: tuple[str, ...]
    several: bool = False

    def problem(self, value: object) -> str | None:
        """Return the problem of a value; None if it is within the limit."""
        if isinstance(value, str):
            given = [part.strip().lower() for part in value.split(",")] if self.several else [value]
            if set(given) <= set(self.choices):
                return None
        return f"Must be {'some' if self.several else 'one'} of: {', '.join(self.choices)}; not {value!r}."
