"""What is compared of an answer: its keys in their order, the types of their values, the order of its frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["frames", "outline", "shape", "stable"]


def shape(value: object) -> object:
    """A value with its types in place of what it says; a list is the shape of its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def frames(body: str) -> Iterator[tuple[str, Any]]:
    """Event name and data of each frame; a comment is an event of its own. What was cut off at the end is left out."""
    for block in body.split("\n\n")[:-1]:
        lines = block.split("\n")
        if not block or block == "\n":
            continue
        if lines[0].startswith(":"):
            yield lines[0], None
            continue
        fields = dict(line.split(": ", 1) for line in lines if line)
        yield fields.get("event", "message"), json.loads(fields["data"])


def outline(frame: tuple[str, Any]) -> tuple[str, str | None, str | None]:
    """What a frame of a chat is: event, type of token, stage."""
    event, data = frame
    token = (data or {}).get("token", {})
    return event, token.get("type"), token.get("stage")


def stable(value: str) -> str:
    """The value of a header, but for what changes each time."""
    return "a date" if value.endswith(" GMT") else value
