"""Where the text stands in the result of each kind of call; both SDKs return the envelope's data as it is."""

from __future__ import annotations

from typing import Any

__all__ = ["text_of"]


def text_of(kind: str, result: Any) -> str:
    """The text of a result.

    Raises:
        KeyError: the result is not one of such a call.
        TypeError: likewise.
    """
    if kind == "memories":
        return "".join(memory["content"] for memory in result["memories"])
    if kind.startswith("chat"):
        return str(result["message"]["content"])
    if kind == "removal":
        # A repetition that finds nothing is a documented empty result.
        return str(result["deleted"]) if result else ""
    return str(result["message" if kind == "upload" else "content"])
