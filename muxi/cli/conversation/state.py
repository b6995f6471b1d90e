"""The state of a conversation, and the decisions about what is sent next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ChatState", "choices_of", "chosen_values"]


@dataclass
class ChatState:
    """The state of a conversation with a formation."""

    user_id: str = ""
    session_id: str | None = None
    agent_id: str | None = None
    #: Files for the next message.
    files: list[str] = field(default_factory=list)
    #: The widget whose options the next input may choose from.
    widget: Mapping[str, Any] | None = None
    #: The last message, for ``/retry``, with its files.
    last: tuple[dict[str, Any], list[str]] | None = None
    #: Role and text of all messages, for ``/save``.
    transcript: list[tuple[str, str]] = field(default_factory=list)

    def payload(self, text: str) -> dict[str, Any]:
        """Return the body of the next message; an input that chooses from a widget is its answer."""
        message: dict[str, Any] = {"message": text}
        if self.widget is not None and (values := chosen_values(self.widget, text)):
            labels = [label for label, value in choices_of(self.widget) if value in values]
            value: Any = values if self.widget.get("multi") else values[0]
            message = {"message": ", ".join(labels), "ui_response": {"id": self.widget.get("id", ""), "value": value}}
        if self.session_id:
            message["session_id"] = self.session_id
        if self.agent_id:
            message["agent_id"] = self.agent_id
        return message

    def answered(self, message: Mapping[str, Any]) -> None:
        """Take note of an answer: the session goes on in it."""
        metadata = message.get("metadata")
        if isinstance(metadata, Mapping) and metadata.get("session_id"):
            self.session_id = str(metadata["session_id"])
        self.transcript.append(("assistant", str(message.get("content") or "")))

    def as_markdown(self) -> str:
        """Return the conversation as a Markdown text."""
        title = f"# Session {self.session_id}" if self.session_id else "# ChatState"
        parts = [f"## {role}\n\n{text.strip()}" for role, text in self.transcript]
        return "\n\n".join([title, *parts]) + "\n"


def choices_of(widget: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return label and value of each option of a widget; none where it has no options."""
    options = widget.get("options")
    if widget.get("type") != "options" or not isinstance(options, list):
        return []
    return [
        (str(option.get("label") or option.get("value")), option.get("value", option.get("label")))
        for option in options
        if isinstance(option, Mapping)
    ]


def chosen_values(widget: Mapping[str, Any], text: str) -> list[Any]:
    """Return the values that an input chooses: numbers of options, from 1; with ``multi`` several, by commas."""
    choices = choices_of(widget)
    parts: Sequence[str] = [part.strip() for part in text.split(",")] if widget.get("multi") else [text.strip()]
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
    if len(numbers) != len(parts) or not all(1 <= number <= len(choices) for number in numbers):
        return []
    return [choices[number - 1][1] for number in numbers]
