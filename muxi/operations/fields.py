"""Bodies out of arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["given", "plain"]


def given(**fields: Any) -> dict[str, Any]:
    """The fields that have a value, as plain data. What is None is left to the runtime's own default."""
    return {name: plain(value) for name, value in fields.items() if value is not None}


def plain(value: Any) -> Any:
    """The same in dicts and lists, the only mappings and sequences that JSON knows."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [plain(inner) for inner in value]
    return value
