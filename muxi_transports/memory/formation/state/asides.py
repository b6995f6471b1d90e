"""Pending widgets and questions of sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["Aside", "Asides"]


class Aside(NamedTuple):
    """The context of a message: a widget's response, and the message it clarifies."""

    #: The answer to a widget.
    ui_response: Mapping[str, object] | None
    #: The message that the formation asked back about.
    clarifies: str | None


class Asides:
    """Open widgets and questions by session."""

    def __init__(self) -> None:
        self._widgets: dict[tuple[str, str], set[str]] = {}
        self._asked: dict[tuple[str, str], str] = {}

    def leave(self, user_id: str, session_id: str, widgets: Iterable[Mapping[str, object]], asked: str | None) -> None:
        """Remember what was shown and asked at the end of a turn."""
        shown = {str(widget["id"]) for widget in widgets if "id" in widget}
        if shown:
            self._widgets.setdefault((user_id, session_id), set()).update(shown)
        if asked is not None:
            self._asked[user_id, session_id] = asked

    def take(self, user_id: str, session_id: str, ui_response: Mapping[str, object] | None) -> Aside:
        """Take the context of the next message. A response to a widget of another session is ignored (the wire)."""
        where = (user_id, session_id)
        known = ui_response is not None and str(ui_response.get("id")) in self._widgets.get(where, ())
        return Aside(ui_response if known else None, self._asked.pop(where, None))
