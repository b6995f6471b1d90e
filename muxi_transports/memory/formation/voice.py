"""What voice notes say: a function in place of the model that listens to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

__all__ = ["Transcribe", "transcript"]

#: Makes a text of voice notes, which are as they were sent. A text without words fails the turn.
Transcribe: TypeAlias = Callable[[Sequence[Mapping[str, object]]], str]


def transcript(files: Sequence[Mapping[str, object]]) -> str:
    """What voice notes say where nobody listens: their names."""
    return ", ".join(f"voice note {file.get('filename') or index}" for index, file in enumerate(files, 1))
