"""Webhooks of an embedded formation: made, signed and delivered as the runtime does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Protocol, TypeAlias

from muxi.clock import Clock
from muxi.errors import MuxiError
from muxi.forks import renew_after_fork
from muxi.transport import BytesBody, Headers, Request, Transport
from muxi.webhook import SIGNATURE_HEADER, sign
from muxi_transports.memory.formation.access import Keys
from muxi_transports.memory.formation.ids import Ids
from muxi_transports.memory.incidents import Incidents, failure_in
from muxi_transports.memory.world import Pause

__all__ = ["Delivery", "Receiver", "Webhooks"]

#: The pauses before the second, third and fourth try, in seconds (the wire).
_RETRIES = (1.0, 2.0, 4.0)

#: The secret of a formation that accepts any admin key.
_ANY_KEY = "fma_memory"


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver a webhook.

    Args:
        kind: ``completion``, ``escalation``, ``notification`` or ``clarification``.
        url: where it goes.
        headers: with the signature, where it is signed.
        body: the bytes.
        attempt: 1 for the first try.
    """

    kind: str
    url: str = field(repr=False)  # addresses of webhooks may have passwords in them
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    attempt: int = 1

    @property
    def payload(self) -> dict[str, Any]:
        """The body, parsed."""
        payload: dict[str, Any] = json.loads(self.body)
        return payload

    @property
    def signature(self) -> str | None:
        """The value of ``X-Muxi-Signature``; None where it is not signed."""
        return self.headers.get(SIGNATURE_HEADER)


#: Takes a delivery; it answers with an HTTP status, or None for 200. What raises has not taken it.
Receiver: TypeAlias = Callable[[Delivery], int | None]


@dataclass(frozen=True)
class _Webhook:
    """One webhook, whose delivery may take several attempts."""

    kind: str
    url: str
    body: bytes
    secret: str | None


class WebhookSender(Protocol):
    """The part of a formation that its webhooks use."""

    formation_id: str
    clock: Clock
    keys: Keys
    ids: Ids
    incidents: Incidents

    def note(self, kind: str, message: str, *, level: str = "info", data: Mapping[str, object] | None = None) -> None:
        """Publish an event about a delivery."""
        ...

    def work(self, steps: Generator[Pause, None, object]) -> None:
        """Run the steps in the background."""
        ...


