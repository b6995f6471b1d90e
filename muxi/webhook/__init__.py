"""Webhooks of a formation: verification and parsing.

::

    from muxi import webhook

    event = webhook.receive(body, headers.get("X-Muxi-Signature"), ADMIN_KEY)
    if event.status == "completed":
        print(event.text)

:func:`receive` verifies and parses; :func:`verify_signature` and :func:`parse` do one of them.
"""

from muxi.webhook.canonical import canonical
from muxi.webhook.errors import WebhookVerificationError
from muxi.webhook.events import (
    Clarification,
    ClarificationRequest,
    Completion,
    ContentItem,
    ErrorDetails,
    EscalationEnd,
    Notification,
    WebhookEvent,
    parse,
)
from muxi.webhook.replay import Guard, ReplayGuard
from muxi.webhook.signature import SIGNATURE_HEADER, receive, sign, verify_signature

__all__ = [
    "SIGNATURE_HEADER",
    "Clarification",
    "ClarificationRequest",
    "Completion",
    "ContentItem",
    "ErrorDetails",
    "EscalationEnd",
    "Guard",
    "Notification",
    "ReplayGuard",
    "WebhookEvent",
    "WebhookVerificationError",
    "canonical",
    "parse",
    "receive",
    "sign",
    "verify_signature",
]
