"""The check of a signature, as the server makes it (section 0 of its wire)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

__all__ = ["TOLERANCE_SECONDS", "refusal"]

#: Tolerance of timestamps in seconds, either way.
TOLERANCE_SECONDS = 300.0
#: The span of Go's duration: a timestamp further in the future than this overflows, and passes.
_GO_DURATION_SECONDS = 2**63 / 1e9
#: What is larger is no integer to Go.
_LARGEST = 2**63 - 1

_SCHEME = "MUXI-HMAC "


def refusal(
    header: str | None, method: str, path: str, *, key_id: str | None, secret: str | None, now: float
) -> str | None:
    """Check the signature of a request. Returns the first error; None if the request is authorized.

    Args:
        header: the ``Authorization`` header.
        method: the method.
        path: the path, percent-decoded, without the query.
        key_id: the id of the one key; None lets any key in whose timestamp is good.
        secret: the secret of the key, likewise.
        now: seconds since the Unix epoch.
    """
    if not header:
        return "Missing authorization header"
    # Comma and space together separate the parts; a comma alone belongs to the value before it.
    pairs = [piece.partition("=") for piece in header[len(_SCHEME) :].split(", ")]
    parts = {name: value for name, _, value in pairs}
    if not header.startswith(_SCHEME) or not all(parts.get(name) for name in ("key", "timestamp", "signature")):
        return "Invalid authorization header format"
    if key_id is not None and not _same(parts["key"], key_id):
        return "Invalid key"
    if not _timely(parts["timestamp"], now):
        return "Request expired (timestamp too old or in future)"
    if secret is not None and not _same(parts["signature"], _sign(secret, parts["timestamp"], method, path)):
        return "Invalid signature"
    return None


def _timely(timestamp: str, now: float) -> bool:
    if not re.fullmatch(r"[+-]?\d{1,19}", timestamp, re.ASCII) or int(timestamp) > _LARGEST:
        return False
    ahead = int(timestamp) - now
    return abs(ahead) <= TOLERANCE_SECONDS or ahead > _GO_DURATION_SECONDS


def _sign(secret: str, timestamp: str, method: str, path: str) -> str:
    message = f"{timestamp};{method};{path}".encode("utf-8", "surrogateescape")
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode("utf-8", "surrogateescape"))
