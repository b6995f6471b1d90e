"""Signatures of webhooks: making one, checking one, and reading what proved to be genuine.

``X-Muxi-Signature: t=<seconds>,v1=<hex>``, where ``v1`` is the HMAC-SHA256 of ``<t>.<canonical payload>``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import NamedTuple

from muxi.clock import Clock, SystemClock
from muxi.webhook.canonical import Payload, canonical
from muxi.webhook.errors import WebhookVerificationError
from muxi.webhook.events import EscalationEnd, Notification, WebhookEvent, parse
from muxi.webhook.replay import Guard

__all__ = ["SIGNATURE_HEADER", "receive", "sign", "verify_signature"]

#: The name of the header that carries the signature.
SIGNATURE_HEADER = "X-Muxi-Signature"

#: A genuine header has about 80 characters; what is far longer is not looked at.
_LONGEST_HEADER = 4096

_SECONDS = re.compile(r"[0-9]{1,12}")


class _Stamp(NamedTuple):
    """A signature header taken apart."""

    timestamp: str
    signatures: tuple[bytes, ...]


class _Refusal(NamedTuple):
    code: str
    message: str


def verify_signature(
    payload: Payload,
    signature_header: str | bytes | None,
    secret: str | Sequence[str],
    tolerance_seconds: float = 300,
    *,
    clock: Clock | None = None,
    guard: Guard | None = None,
) -> bool:
    """Whether a webhook comes from the formation, unaltered and lately.

    The runtime signs completions and clarifications with the formation's admin key. Of its other webhooks the
    end of an escalation is signed with a key that the runtime makes up and tells nobody, and a notification is
    not signed at all: neither can be verified with anything.

    Args:
        payload: the body as received; the mapping that a framework has made of it works as well.
        signature_header: the value of ``X-Muxi-Signature``; None where there was none.
        secret: the admin key; several while one is being replaced.
        tolerance_seconds: how far the time of signing may lie in the past or in the future. The runtime signs
            each of its attempts anew.
        clock: the time to go by; the machine's by default.
        guard: remembers deliveries, so that each is let through once (:class:`ReplayGuard`).

    Returns:
        False where anything is wrong with the delivery; :func:`receive` says what.

    Raises:
        WebhookVerificationError: ``SECRET_MISSING`` or ``PAYLOAD_TYPE``, a mistake of the caller.
    """
    return _refusal(payload, signature_header, secret, tolerance_seconds, clock, guard) is None


def receive(
    payload: Payload,
    signature_header: str | bytes | None,
    secret: str | Sequence[str],
    tolerance_seconds: float = 300,
    *,
    clock: Clock | None = None,
    guard: Guard | None = None,
) -> WebhookEvent:
    """Check a webhook and read it.

    Args:
        payload: as for :func:`verify_signature`, like all the others.
        signature_header: see there.
        secret: see there.
        tolerance_seconds: see there.
        clock: see there.
        guard: see there.

    Returns:
        The event, of the class for its kind: :class:`Completion` or :class:`ClarificationRequest`.

    Raises:
        WebhookVerificationError: it is not to be trusted, or cannot be read; ``code`` and the message say why.
    """
    refusal = _refusal(payload, signature_header, secret, tolerance_seconds, clock, guard)
    if refusal is not None:
        raise WebhookVerificationError(refusal.message + _unsigned_by_nature(payload, refusal), refusal.code)
    return parse(payload)


def sign(payload: Payload, secret: str, timestamp: int) -> str:
    """The value of ``X-Muxi-Signature`` for a payload, as the runtime makes it: for tests of a receiver.

    Args:
        payload: the payload, in any form.
        secret: the admin key.
        timestamp: when it is signed, in seconds since the epoch.

    Raises:
        WebhookVerificationError: the payload or the secret is of no use.
    """
    return f"t={timestamp},v1={_digest(_secrets(secret)[0], str(timestamp), canonical(payload))}"


def _refusal(
    payload: Payload,
    header: str | bytes | None,
    secret: str | Sequence[str],
    tolerance: float,
    clock: Clock | None,
    guard: Guard | None,
) -> _Refusal | None:
    """What speaks against a delivery."""
    secrets = _secrets(secret)
    if not header:
        return _Refusal("SIGNATURE_MISSING", f"there is no {SIGNATURE_HEADER} header")
    stamp = _stamp(header)
    if stamp is None:
        return _Refusal("SIGNATURE_MALFORMED", f"the {SIGNATURE_HEADER} header is not 't=<seconds>,v1=<signature>'")
    age = int((clock or SystemClock()).time()) - int(stamp.timestamp)
    # Written so that a tolerance which is no number lets nothing through.
    if not abs(age) <= tolerance:
        when = f"{age} s ago" if age > 0 else f"{-age} s in the future"
        return _Refusal("TIMESTAMP_OUT_OF_TOLERANCE", f"it was signed {when}; {tolerance:g} s are allowed")
    try:
        signed = canonical(payload)
    except WebhookVerificationError as error:
        if error.code == "PAYLOAD_TYPE":
            raise
        return _Refusal(error.code, error.message)
    digests = [_digest(one, stamp.timestamp, signed) for one in secrets]
    if not _matches(digests, stamp.signatures):
        return _Refusal("SIGNATURE_MISMATCH", "the signature does not fit the payload and the secret")
    # The first digest, whichever has matched: it is the same however the header is rearranged.
    if guard is not None and not guard.admit(int(stamp.timestamp), digests[0]):
        return _Refusal("REPLAYED", "this delivery was here before, or is older than the guard remembers")
    return None


def _secrets(secret: str | Sequence[str]) -> tuple[str, ...]:
    given: Sequence[object] = (secret,) if isinstance(secret, str) else tuple(secret or ())
    secrets = tuple(one for one in given if isinstance(one, str) and one)
    if not secrets or len(secrets) != len(given):
        raise WebhookVerificationError(
            "checking webhooks takes the formation's admin key, as a text that is not empty", "SECRET_MISSING"
        )
    return secrets


def _stamp(header: str | bytes) -> _Stamp | None:
    """The header taken apart; None where it is not of the form. Parts of other names are for newer schemes."""
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    if len(text) > _LONGEST_HEADER:
        return None
    parts = [part.strip().partition("=") for part in text.split(",")]
    times = {value for name, _, value in parts if name == "t"}
    signatures = tuple(value.encode("utf-8", "replace") for name, _, value in parts if name == "v1" and value)
    if len(times) != 1 or not signatures:
        return None
    (timestamp,) = times
    return _Stamp(timestamp, signatures) if _SECONDS.fullmatch(timestamp) else None


def _matches(digests: Sequence[str], signatures: Sequence[bytes]) -> bool:
    """Whether any signature is any of the digests; takes the same time whichever it is."""
    found = False
    for digest in digests:
        for signature in signatures:
            found |= hmac.compare_digest(digest.encode("ascii"), signature)
    return found


def _digest(secret: str, timestamp: str, signed: bytes) -> str:
    return hmac.new(secret.encode("utf-8"), f"{timestamp}.".encode("ascii") + signed, hashlib.sha256).hexdigest()


def _unsigned_by_nature(payload: Payload, refusal: _Refusal) -> str:
    """What to know about the two kinds of webhooks that nobody can verify."""
    if refusal.code not in ("SIGNATURE_MISSING", "SIGNATURE_MISMATCH"):
        return ""
    try:
        event = parse(payload)
    except WebhookVerificationError:
        return ""
    if isinstance(event, EscalationEnd):
        return (
            "; the runtime signs the end of an escalation with a key that it makes up and tells nobody: take it "
            "as a hint, and ask the formation with get_request_status()"
        )
    if isinstance(event, Notification):
        return "; the runtime does not sign notifications: let them in by a way that is secret in itself"
    return ""
