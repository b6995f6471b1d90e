"""One idempotency key for each logical call, the same over its attempts, where the runtime honours one."""

from __future__ import annotations

import uuid

from muxi.context import Context
from muxi.hookspecs import hookimpl
from muxi.repeat import Repeat
from muxi.transport import Request

__all__ = ["Idempotency"]

_HEADER = "X-Muxi-Idempotency-Key"


class Idempotency:
    """``muxi.idempotency``: ``X-Muxi-Idempotency-Key``, the caller's own if given."""

    name = "muxi.idempotency"

    @hookimpl
    def muxi_prepare_request(self, request: Request, context: Context) -> None:
        if given := request.headers.get(_HEADER):
            context.idempotency_key = given
            return
        if context.idempotency_key is None:
            if context.call.repeats is not Repeat.KEYED:
                return
            context.idempotency_key = str(uuid.uuid4())
        request.headers[_HEADER] = context.idempotency_key
