"""What must not be shown: keys and signatures, wherever they could surface."""

from __future__ import annotations

import re

__all__ = ["REDACTED", "SECRET_HEADERS", "is_secret_header", "mask", "redact_text"]

#: What stands where a secret was.
REDACTED = "[redacted]"

#: Header names (lower case) whose value is a secret or proves the possession of one.
SECRET_HEADERS = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "set-cookie",
        "x-distillery-signature",
        "x-muxi-admin-key",
        "x-muxi-client-key",
        "x-muxi-signature",
    }
)

# What the headers of others that hold secrets have in their names.
_SECRET_WORDS = re.compile(r"api-?key|auth|cookie|credential|passw|secret|signature|token", re.IGNORECASE)

# The prefixes that the platform gives its keys (formation keys, server keys, webhook keys).
_KEY = re.compile(r"\b(fm[ac]_|muxi_[ps]k_|sk_muxi_)[A-Za-z0-9_\-]+")
_SIGNATURE = re.compile(r"(signature=)[^\s,]+")
_USERINFO = re.compile(r"(://)[^@\s]+@")


def is_secret_header(name: str) -> bool:
    """Whether the value of this header must not be shown."""
    return name.lower() in SECRET_HEADERS or _SECRET_WORDS.search(name) is not None


def mask(secret: str | None) -> str | None:
    """A secret as it may be shown: nothing of it but that it is there."""
    return None if secret is None else REDACTED


def redact_text(text: str, secrets: tuple[str, ...] = ()) -> str:
    """``text`` without key-shaped words, signatures, passwords in URLs and the given secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    text = _KEY.sub(lambda found: found[1] + REDACTED, text)
    text = _SIGNATURE.sub(lambda found: found[1] + REDACTED, text)
    return _USERINFO.sub(lambda found: found[1] + REDACTED + "@", text)
