"""Authentication by a formation's keys."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any

from muxi.call import Key
from muxi.config import Secret
from muxi.context import Context, Outcome
from muxi.errors import AuthenticationError, ConfigurationError
from muxi.hookspecs import hookimpl
from muxi.plugins.secret import KeySource
from muxi.transport import Request
from muxi.transport.plaintext import warn_of_key

__all__ = ["KeyAuth"]

_HEADERS = {Key.CLIENT: "X-Muxi-Client-Key", Key.ADMIN: "X-Muxi-Admin-Key"}


class KeyAuth:
    """``muxi.auth`` of a formation client: adds the client or the admin key, whichever the route takes.

    A function is called on every attempt, and again after a 401: if it then returns another key, the call is repeated
    at once, even with ``max_retries=0``, because a refused call had no effect.

    Args:
        client_key: the key, or a function that returns it.
        admin_key: likewise.
        asynchronous: whether the functions may be coroutine functions.

    Raises:
        ConfigurationError: one is, and the client is a sync one.
    """

    name = "muxi.auth"

    def __init__(self, client_key: Secret | None, admin_key: Secret | None, *, asynchronous: bool = False) -> None:
        self._keys = {
            Key.CLIENT: KeySource("client_key", client_key, asynchronous=asynchronous),
            Key.ADMIN: KeySource("admin_key", admin_key, asynchronous=asynchronous),
        }

    @hookimpl(trylast=True)
    def muxi_prepare_request(self, request: Request, context: Context) -> Coroutine[Any, Any, None] | None:
        kind = context.call.key
        if kind is Key.EITHER:
            kind = Key.CLIENT if self._keys[Key.CLIENT].given else Key.ADMIN
        if kind not in _HEADERS:
            return None
        source = self._keys[kind]
        if not source.given:
            raise ConfigurationError(_missing(context.call.key))
        warn_of_key(request.url, private=context.private)
        return source.use(context, partial(request.headers.__setitem__, _HEADERS[kind]))

    @hookimpl(tryfirst=True)
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> float | Coroutine[Any, Any, float | None] | None:
        if not isinstance(outcome.error, AuthenticationError):
            return None
        # A call uses one of the two keys; the other has nothing to renew.
        return next((found for it in self._keys.values() if (found := it.renewed(context)) is not None), None)


def _missing(kind: Key) -> str:
    if kind is Key.ADMIN:
        return "this call takes the admin key; give admin_key= or set MUXI_ADMIN_KEY"
    if kind is Key.CLIENT:
        return "this call takes the client key; give client_key= or set MUXI_CLIENT_KEY"
    return "this call takes a key; give client_key= (or set MUXI_CLIENT_KEY), or admin_key= (or set MUXI_ADMIN_KEY)"
