"""Transcription of voice notes: a function in place of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

__all__ = ["Transcribe", "transcribe_name"]

#: Makes a text of voice notes, which are as they were sent. A text without words fails the turn.
Transcribe: TypeAlias = Callable[[Sequence[Mapping[str, object]]], str]


def transcribe_name(files: Sequence[Mapping[str, object]]) -> str:
    """Transcribe a voice note by its name; the default."""
    return ", ".join(f"voice note {file.get('filename') or index}" for index, file in enumerate(files, 1))