class Webhooks:
    """The webhooks of a formation.

    Every attempt is in :attr:`sent`. Without a receiver an attempt counts as delivered, and nothing is sent.

    Args:
        formation: whose.
        default_url: where the outcome goes of work that names no URL of its own; None for nowhere.
    """

    def __init__(self, formation: WebhookSender, default_url: str | None = None) -> None:
        self._formation = formation
        self._receiver: Receiver | Transport | None = None
        self._flying = 0
        self._landed = threading.Condition()
        renew_after_fork(self, "_landed")
        self.default_url: str | None = default_url
        #: Every attempt so far, in order.
        self.sent: list[Delivery] = []

    @property
    def secret(self) -> str:
        """The secret of completions and clarifications: the admin key, or ``fma_memory`` if any key is accepted."""
        return self._formation.keys.admin or _ANY_KEY

    def deliver_to(self, receiver: Receiver | Transport | None) -> None:
        """Set the receiver of webhooks.

        Args:
            receiver: a function, called where the work is done; or a transport, which POSTs to the URL in a thread of
                its own (wait for it with :meth:`settle`); or None to keep them in :attr:`sent` alone.
        """
        self._receiver = receiver

    def settle(self, seconds: float = 5.0) -> bool:
        """Wait for the attempts that a transport is making.

        Args:
            seconds: how long, of the machine's time.

        Returns:
            True if all have ended. A failed attempt is repeated later, on the formation's clock.
        """
        with self._landed:
            return self._landed.wait_for(lambda: not self._flying, seconds)

    def complete(
        self,
        url: str,
        request_id: str,
        *,
        text: str | None = None,
        error: str | None = None,
        user_id: str | None = None,
        seconds: float | None = None,
    ) -> None:
        """Send the completion of a request, or its failure."""
        problem = None if error is None else {"code": "processing_failed", "message": error, "trace": None}
        payload = {
            "id": request_id,
            "object": "response",
            "status": "completed" if error is None else "failed",
            "timestamp": int(self._now * 1000),
            "formation_id": self._formation.formation_id,
            "user_id": user_id,
            "processing_time": seconds,
            "processing_mode": "async",
            "webhook_url": url,
            "error": problem,
            "response": [] if text is None else [{"type": "text", "text": text}],
        }
        # The one kind whose body is not in the form that is signed: blanks, insertion order, \\uXXXX.
        self._send(_Webhook("completion", url, json.dumps(payload).encode(), self.secret))

    def end_escalation(
        self, url: str, request_id: str, *, state: str, outcome: str, attempts: int = 2, secret: str | None = None
    ) -> None:
        """Send the end of an escalation.

        Args:
            url: where.
            request_id: of what.
            state: ``achieved``, or why not.
            outcome: the result, or a report.
            attempts: how many there were.
            secret: what signs it instead of the admin key.
        """
        name = "result" if state == "achieved" else "report"
        payload = {
            "attempts": attempts,
            "request_id": request_id,
            name: outcome,
            "state": state,
            "timestamp": self._now,
        }
        body = _compact(dict(sorted(payload.items())))
        self._send(_Webhook("escalation", url, body, secret or self.secret))

    def notify(
        self, url: str, request_id: str, user_id: str, text: str, *, source: str = "api", signed: bool = True
    ) -> None:
        """Deliver a notification."""
        payload = {
            "request_id": request_id,
            "formation_id": self._formation.formation_id,
            "user_id": user_id,
            "type": "notification",
            "source": source,
            "response": [{"type": "text", "text": text}],
            "timestamp": datetime.fromtimestamp(self._now, timezone.utc).isoformat(timespec="microseconds"),
        }
        self._send(_Webhook("notification", url, _compact(payload), self.secret if signed else None))

    def clarify(self, url: str, request_id: str, user_id: str, *, question: str, message: str) -> None:
        """Send a clarification question."""
        payload = {
            "request_id": request_id,
            "status": "awaiting_clarification",
            "clarification_question": question,
            "clarification_request_id": self._formation.ids.new("clr_"),
            "original_message": message,
            "user_id": user_id,
            "timestamp": self._now,
        }
        self._send(_Webhook("clarification", url, _compact(payload), self.secret))

    @property
    def _now(self) -> float:
        return self._formation.clock.time()

    def _send(self, webhook: _Webhook, attempt: int = 1) -> None:
        receiver = self._receiver
        delivery = Delivery(webhook.kind, webhook.url, self._headers(webhook), webhook.body, attempt)
        self.sent.append(delivery)
        if not isinstance(receiver, Transport):
            self._end_attempt(webhook, attempt, self._hand_over(receiver, delivery))
            return
        with self._landed:
            self._flying += 1
        threading.Thread(target=self._deliver_by_transport, args=(receiver, webhook, delivery), daemon=True).start()

    def _deliver_by_transport(self, transport: Transport, webhook: _Webhook, delivery: Delivery) -> None:
        try:
            self._end_attempt(webhook, delivery.attempt, self._try_post(transport, delivery))
        finally:
            with self._landed:
                self._flying -= 1
                self._landed.notify_all()

    def _end_attempt(self, webhook: _Webhook, attempt: int, problem: str | None) -> None:
        """Publish the result of an attempt, and schedule the next one."""
        formation, name = self._formation, webhook.kind
        if problem is None:
            formation.note("webhook.delivered", f"{name} delivered", level="debug", data={"attempt": attempt})
            return
        formation.note("webhook.failed", f"{name} failed: {problem}", level="warning", data={"attempt": attempt})
        if attempt <= len(_RETRIES):
            formation.work(self._retry_later(webhook, attempt))

    def _hand_over(self, receiver: Receiver | None, delivery: Delivery) -> str | None:
        """Call the receiver. Returns the error, or None."""
        try:
            with self._formation.incidents.watch("the receiver of webhooks"):
                return _problem(receiver(delivery) if receiver else None)
        except Exception as error:
            return type(error).__name__

    def _try_post(self, transport: Transport, delivery: Delivery) -> str | None:
        """Post a delivery. Returns the error, or None."""
        try:
            return _problem(_post(transport, delivery))
        except BaseException as error:
            # Networks fail; the application behind the transport may be the test's own.
            if failure_in(error) is not None or not isinstance(error, MuxiError):
                self._formation.incidents.record("the receiver of webhooks", error)
            if not isinstance(error, Exception):
                raise
            return type(error).__name__

    def _retry_later(self, webhook: _Webhook, attempt: int) -> Generator[Pause, None, None]:
        yield Pause(_RETRIES[attempt - 1])
        self._send(webhook, attempt + 1)

    def _headers(self, webhook: _Webhook) -> Headers:
        """The headers of an attempt; each attempt is signed anew."""
        headers = Headers([("Content-Type", "application/json"), ("User-Agent", "Python/3.11 aiohttp/3.13.2")])
        if webhook.secret is not None:
            timestamp = int(self._now)
            headers[SIGNATURE_HEADER] = sign(webhook.body, webhook.secret, timestamp)
            headers["X-Muxi-Timestamp"] = str(timestamp)
        return headers


def _problem(status: int | None) -> str | None:
    return None if status is None or 200 <= status < 300 else f"status {status}"


def _post(transport: Transport, delivery: Delivery) -> int:
    response = transport.send(Request("POST", delivery.url, delivery.headers, BytesBody(delivery.body)))
    response.read()
    return response.status


def _compact(payload: Mapping[str, object]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
