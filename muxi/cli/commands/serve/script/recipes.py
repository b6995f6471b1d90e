"""Recipes: the replies of a script, ready to be made for a turn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from muxi_transports.memory import Part, Reply, Turn

__all__ = ["FACTS", "PartsRecipe", "Recipe", "Template"]

_HOLE = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
#: The values of a turn that a text may refer to.
FACTS = ("message", "user_id", "session_id", "agent_id")


@dataclass(frozen=True)
class Template:
    """A text with placeholders: ``${{ message }}``, ``${{ groups.city }}``."""

    text: str

    @property
    def names(self) -> list[str]:
        """The placeholders, in order."""
        return _HOLE.findall(self.text)

    def fill(self, turn: Turn) -> str:
        """Replace the placeholders by the values of a turn."""

        def value(hole: re.Match[str]) -> str:
            name = hole[1]
            if name.startswith("groups."):
                return turn.groups.get(name.removeprefix("groups."), "")
            return str(getattr(turn, name))

        return _HOLE.sub(value, self.text)


@dataclass(frozen=True)
class Recipe:
    """One reply, or one part of a reply.

    Args:
        make: makes the reply from its fields.
        fields: the arguments of ``make``; templates are filled in and recipes are made first.
    """

    make: Callable[..., Part | Reply]
    fields: Mapping[str, object]

    def __call__(self, turn: Turn) -> Reply:
        """Make the reply to a turn."""
        return self.make(**{name: _fill_value(value, turn) for name, value in self.fields.items()})


@dataclass(frozen=True)
class PartsRecipe:
    """A reply of several parts."""

    parts: Sequence[Callable[[Turn], Part]]

    def __call__(self, turn: Turn) -> Iterator[Part]:
        """Make the parts one by one, so that a pause delays those after it."""
        return (part(turn) for part in self.parts)


def _fill_value(value: object, turn: Turn) -> object:
    if isinstance(value, Template):
        return value.fill(turn)
    # An agent, where a reply is a field of another (`later`).
    return value(turn) if callable(value) else value
