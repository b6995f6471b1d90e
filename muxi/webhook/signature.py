"""Signatures of webhooks: signing and verification.

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

#: Longest header that is parsed, in characters; a genuine one has about 80.
_LONGEST_HEADER = 4096

_SECONDS = re.compile(r"[0-9]{1,12}")


class _Stamp(NamedTuple):
    """A parsed signature header."""

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
    """Tell whether a webhook was signed by the formation, recently, and is unaltered.

    The runtime signs completions and clarifications with the formation's admin key. Of its other webhooks the
    end of an escalation is signed with a key that only the runtime knows, and a notification is
    not signed at all: neither can be verified with anything.

    Args:
        payload: the body as received, or the mapping into which a framework has parsed it.
        signature_header: value of ``X-Muxi-Signature``; None without one.
        secret: the admin key; several while one is being replaced.
        tolerance_seconds: largest distance of the time of signing from now, past or future. The runtime signs
            each of its attempts anew.
        clock: clock to compare with; the machine's by default.
        guard: a memory of deliveries that admits each once (:class:`ReplayGuard`).

    Returns:
        False if the delivery cannot be trusted; :func:`receive` gives the reason.

    Raises:
        WebhookVerificationError: ``SECRET_MISSING``, ``PAYLOAD_TYPE`` or ``ARGUMENT_TYPE``: the caller has given an
            invalid argument.
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
    """Verify a webhook and parse it.

    Args:
        payload: as for :func:`verify_signature`, like all arguments.
        signature_header: likewise.
        secret: likewise.
        tolerance_seconds: likewise.
        clock: likewise.
        guard: likewise.

    Returns:
        The event, of the class for its kind: :class:`Completion` or :class:`ClarificationRequest`.

    Raises:
        WebhookVerificationError: it cannot be trusted or parsed; ``code`` and the message give the reason.
    """
    refusal = _refusal(payload, signature_header, secret, tolerance_seconds, clock, guard)
    if refusal is not None:
        raise WebhookVerificationError(refusal.message + _explain_unsigned(payload, refusal), refusal.code)
    return parse(payload)


def sign(payload: Payload, secret: str, timestamp: int) -> str:
    """Return the value of ``X-Muxi-Signature`` for a payload, for tests of a receiver.

    Args:
        payload: the payload, in any form.
        secret: the admin key.
        timestamp: time of the signature, in seconds since the epoch.

    Raises:
        WebhookVerificationError: the payload or the secret is invalid.
    """
    number: object = timestamp
    if not isinstance(number, int) or not _SECONDS.fullmatch(str(timestamp)):
        raise _wrong_type("timestamp", "whole seconds since the epoch", timestamp)
    return f"t={timestamp},v1={_digest(_secrets(secret)[0], str(timestamp), canonical(payload))}"


def _refusal(
    payload: Payload,
    header: str | bytes | None,
    secret: str | Sequence[str],
    tolerance: float,
    clock: Clock | None,
    guard: Guard | None,
) -> _Refusal | None:
    """Return the reason to refuse a delivery; None if it is genuine."""
    secrets = _secrets(secret)
    _check_arguments(header, tolerance, clock, guard)
    if not header:
        return _Refusal("SIGNATURE_MISSING", f"there is no {SIGNATURE_HEADER} header")
    stamp = _parse_header(header)
    if stamp is None:
        return _Refusal("SIGNATURE_MALFORMED", f"the {SIGNATURE_HEADER} header is not 't=<seconds>,v1=<signature>'")
    age = int((clock or SystemClock()).time()) - int(stamp.timestamp)
    # In this form, a tolerance that is not a number admits nothing.
    if not abs(age) <= tolerance:
        when = f"{age} s ago" if age >= 0 else f"{-age} s in the future"
        return _Refusal("TIMESTAMP_OUT_OF_TOLERANCE", f"it was signed {when}; {tolerance:g} s are allowed")
    try:
        signed = canonical(payload)
    except WebhookVerificationError as error:
        if error.code == "PAYLOAD_TYPE":
            raise
        return _Refusal(error.code, error.message)
    digests = [_digest(one, stamp.timestamp, signed) for one in secrets]
    if not _matches(digests, stamp.signatures):
        return _Refusal("SIGNATURE_MISMATCH", "the signature does not match the payload and the secret")
    # The first digest, whichever has matched: rearranging the header does not change it.
    if guard is not None and not guard.admit(int(stamp.timestamp), digests[0]):
        return _Refusal("REPLAYED", "this delivery was received before, or is older than the guard remembers")
    return None


def _secrets(secret: str | Sequence[str]) -> tuple[str, ...]:
    given: object = (secret,) if isinstance(secret, str) else secret
    several = tuple(given) if isinstance(given, Sequence) else ()
    # White space at the ends is dropped, as a client does with the same key.
    secrets = tuple(one.strip() for one in several if isinstance(one, str) and one.strip() and _is_encodable(one))
    if not secrets or len(secrets) != len(several):
        raise WebhookVerificationError(
            "verifying webhooks takes the formation's admin key, as a text that is not empty", "SECRET_MISSING"
        )
    return secrets


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_arguments(header: object, tolerance: object, clock: object, guard: object) -> None:
    """Refuse arguments of the wrong type.

    Raises:
        WebhookVerificationError: ``ARGUMENT_TYPE``; names the argument.
    """
    if header is not None and not isinstance(header, str | bytes):
        raise _wrong_type("signature_header", "the header's value or None", header)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
        raise _wrong_type("tolerance_seconds", "a number of seconds", tolerance)
    if clock is not None and not callable(getattr(clock, "time", None)):
        raise _wrong_type("clock", "a muxi.Clock", clock)
    if guard is not None and not callable(getattr(guard, "admit", None)):
        raise _wrong_type("guard", "an object with admit(timestamp, signature)", guard)


def _wrong_type(argument: str, wanted: str, given: object) -> WebhookVerificationError:
    return WebhookVerificationError(f"{argument}= takes {wanted}, got {type(given).__name__}", "ARGUMENT_TYPE")


def _parse_header(header: str | bytes) -> _Stamp | None:
    """Parse the header; None if it is malformed. Parts with other names belong to newer schemes."""
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
    """Tell whether any signature equals any of the digests, in constant time."""
    found = False
    for digest in digests:
        for signature in signatures:
            found |= hmac.compare_digest(digest.encode("ascii"), signature)
    return found


def _digest(secret: str, timestamp: str, signed: bytes) -> str:
    return hmac.new(secret.encode("utf-8"), f"{timestamp}.".encode("ascii") + signed, hashlib.sha256).hexdigest()


def _explain_unsigned(payload: Payload, refusal: _Refusal) -> str:
    """Return a remark about the two kinds of webhooks that cannot be verified."""
    if refusal.code not in ("SIGNATURE_MISSING", "SIGNATURE_MISMATCH"):
        return ""
    try:
        event = parse(payload)
    except WebhookVerificationError:
        return ""
    if isinstance(event, EscalationEnd):
        return (
            "; the runtime signs the end of an escalation with a key that only it knows: treat it "
            "as a hint, and ask the formation with get_request_status()"
        )
    if isinstance(event, Notification):
        return "; the runtime does not sign notifications: receive them at an address that is secret"
    return ""
