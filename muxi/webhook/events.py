"""The kinds of webhooks: a class for each, below one with the common fields."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from muxi.errors import ValidationError
from muxi.redact import show_value
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
    """One item of an answer."""

    type: str
    text: str | None = None
    file: dict[str, Any] | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ContentItem:
        """Make an item from its form on the wire."""
        given: object = data
        file = given.get("file") if isinstance(given, Mapping) else None
        return cls(
            _text(data, "type") or "text", _text(data, "text"), dict(file) if isinstance(file, Mapping) else None
        )


@dataclass(frozen=True)
class ErrorDetails:
    """The reason of a failure."""

    code: str
    message: str
    trace: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ErrorDetails:
        """Make an error from its form on the wire."""
        code, message = _text(data, "code"), _text(data, "message")
        return cls(code or "unknown", message or "Unknown error", _text(data, "trace"))


@dataclass(frozen=True)
class Clarification:
    """A question of the formation."""

    question: str
    clarification_request_id: str | None = None
    original_message: str | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Clarification:
        """Make a question from its form on the wire."""
        return cls(
            _text(data, "clarification_question") or "",
            _text(data, "clarification_request_id"),
            _text(data, "original_message"),
        )


@dataclass(frozen=True)
class WebhookEvent:
    """The common fields of webhooks, and the class of those of unknown kinds."""

    request_id: str
    #: ``completed``, ``failed``, ``awaiting_clarification``, ``notification``, or a newer value.
    status: str
    #: Time of its creation in milliseconds since the epoch; 0 if it has none.
    timestamp: int
    content: list[ContentItem] = field(default_factory=list)
    error: ErrorDetails | None = None
    clarification: Clarification | None = None
    formation_id: str | None = None
    user_id: str | None = None
    #: Duration of the work in seconds.
    processing_time: float | None = None
    processing_mode: str = "async"
    #: Its address; not in the ``repr``, because it may contain a password.
    webhook_url: str | None = field(default=None, repr=False)
    #: The payload as received.
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> WebhookEvent:
        """Parse a mapping; the name of :func:`parse` in the official SDK."""
        return parse(data)

    @property
    def text(self) -> str:
        """The texts of the content, joined."""
        return "".join(item.text for item in self.content if item.text)

    @property
    def made_at(self) -> datetime:
        """The time of its creation, in UTC.

        Raises:
            ValidationError: ``timestamp`` is beyond the years of :class:`datetime`; that of a parsed webhook never is.
        """
        try:
            return _EPOCH.replace(tzinfo=timezone.utc) + timedelta(milliseconds=self.timestamp)
        except (OverflowError, TypeError, ValueError):
            problem = f"is not a time of a calendar: {show_value(self.timestamp)}"
            raise ValidationError(
                "INVALID_TIMESTAMP",
                f"timestamp {problem}",
                details={"validation_errors": [{"field": "timestamp", "msg": problem}]},
            ) from None


#: The origin of times on the wire, without a zone.
_EPOCH = datetime(1970, 1, 1)

#: The runtime's text for the result of a workflow: the repr of a mapping that contains the text.
_WORKFLOW_RESULT = re.compile(
    r"""\{'content': (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"), 'request_id': .*\}""", re.DOTALL
)
_HAND_OVER = re.compile(r"\{'request_id': '[^']*', 'status': 'processing', .*\}", re.DOTALL)


@dataclass(frozen=True)
class Completion(WebhookEvent):
    """The end of work in the background: an asynchronous turn, or a trigger with ``webhook:``. Signed."""

    @property
    def text(self) -> str:
        """The text of the answer, extracted from the repr of a workflow's result if that was sent."""
        text = super().text
        found = _WORKFLOW_RESULT.fullmatch(text)
        try:
            return str(ast.literal_eval(found["text"])) if found else text
        except (SyntaxError, ValueError):  # a text of another origin
            return text

    @property
    def handed_over(self) -> bool:
        """True if the work continues: a trigger that becomes a workflow completes twice."""
        return _HAND_OVER.fullmatch(super().text) is not None


@dataclass(frozen=True)
class EscalationEnd(WebhookEvent):
    """The result of retrying a failed turn. It cannot be verified: only the runtime knows its key.

    ``status`` is ``completed`` if the state is ``achieved``, else ``failed``.
    """

    #: ``achieved``, ``impossible``, ``stuck``, ``budget_exhausted``, ``abandoned``.
    state: str = ""
    attempts: int = 0
    result: str | None = None
    #: The report of a failure.
    report: Any = None


@dataclass(frozen=True)
class Notification(WebhookEvent):
    """A message that the formation initiated. Not signed."""

    #: ``api`` or ``retry_escalation``.
    source: str | None = None


@dataclass(frozen=True)
class ClarificationRequest(WebhookEvent):
    """A question that must be answered before the work continues, in ``clarification``. Signed."""


def parse(payload: Payload) -> WebhookEvent:
    """Parse a webhook without verifying it.

    Args:
        payload: the body as received, or the mapping into which a framework has parsed it.

    Returns:
        A :class:`Completion`, :class:`EscalationEnd`, :class:`Notification` or :class:`ClarificationRequest`; a
        plain :class:`WebhookEvent` for an unknown kind.

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
    response, error, seconds = data.get("response"), data.get("error"), data.get("processing_time")
    items = response if isinstance(response, list) else []
    return {
        "request_id": _text(data, "id") or _text(data, "request_id") or "",
        "status": _text(data, "status") or status,
        "timestamp": _milliseconds(data.get("timestamp")),
        "content": [ContentItem.from_dict(item) for item in items if isinstance(item, Mapping)],
        "error": ErrorDetails.from_dict(error) if error and isinstance(error, Mapping) else None,
        "formation_id": _text(data, "formation_id"),
        "user_id": _text(data, "user_id"),
        "processing_time": seconds if isinstance(seconds, int | float) else None,
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


def _text(data: object, name: str) -> str | None:
    value = data.get(name) if isinstance(data, Mapping) else None
    return value if isinstance(value, str) else None


#: The last millisecond that a :class:`datetime` can represent.
_LATEST = 253_402_300_799_999


def _milliseconds(value: object) -> int:
    """Return a time of the wire in milliseconds; it is in milliseconds, seconds or ISO 8601, depending on the kind.

    A time that is malformed, or beyond the years of :class:`datetime`, counts as none.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return 0
        # Without a zone the platform means UTC. No arithmetic of datetime's own, which fails at the ends of its range.
        zone = moment.utcoffset() or timedelta()
        return max(0, (moment.replace(tzinfo=None) - _EPOCH - zone) // timedelta(milliseconds=1))
    # Compared before any conversion: an integer of JSON can exceed every float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        return 0
    # Seconds have twelve digits from the year 5138 on.
    return int(value) if value >= 1e11 else round(value * 1000)
