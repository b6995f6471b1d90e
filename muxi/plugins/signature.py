"""The server's HMAC signature, made anew for each attempt and put on last of all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Awaitable, Coroutine
from typing import Any

from muxi.call import Key
from muxi.config import Secret
from muxi.context import Context, Outcome
from muxi.errors import AuthenticationError, ConfigurationError
from muxi.hookspecs import hookimpl
from muxi.transport import Request

__all__ = ["SignatureAuth", "sign"]


class SignatureAuth:
    """``muxi.auth`` of a server client: the HMAC signature, made anew for each attempt.

    Where the server says that the timestamp has expired, the clocks differ: the difference to its ``Date``
    is remembered and the call is signed once more.

    Args:
        key_id: the public half of the pair.
        secret_key: the secret half, or a function that returns it.
    """

    name = "muxi.auth"

    def __init__(self, key_id: str | None, secret_key: Secret | None) -> None:
        self._key_id = key_id
        self._secret = secret_key
        self._skew = 0.0
        self._lock = threading.Lock()

    @hookimpl(trylast=True)
    def muxi_prepare_request(self, request: Request, context: Context) -> Coroutine[Any, Any, None] | None:
        if context.call.key is not Key.SIGNATURE:
            return None
        if not self._key_id or self._secret is None:
            missing = [
                f"{argument}= (or set {variable})"
                for argument, variable, value in (
                    ("key_id", "MUXI_KEY_ID", self._key_id),
                    ("secret_key", "MUXI_SECRET_KEY", self._secret),
                )
                if not value
            ]
            raise ConfigurationError(f"this call is signed; give {' and '.join(missing)}")
        timestamp = int(context.clock.time() + self._skew)
        secret = self._secret if isinstance(self._secret, str) else self._secret()
        if isinstance(secret, str):
            self._sign(request, secret, timestamp)
            return None
        return self._sign_later(request, secret, timestamp)

    async def _sign_later(self, request: Request, secret: Awaitable[str], timestamp: int) -> None:
        self._sign(request, await secret, timestamp)

    def _sign(self, request: Request, secret: str, timestamp: int) -> None:
        signature = sign(secret, timestamp, request.method, request.path)
        request.headers["Authorization"] = f"MUXI-HMAC key={self._key_id}, timestamp={timestamp}, signature={signature}"

    @hookimpl(tryfirst=True)
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> float | None:
        error = outcome.error
        if not isinstance(error, AuthenticationError) or "expired" not in error.message or error.answer is None:
            return None
        date = next((value for name, value in error.answer.headers if name.lower() == "date"), None)
        if date is None or context.state.setdefault(self.name, 0):
            return None
        context.state[self.name] = 1
        from email.utils import parsedate_to_datetime  # slow to load and rarely needed

        try:
            theirs = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return None
        with self._lock:
            self._skew = theirs - context.clock.time()
        return 0.0


def sign(secret: str, timestamp: int, method: str, path: str) -> str:
    """The server's signature (recorded in the wire's ``server.md``, section 0).

    Args:
        secret: the secret key.
        timestamp: seconds since the Unix epoch.
        method: in capitals.
        path: percent-decoded, without the query.
    """
    message = f"{timestamp};{method};{path}".encode()
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode("ascii")
