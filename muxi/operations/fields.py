"""The making of request bodies from arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["given", "plain"]


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None, as plain data. The runtime has defaults for the others."""
    return {name: plain(value) for name, value in fields.items() if value is not None}


def plain(value: Any) -> Any:
    """Return a value with dicts and lists in place of other mappings and sequences."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [plain(inner) for inner in value]
    return value
