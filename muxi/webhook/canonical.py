"""The canonical form of a payload, which the runtime signs, and which differs from the body that it sends.

The body of a completion is written by ``json.dumps`` (blanks, insertion order, ``\\uXXXX``); the canonical form is
compact JSON with sorted keys and no unnecessary escapes. Numbers keep their text on the wire, because a conversion
to ``float`` and back may change it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from muxi.webhook.errors import WebhookVerificationError

__all__ = ["Payload", "canonical", "read_object"]

#: A request's body, or the mapping into which a framework has parsed it.
Payload = bytes | bytearray | memoryview | str | Mapping[str, Any]


class _Number(str):
    """The canonical text of a number."""

    __slots__ = ()


def canonical(payload: Payload) -> bytes:
    """Return the canonical form of a payload.

    Args:
        payload: the body as received, or a mapping. Prefer the body: a mapping has lost the texts of its numbers, and
            only those that the runtime itself writes are restored.

    Raises:
        WebhookVerificationError: ``PAYLOAD_INVALID``: it is not JSON, has a key twice, or a value without a form
            in JSON; ``PAYLOAD_TYPE``: it is neither a body nor a mapping.
    """
    value = dict(payload) if isinstance(payload, Mapping) else _loads(_decode(payload), exact=True)
    try:
        return _write(value).encode("utf-8")
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        # Not `from error`, here and below: the errors of codecs carry the whole document.
        raise _invalid(f"the payload has no canonical form ({type(error).__name__})") from None


def read_object(payload: Payload) -> dict[str, Any]:
    """Parse a payload into a mapping with ordinary numbers.

    Raises:
        WebhookVerificationError: as for :func:`canonical`; also if it is not a JSON object.
    """
    value = _null_non_finite(payload) if isinstance(payload, Mapping) else _loads(_decode(payload), exact=False)
    if not isinstance(value, dict):
        raise _invalid(f"the payload is not a JSON object but a {type(value).__name__}")
    return value


def _decode(payload: object) -> str:
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
                text, parse_float=_float, parse_int=_Number, parse_constant=_constant, object_pairs_hook=_make_object
            )
        # NaN and the infinities were signed as null, and are read as what was signed.
        return json.loads(text, parse_float=_read_float, parse_constant=lambda _: None, object_pairs_hook=_make_object)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"the payload is not JSON ({type(error).__name__})") from None


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number exceeds every float")
    return value


def _null_non_finite(value: Any) -> Any:
    """Copy a mapping with None in place of NaN and the infinities, which the canonical form has as null."""
    try:
        return _copy_finite(value)
    except RecursionError:
        raise _invalid("the payload is nested too deeply") from None


def _copy_finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _copy_finite(item) for key, item in value.items()}
    if _is_array(value):
        return [_copy_finite(item) for item in value]
    return value


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs. Of a duplicate key one value might be signed, and the other read."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _write(value: object) -> str:
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
        return "{" + ",".join(f"{_key(key)}:{_write(value[key])}" for key in sorted(value)) + "}"
    if _is_array(value):
        return "[" + ",".join(map(_write, value)) + "]"
    raise TypeError(f"JSON has no form for {type(value).__name__}")


def _is_array(value: object) -> TypeGuard[Sequence[Any]]:
    """Return whether the canonical form of a value is an array: a list, a tuple, or what else a framework makes."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview)


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("a key is not a text")
    return json.dumps(key, ensure_ascii=False)


def _constant(name: str) -> _Number:
    """``NaN`` and the infinities, which ``json.dumps`` writes and the canonical form has as null."""
    return _Number("null")


def _float(text: str) -> _Number:
    """Write a number with a fraction or an exponent; only the latter have another canonical text."""
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
