"""The identity of calls over several runs: digests and idempotency keys."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from dataclasses import replace
from typing import Any

from muxi.call import Call, Repeat
from muxi.errors import ConfigurationError, ValidationError
from muxi.exchange.repeat import repeat_of
from muxi.redact import is_secret_header, mask_forms, secret_forms
from muxi.transport import Headers

__all__ = ["digest_of", "key_of", "with_identity"]

_HEADER = "X-Muxi-Idempotency-Key"


def digest_of(call: Call[Any]) -> str:
    """Return a digest of everything that a call sends, without its secrets.

    Raises:
        ValidationError: the body cannot be sent as JSON.
        ConfigurationError: the content has no digest, because it can be read only once.
    """
    headers = sorted((name.lower(), value) for name, value in call.headers.items() if not is_secret_header(name))
    sent = [
        call.method,
        call.path,
        dict(call.params),
        dict(call.query),
        call.body,
        headers,
        call.user_id,
        call.operation,
        _content_digest(call.content),
        None if call.into is None else os.fspath(call.into),
    ]
    try:
        text = json.dumps(sent, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise ValidationError("INVALID_BODY", "the call cannot be sent as JSON, so that it has no digest") from None
    if secrets := call.secrets:
        text = mask_forms(text, secret_forms((*secrets, *(json.dumps(secret)[1:-1] for secret in secrets))))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _content_digest(content: object) -> str | None:
    if content is None:
        return None
    if isinstance(content, bytes | bytearray | memoryview):
        return hashlib.sha256(content).hexdigest()
    if isinstance(content, os.PathLike):
        return f"file {os.fspath(content)}"
    raise ConfigurationError(
        f"a call whose content is {type(content).__name__} cannot be in a journal, because it cannot be compared; "
        "give bytes or a path"
    )


def key_of(batch: str, position: int) -> str:
    """Return the idempotency key of a position, always the same one.

    Args:
        batch: id of the journal, or of the run where there is none.
        position: position of the call in the input.
    """
    return str(uuid.uuid5(uuid.UUID(batch), str(position)))


def with_identity(call: Call[Any], batch: str, position: int) -> Call[Any]:
    """Return a keyed call with its idempotency key, unless it has one; any other call as it is.

    A tracked call gets a request id of its own too, the same on each repetition.
    """
    if repeat_of(call) is not Repeat.KEYED:
        return call
    key = key_of(batch, position)
    changes: dict[str, Any] = {}
    if not Headers(call.headers).get(_HEADER):
        changes["headers"] = {**call.headers, _HEADER: key}
    if call.tracked and isinstance(call.body, dict) and not call.body.get("request_id"):
        changes["body"] = {**call.body, "request_id": f"req_{key.replace('-', '')[:21]}"}
    return replace(call, **changes) if changes else call
