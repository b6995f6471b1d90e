"""Idempotency keys: one for each call that the runtime honours it for, the same in all attempts."""

from __future__ import annotations

import os
from collections.abc import Callable

from muxi.call import Repeat
from muxi.context import Context
from muxi.errors import ConfigurationError
from muxi.exchange.repeat import repeat_of
from muxi.hookspecs import hookimpl
from muxi.plugins.arguments import check_function
from muxi.transport import Request

__all__ = ["Idempotency"]

_HEADER = "X-Muxi-Idempotency-Key"


class Idempotency:
    """``muxi.idempotency``: adds ``X-Muxi-Idempotency-Key``, unless the caller has.

    Args:
        make_key: returns a new key for each call; a random UUID if None.

    Raises:
        ConfigurationError: ``make_key`` is not a function, or at a call did not return a text.
    """

    name = "muxi.idempotency"

    def __init__(self, make_key: Callable[[], str] | None = None) -> None:
        check_function("make_key", make_key)
        self._make_key = make_key or _random_key

    @hookimpl
    def muxi_prepare_request(self, request: Request, context: Context) -> None:
        if given := request.headers.get(_HEADER):
            context.idempotency_key = given
            return
        if context.idempotency_key is None:
            if repeat_of(context.call) is not Repeat.KEYED:
                return
            context.idempotency_key = self._new_key()
        request.headers[_HEADER] = context.idempotency_key

    def _new_key(self) -> str:
        made: object = self._make_key()
        # The platform ignores an empty one.
        if not isinstance(made, str) or not made.strip():
            kind = "an empty text" if isinstance(made, str) else type(made).__name__
            raise ConfigurationError(f"the function given as make_key= returned {kind} instead of a key")
        return made


def _random_key() -> str:
    """Return a random UUID (RFC 9562, version 4). The library's module takes longer to load than a call takes."""
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
