"""The formation's keys, put on each request last of all."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Awaitable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from muxi.call import Key
from muxi.config import Secret
from muxi.context import Context
from muxi.errors import ConfigurationError
from muxi.hookspecs import hookimpl
from muxi.transport import Request

__all__ = ["KeyAuth"]

_HEADERS = {Key.CLIENT: "X-Muxi-Client-Key", Key.ADMIN: "X-Muxi-Admin-Key"}

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "memory"})

#: Hosts that a key has been sent to in the clear, each warned about once.
_warned: set[str] = set()


class KeyAuth:
    """``muxi.auth`` of a formation client: the client or the admin key, by what the route takes.

    Args:
        client_key: the key, or a function that returns it, asked on every attempt.
        admin_key: likewise.
    """

    name = "muxi.auth"

    def __init__(self, client_key: Secret | None, admin_key: Secret | None) -> None:
        self._keys = {Key.CLIENT: client_key, Key.ADMIN: admin_key}

    @hookimpl(trylast=True)
    def muxi_prepare_request(self, request: Request, context: Context) -> Coroutine[Any, Any, None] | None:
        kind = context.call.key
        if kind is Key.EITHER:
            kind = Key.CLIENT if self._keys[Key.CLIENT] is not None else Key.ADMIN
        if kind not in _HEADERS:
            return None
        secret = self._keys[kind]
        if secret is None:
            raise ConfigurationError(_missing(context.call.key))
        header = _HEADERS[kind]
        value = secret if isinstance(secret, str) else secret()
        if not isinstance(value, str):
            return _later(request, header, value)
        _put(request, header, value)
        return None


def _missing(kind: Key) -> str:
    if kind is Key.ADMIN:
        return "this call takes the admin key; give admin_key= or set MUXI_ADMIN_KEY"
    if kind is Key.CLIENT:
        return "this call takes the client key; give client_key= or set MUXI_CLIENT_KEY"
    return "this call takes a key; give client_key= (or set MUXI_CLIENT_KEY), or admin_key= (or set MUXI_ADMIN_KEY)"


async def _later(request: Request, header: str, value: Awaitable[str]) -> None:
    _put(request, header, await value)


def _put(request: Request, header: str, value: object) -> None:
    if inspect.isawaitable(value) or not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"the function that gives the key for {header} returned {type(value).__name__}")
    request.headers[header] = value.strip()
    if request.url.startswith("http://"):
        _warn_once(urlsplit(request.url).hostname or "")


def _warn_once(host: str) -> None:
    if host in _LOOPBACK or host.startswith("127.") or host in _warned:
        return
    _warned.add(host)
    warnings.warn(f"a key is sent to {host} over plain http, readable on the way; use https", stacklevel=2)
