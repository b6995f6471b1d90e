"""The form of a payload that the runtime signs, which is not the form in which it sends it.

The body of a completion is written by ``json.dumps`` (blanks, insertion order, ``\\uXXXX``); signed is compact
JSON with the keys of every object sorted by code point and nothing escaped beyond need. Numbers keep the text
they have on the wire, for a number that went through ``float`` and back may be written differently.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from muxi.webhook.errors import WebhookVerificationError

__all__ = ["Payload", "canonical", "read_object"]

#: A request's body, or the mapping that a framework has made of it.
Payload = bytes | bytearray | memoryview | str | Mapping[str, Any]


class _Number(str):
    """A number in its canonical text."""

    __slots__ = ()


def canonical(payload: Payload) -> bytes:
    """The bytes that the runtime signs for a payload.

    Args:
        payload: the body as received, or a mapping. Prefer the body: a mapping has lost how its numbers were
            written, so that only what the runtime itself writes comes out the same.

    Raises:
        WebhookVerificationError: ``PAYLOAD_INVALID``, it is not JSON, names a key twice, or has what JSON has no
            form for; ``PAYLOAD_TYPE``, it is neither a body nor a mapping.
    """
    value = dict(payload) if isinstance(payload, Mapping) else _loads(_decoded(payload), exact=True)
    try:
        return _written(value).encode("utf-8")
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        # Not `from error`, here and below: the errors of codecs carry the whole document.
        raise _invalid(f"the payload has no canonical form ({type(error).__name__})") from None


def read_object(payload: Payload) -> dict[str, Any]:
    """The payload as a mapping, with ordinary numbers.

    Raises:
        WebhookVerificationError: as for :func:`canonical`, and where it is not a JSON object.
    """
    value = dict(payload) if isinstance(payload, Mapping) else _loads(_decoded(payload), exact=False)
    if not isinstance(value, dict):
        raise _invalid(f"the payload is not a JSON object but a {type(value).__name__}")
    return value


def _decoded(payload: object) -> str:
    if isinstance(payload, str):
        return payload
    if isinstance(payload, bytes | bytearray | memoryview):
        try:
            return bytes(payload).decode("utf-8")
        except UnicodeDecodeError:
            raise _invalid("the payload is not UTF-8") from None
    raise WebhookVerificationError(
        f"a payload is the request's body (bytes or text) or a mapping, got {type(payload).__name__}", "PAYLOAD_TYPE"
    )


def _loads(text: str, *, exact: bool) -> Any:
    try:
        if exact:
            return json.loads(
                text, parse_float=_float, parse_int=_Number, parse_constant=_constant, object_pairs_hook=_once
            )
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"the payload is not JSON ({type(error).__name__})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. A key that is there twice would be signed as one value and maybe read as the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _written(value: object) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return _float(float.__repr__(value))
    if isinstance(value, Mapping):
        # Sorting texts sorts by code point, which is the order of their UTF-8 as well.
        return "{" + ",".join(f"{_key(key)}:{_written(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return "[" + ",".join(map(_written, value)) + "]"
    raise TypeError(f"JSON has no form for {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("a key is not a text")
    return json.dumps(key, ensure_ascii=False)


def _constant(name: str) -> _Number:
    """``NaN`` and the infinities, which ``json.dumps`` writes and the canonical form has as null."""
    return _Number("null")


def _float(text: str) -> _Number:
    """A number with a fraction or an exponent; only those with an exponent are written in another way."""
    if text in ("nan", "inf", "-inf"):
        return _Number("null")
    mantissa, _, exponent = text.lower().partition("e")
    if not exponent:
        return _Number(text)
    power = int(exponent)
    if power == -5:
        sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
        return _Number(f"{sign}0.0000{digits.replace('.', '')}")
    return _Number(f"{mantissa}e{power:+d}")


def _invalid(problem: str) -> WebhookVerificationError:
    return WebhookVerificationError(problem, "PAYLOAD_INVALID")
