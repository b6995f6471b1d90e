"""Widgets: elements of an answer for the user to choose or open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from muxi.types import Widget

__all__ = ["parse_ui_widgets"]


def parse_ui_widgets(event: Mapping[str, object]) -> list[Widget]:
    """Return the widgets of a stream's event, or of an answer that was not streamed.

    A formation sends them as one ``event: ui`` frame before ``done``, and beside the message of an answer that is
    not streamed. Kinds on the wire are ``options``, ``action_link`` and ``mcp_resource``; ignore
    unknown kinds. The user's choice is sent as
    ``{"message": …, "ui_response": {"id": widget["id"], "value": …}}`` in the same session.

    Args:
        event: an event of ``chat_stream()``, a raw frame ``{"event": "ui", "data": "…"}``, the result of
            ``chat()``, or its message.

    Returns:
        The widgets; an empty list for other events and for malformed ones.
    """
    if "event" in event:
        return _select_widgets(event.get("ui") or _read_frame(event.get("data"))) if event["event"] == "ui" else []
    message = event.get("message")
    return _select_widgets(message.get("ui") if isinstance(message, Mapping) else event.get("ui"))


def _read_frame(data: object) -> object:
    """Return the list in the data of a raw frame."""
    try:
        payload = json.loads(data) if isinstance(data, str | bytes) else data
    except (ValueError, RecursionError):
        return None
    return payload.get("ui") if isinstance(payload, Mapping) else None


def _select_widgets(found: object) -> list[Widget]:
    return [cast("Widget", widget) for widget in found if isinstance(widget, dict)] if isinstance(found, list) else []
