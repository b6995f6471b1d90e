"""Redaction of keys and signatures in logs, errors, reprs and recordings."""

from __future__ import annotations

import re

__all__ = [
    "REDACTED",
    "SECRET_HEADERS",
    "is_secret_field",
    "is_secret_header",
    "keep_secret",
    "mask",
    "redact_data",
    "redact_text",
]

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

#: Names (lower case) registered by :func:`keep_secret`.
_kept_secret: set[str] = set()

# What the headers of others that hold secrets have in their names.
_SECRET_WORDS = re.compile(r"api[-_]?key|auth|cookie|credential|passw|secret|signature|token", re.IGNORECASE)

# What the fields of a payload that hold secrets have in their names.
_TELLTALE_FIELD = (
    r"api[-_]?key|^auth$|authorization|cookie|credential|passw|passphrase|private[-_]?key|secret|signature|token"
)

# The prefixes that the platform gives its keys (formation keys, server keys, webhook keys).
_KEY = re.compile(r"\b(fm[ac]_|muxi_[ps]k_|sk_muxi_)[A-Za-z0-9_\-]+")
_SIGNATURE = re.compile(r"(signature=)[^\s,]+")
_USERINFO = re.compile(r"(://)[^@\s]+@")
# A parameter in the query of a URL, by its name.
_PARAMETER = re.compile(
    r"([?&][\w.-]{0,64}(?:api[-_]?key|credential|passw|secret|signature|token)[\w.-]{0,64}=)[^&#\s\"']+", re.IGNORECASE
)


def is_secret_header(name: str) -> bool:
    """Return whether a header is secret, by its name."""
    lower = name.lower()
    return lower in SECRET_HEADERS or lower in _kept_secret or _SECRET_WORDS.search(name) is not None


def is_secret_field(name: str) -> bool:
    """Return whether a field is secret, by its name."""
    return re.search(_TELLTALE_FIELD, name, re.IGNORECASE) is not None


def keep_secret(header: str) -> None:
    """Register a header as secret, whatever its name."""
    _kept_secret.add(header.lower())


def mask(secret: str | None) -> str | None:
    """Return the replacement of a secret; None for None."""
    return None if secret is None else REDACTED


def redact_text(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return ``text`` without keys, signatures, passwords and secret parameters of URLs, and the given secrets."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    text = _KEY.sub(lambda found: found[1] + REDACTED, text)
    text = _SIGNATURE.sub(lambda found: found[1] + REDACTED, text)
    text = _PARAMETER.sub(lambda found: found[1] + REDACTED, text)
    return _USERINFO.sub(lambda found: found[1] + REDACTED + "@", text)


def redact_data(value: object, secrets: tuple[str, ...] = ()) -> object:
    """Return JSON-like data without secrets: values of secret fields, and what :func:`redact_text` finds.

    Numbers stay, whatever their field is called: ``total_tokens`` is no secret.
    """
    if isinstance(value, str):
        return redact_text(value, secrets)
    if isinstance(value, list):
        return [redact_data(item, secrets) for item in value]
    if isinstance(value, dict):
        return {
            redact_data(name, secrets): REDACTED if _is_secret_field(name, item) else redact_data(item, secrets)
            for name, item in value.items()
        }
    return value


def _is_secret_field(name: object, value: object) -> bool:
    if not value or not isinstance(value, str | list | dict):
        return False
    return is_secret_field(str(name))
