"""What the wire allows in a query, so that a wrong value is told before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from muxi.errors import ValidationError

__all__ = ["Choice", "Limit", "Range", "check_limits"]


class Range(NamedTuple):
    """A whole number, no less than ``least`` and, where there is a ``most``, no more than that."""

    least: int
    most: int | None = None

    def problem(self, value: object) -> str | None:
        """What is wrong with the value, if anything."""
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
        """What is wrong with the value, if anything."""
        if isinstance(value, str):
            given = [part.strip().lower() for part in value.split(",")] if self.several else [value]
            if set(given) <= set(self.choices):
                return None
        return f"Must be {'some' if self.several else 'one'} of: {', '.join(self.choices)}; not {value!r}."


Limit = Range | Choice


def check_limits(limits: Mapping[str, Limit], query: Mapping[str, object]) -> None:
    """Check the parameters of a query; those that are None are not sent and not checked.

    Raises:
        ValidationError: ``details["validation_errors"]`` has every wrong one, as ``query.limit``.
    """
    problems = list(_problems(limits, query))
    if problems:
        said = ", ".join(f"{problem['field']}: {problem['msg']}" for problem in problems)
        raise ValidationError("INVALID_PARAMETER", said, details={"validation_errors": problems})


def _problems(limits: Mapping[str, Limit], query: Mapping[str, object]) -> Iterator[dict[str, str]]:
    for name, limit in limits.items():
        value = query.get(name)
        if value is not None and (problem := limit.problem(value)):
            yield {"field": f"query.{name}", "msg": problem}
