"""The limits of query parameters, which are checked before a request is sent."""

from __future__ import annotations

from typing import NamedTuple

from muxi.redact import show_value

__all__ = ["Choice", "Range"]


class Range(NamedTuple):
    """A whole number, no less than ``least`` and, where there is a ``most``, no more than that."""

    least: int
    most: int | None = None
    #: Name of the argument, if the wire has another name for it.
    argument: str | None = None

    def problem(self, value: object) -> str | None:
        """Return the problem of a value; None if it is within the limit."""
        must = f"{self.argument} must" if self.argument else "Must"
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{must} be a whole number, not {show_value(value)}."
        if value < self.least:
            return f"{must} be greater than or equal to {self.least}."
        if self.most is not None and value > self.most:
            return f"{must} be less than or equal to {self.most}."
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
        return f"Must be {'some' if self.several else 'one'} of: {', '.join(self.choices)}; not {show_value(value)}."
