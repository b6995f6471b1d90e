"""What webhooks say: a class for each kind on the wire, above one that has what they share."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from muxi.webhook.canonical import Payload, read_object

__all__ = [
    "Clarification",
    "ClarificationRequest",
    "Completion",
    "ContentItem",
    "ErrorDetails",
    "EscalationEnd",
    "Notification",
    "WebhookEvent",
    "parse",
]


@dataclass(frozen=True)
class ContentItem:
    """One piece of an answer."""

    type: str
    text: str | None = None
    file: dict[str, Any] | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ContentItem:
        """A piece as the wire has it."""
        file = data.get("file")
        return cls(
            _text(data, "type") or "text", _text(data, "text"), dict(file) if isinstance(file, Mapping) else None
        )


@dataclass(frozen=True)
class ErrorDetails:
    """Why the work failed."""

    code: str
    message: str
    trace: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ErrorDetails:
        """An error as the wire has it."""
        code, message = _text(data, "code"), _text(data, "message")
        return cls(code or "unknown", message or "Unknown error", _text(data, "trace"))


@dataclass(frozen=True)
class Clarification:
    """What the formation asks back."""

    question: str
    clarification_request_id: str | None = None
    original_message: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Clarification:
        """A question as the wire has it."""
        return cls(
            _text(data, "clarification_question") or "",
            _text(data, "clarification_request_id"),
            _text(data, "original_message"),
        )


@dataclass(frozen=True)
class WebhookEvent:
    """What all webhooks have in common; a kind that is not known yet is one of these and nothing more."""

    request_id: str
    #: ``completed``, ``failed``, ``awaiting_clarification``, ``notification``, or what a newer runtime says.
    status: str
    #: When it was made, in milliseconds since the epoch; 0 where it does not say.
    timestamp: int
    content: list[ContentItem] = field(default_factory=list)
    error: ErrorDetails | None = None
    clarification: Clarification | None = None
    formation_id: str | None = None
    user_id: str | None = None
    #: Seconds that the work took.
    processing_time: float | None = None
    processing_mode: str = "async"
    #: Where it was sent; not shown, for addresses of webhooks may have passwords in them.
    webhook_url: str | None = field(default=None, repr=False)
    #: The payload as received.
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WebhookEvent:
        """The same as :func:`parse`, under the name that the official SDK has for it."""
        return parse(data)

    @property
    def text(self) -> str:
        """The texts of the content, one after the other."""
        return "".join(item.text for item in self.content if item.text)

    @property
    def made_at(self) -> datetime:
        """When it was made, in UTC."""
        return datetime.fromtimestamp(self.timestamp / 1000, timezone.utc)


#: What the runtime sends for the result of a workflow: the repr of a mapping, with the text inside.
_WORKFLOW_RESULT = re.compile(
    r"""\{'content': (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"), 'request_id': .*\}""", re.DOTALL
)
_HAND_OVER = re.compile(r"\{'request_id': '[^']*', 'status': 'processing', .*\}", re.DOTALL)


@dataclass(frozen=True)
class Completion(WebhookEvent):
    """The end of work in the background: an asynchronous turn, or a trigger with ``webhook:``. Signed."""

    @property
    def text(self) -> str:
        """The answer. Where the runtime sent the repr of a workflow's result, the text that is inside it."""
        text = super().text
        found = _WORKFLOW_RESULT.fullmatch(text)
        try:
            return str(ast.literal_eval(found["text"])) if found else text
        except (SyntaxError, ValueError):  # a text that only looks like one
            return text

    @property
    def handed_over(self) -> bool:
        """Whether this is not the end yet: a trigger that becomes a workflow says so, and completes once more."""
        return _HAND_OVER.fullmatch(super().text) is not None


@dataclass(frozen=True)
class EscalationEnd(WebhookEvent):
    """How a failed turn fared that was tried again. Cannot be verified: its key is known to the runtime alone.

    ``status`` is ``completed`` where the state is ``achieved``, else ``failed``.
    """

    #: ``achieved``, ``impossible``, ``stuck``, ``budget_exhausted``, ``abandoned``.
    state: str = ""
    attempts: int = 0
    result: str | None = None
    #: What is known of a failure.
    report: Any = None


@dataclass(frozen=True)
class Notification(WebhookEvent):
    """A message of its own accord. Not signed."""

    #: ``api`` or ``retry_escalation``.
    source: str | None = None


@dataclass(frozen=True)
class ClarificationRequest(WebhookEvent):
    """A question before the work can go on, in ``clarification``. Signed."""


def parse(payload: Payload) -> WebhookEvent:
    """Read a webhook, without checking where it comes from.

    Args:
        payload: the body as received, or the mapping that a framework has made of it.

    Returns:
        A :class:`Completion`, :class:`EscalationEnd`, :class:`Notification` or :class:`ClarificationRequest`; a
        plain :class:`WebhookEvent` for a kind that is not known.

    Raises:
        WebhookVerificationError: it is not a JSON object.
    """
    data = read_object(payload)
    if data.get("type") == "notification":
        return Notification(**_common(data, "notification"), source=_text(data, "source"))
    if data.get("status") == "awaiting_clarification":
        common = _common(data, "awaiting_clarification")
        return ClarificationRequest(**{**common, "clarification": Clarification.from_dict(data)})
    if "state" in data and "status" not in data:
        return _escalation_end(data)
    kind = Completion if data.get("status") in ("completed", "failed") else WebhookEvent
    return kind(**_common(data, "unknown"))


def _common(data: dict[str, Any], status: str) -> dict[str, Any]:
    response, error, took = data.get("response"), data.get("error"), data.get("processing_time")
    items = response if isinstance(response, list) else []
    return {
        "request_id": _text(data, "id") or _text(data, "request_id") or "",
        "status": _text(data, "status") or status,
        "timestamp": _milliseconds(data.get("timestamp")),
        "content": [ContentItem.from_dict(item) for item in items if isinstance(item, Mapping)],
        "error": ErrorDetails.from_dict(error) if error and isinstance(error, Mapping) else None,
        "formation_id": _text(data, "formation_id"),
        "user_id": _text(data, "user_id"),
        "processing_time": took if isinstance(took, int | float) else None,
        "processing_mode": _text(data, "processing_mode") or "async",
        "webhook_url": _text(data, "webhook_url"),
        "raw": data,
    }


def _escalation_end(data: dict[str, Any]) -> EscalationEnd:
    state, result, report = _text(data, "state") or "", _text(data, "result"), data.get("report")
    attempts = data.get("attempts")
    achieved = state == "achieved"
    common = _common(data, "completed" if achieved else "failed")
    if result:
        common["content"] = [ContentItem("text", result)]
    if not achieved:
        message = report if isinstance(report, str) else json.dumps(report, ensure_ascii=False) if report else ""
        common["error"] = ErrorDetails(state or "unknown", message or f"the escalation ended as {state!r}")
    return EscalationEnd(
        **common, state=state, attempts=attempts if isinstance(attempts, int) else 0, result=result, report=report
    )


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) else None


def _milliseconds(value: object) -> int:
    """A time on the wire: milliseconds, seconds with a fraction, or ISO 8601, depending on the kind."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
        except ValueError:
            return 0
    if not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    # Seconds have eleven digits no sooner than the year 5138.
    return int(value) if abs(value) >= 1e11 else round(value * 1000)
