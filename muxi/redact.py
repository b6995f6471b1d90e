"""The redaction of keys, signatures and passwords, wherever they could appear.

Every function here takes time linear in its text, whatever a peer puts into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar, overload

__all__ = [
    "REDACTED",
    "SECRET_HEADERS",
    "SecretDict",
    "is_secret_field",
    "is_secret_header",
    "keep_secret",
    "keys_in",
    "mask",
    "mask_forms",
    "redact_data",
    "redact_forms",
    "redact_text",
    "secret_forms",
    "show_value",
]

V = TypeVar("V")

#: Replacement of a secret.
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

#: Shortest text that is masked as a secret, in characters: a shorter one occurs in other words too.
SHORTEST_SECRET = 6

#: Levels of nesting of a payload that are redacted; deeper ones are replaced.
_MAX_DEPTH = 100

#: Further header names (lower case) that were declared secret.
_kept_secret: set[str] = set()

#: Parts of the names of other headers that hold secrets.
_SECRET_WORDS = re.compile(r"api[-_]?key|auth|cookie|credential|passw|secret|signature|token", re.IGNORECASE)

#: Parts of the names of fields of a payload that hold secrets. Compiled at its first use, which importing is not.
_TELLTALE_FIELD = (
    r"api[-_]?key|^auth$|authorization|cookie|credential|passw|passphrase|private[-_]?key|secret|signature|token"
)

#: Keys of the platform by their prefixes (formation keys, server keys, webhook keys).
_KEY = re.compile(r"\b(fm[ac]_|muxi_[ps]k_|sk_muxi_)[A-Za-z0-9_\-]+")
_SIGNATURE = re.compile(r"(signature=)[^\s,]+")
#: The end of a URL in running text.
_URL_END = re.compile(r"[\s\"<>]")
#: A parameter in the query of a URL, by its name.
_PARAMETER = re.compile(
    r"([?&][\w.-]{0,64}(?:api[-_]?key|credential|passw|secret|signature|token)[\w.-]{0,64}=)[^&#\s\"']+", re.IGNORECASE
)


class SecretDict(dict[str, V]):
    """A dict that holds secrets: ``repr()`` shows the number of its items alone."""

    def __repr__(self) -> str:
        return f"<{len(self)} items>"


def is_secret_header(name: str) -> bool:
    """Tell whether the value of a header must not be shown."""
    lower = name.lower()
    return lower in SECRET_HEADERS or lower in _kept_secret or _SECRET_WORDS.search(name) is not None


def is_secret_field(name: str) -> bool:
    """Tell whether a field of a payload holds secrets, by its name."""
    return re.search(_TELLTALE_FIELD, name, re.IGNORECASE) is not None


def keep_secret(header: str) -> None:
    """Declare a header secret, whatever its name, from now on."""
    _kept_secret.add(header.lower())


def keys_in(headers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the values of secret headers, with and without the scheme before them; what is no text has none."""
    given: Iterable[tuple[object, object]] = headers
    texts = [(name, value) for name, value in given if isinstance(name, str) and isinstance(value, str)]
    found = (part for name, value in texts if is_secret_header(name) for part in (value, value.split(" ", 1)[-1]))
    return tuple(dict.fromkeys(part for part in found if len(part) >= SHORTEST_SECRET))


def mask(secret: str | None) -> str | None:
    """Return the replacement of a secret; None for None."""
    return None if secret is None else REDACTED


