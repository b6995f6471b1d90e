"""Widgets: choices and links that a chat shows beside its text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from muxi.types.chat import Widget

__all__ = ["parse_ui_widgets"]


def parse_ui_widgets(event: Mapping[str, object]) -> list[Widget]:
    """Return the widgets of a stream's event, or of an answer that was not streamed.

    A formation sends them as one ``event: ui`` frame before ``done``, and beside the message of an answer that is
    not streamed. Kinds on the wire are ``options``, ``action_link`` and ``mcp_resource``; ignore the kinds that
    you do not know. What the user chooses goes back as
    ``{"message": …, "ui_response": {"id": widget["id"], "value": …}}`` in the same session.

    Args:
        event: an event of ``chat_stream()``, a raw frame ``{"event": "ui", "data": "…"}``, what ``chat()``
            returned, or its message.

    Returns:
        The widgets; none for every other event and for what cannot be read.
    """
    if "event" in event:
        return _widgets(event.get("ui") or _data(event.get("data"))) if event["event"] == "ui" else []
    message = event.get("message")
    return _widgets(message.get("ui") if isinstance(message, Mapping) else event.get("ui"))


def _data(data: object) -> object:
    """Return the data of a raw frame."""
    import json

    try:
        payload = json.loads(data) if isinstance(data, str | bytes) else data
    except (ValueError, RecursionError):
        return None
    return payload.get("ui") if isinstance(payload, Mapping) else None


def _widgets(found: object) -> list[Widget]:
    return [cast("Widget", widget) for widget in found if isinstance(widget, dict)] if isinstance(found, list) else []