def secret_forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return the forms in which secrets can occur in a text, the longest first.

    These are a secret itself, with the escapes of JSON, ``repr``, HTML and URLs, as base64 at any offset, misread as
    Latin-1, and line by line. Forms that are too short to be told from other words are left out.
    """
    import base64
    import html
    import json
    from urllib.parse import quote, quote_plus

    found = {text.strip() for secret in secrets for text in (secret, *secret.splitlines())}
    for text in tuple(found):
        raw = text.encode("utf-8", "surrogatepass")
        quoted = {quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw)}
        quoted |= {re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), one) for one in quoted}
        found |= quoted | {raw.decode("latin-1"), repr(raw)[2:-1], repr(text)[1:-1], html.escape(text)}
        found |= {json.dumps(text)[1:-1], json.dumps(json.dumps(text))[3:-3]}
        found |= {json.dumps(text, ensure_ascii=False)[1:-1], text.encode("unicode_escape").decode("ascii")}
        for offset in range(3):
            encoded = base64.b64encode(bytes(offset) + raw).decode("ascii")
            # Only the characters that this text alone determines, whatever is encoded before and after it.
            core = encoded[offset + (offset > 0) : (offset + len(raw)) * 8 // 6]
            found |= {core, core.replace("+", "-").replace("/", "_")}
    return tuple(sorted((form for form in found if len(form) >= SHORTEST_SECRET), key=len, reverse=True))


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Mask key-shaped words, signatures, passwords and secret parameters of URLs, and the given secrets in any form."""
    if secrets:
        text = mask_forms(text, secret_forms(secrets))
    text = _KEY.sub(lambda found: found[1] + REDACTED, text)
    text = _SIGNATURE.sub(lambda found: found[1] + REDACTED, text)
    text = _PARAMETER.sub(lambda found: found[1] + REDACTED, text)
    return _redact_userinfo(text)


def _redact_userinfo(text: str) -> str:
    """Mask what stands between ``://`` and ``@`` in each URL. A scan of the text, as no expression does it linearly."""
    pieces: list[str] = []
    kept = at = end = 0
    while (start := text.find("://", at)) >= 0:
        start += 3
        if start > end:
            limit = _URL_END.search(text, start)
            end = limit.start() if limit else len(text)
        at = text.find("@", start, end)
        if at < 0:
            # No "@" in what is left of this URL, whatever other "://" it has.
            at = end
        elif at > start:
            pieces += [text[kept:start], REDACTED]
            kept = at
    return "".join([*pieces, text[kept:]]) if pieces else text


@overload
def mask_forms(text: str, forms: tuple[str, ...]) -> str: ...
@overload
def mask_forms(text: bytes, forms: tuple[str, ...]) -> bytes: ...
def mask_forms(text: str | bytes, forms: tuple[str, ...]) -> str | bytes:
    """Mask the forms of secrets (:func:`secret_forms`) in a text or in bytes; the same object if it has none."""
    if isinstance(text, bytes):
        for form in forms:
            for encoded in {form.encode("utf-8", "surrogatepass"), form.encode("latin-1", "replace")}:
                if encoded in text:
                    text = text.replace(encoded, REDACTED.encode())
        return text
    for form in forms:
        if form in text:
            text = text.replace(form, REDACTED)
    return text


def redact_data(value: object, secrets: tuple[str, ...] = ()) -> object:
    """Copy JSON-like data without the values of secret fields, and without what :func:`redact_text` masks.

    Numbers stay, whatever their field: ``total_tokens`` is not a secret.
    """
    return _redact_data(value, secret_forms(secrets) if secrets else (), _MAX_DEPTH)


def redact_forms(value: object, forms: tuple[str, ...]) -> object:
    """As :func:`redact_data`, with the forms of the secrets (:func:`secret_forms`) made beforehand."""
    return _redact_data(value, forms, _MAX_DEPTH)


def _redact_data(value: object, forms: tuple[str, ...], depth: int) -> object:
    if isinstance(value, str):
        return redact_text(mask_forms(value, forms))
    if isinstance(value, list | dict) and depth == 0:
        return REDACTED
    if isinstance(value, list):
        return [_redact_data(item, forms, depth - 1) for item in value]
    if isinstance(value, dict):
        return {
            _redact_data(name, forms, depth): REDACTED
            if _holds_secret(name, item)
            else _redact_data(item, forms, depth - 1)
            for name, item in value.items()
        }
    return value


def _holds_secret(name: object, value: object) -> bool:
    return bool(value) and isinstance(value, str | list | dict) and is_secret_field(str(name))


#: Characters of an argument that an error shows.
_SHOWN = 200


def show_value(value: object) -> str:
    """Return the ``repr`` of an argument for an error, shortened; of one that has none, its type."""
    try:
        text = repr(value)
    except Exception:
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
