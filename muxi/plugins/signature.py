"""Authentication by a server's HMAC signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Coroutine
from typing import Any
from urllib.parse import unquote

from muxi.call import Key
from muxi.config import Secret
from muxi.context import Context, Outcome
from muxi.errors import AuthenticationError, ConfigurationError
from muxi.forks import renew_after_fork
from muxi.hookspecs import hookimpl
from muxi.plugins.secret import KeySource
from muxi.transport import Request
from muxi.transport.contract import parse_date

__all__ = ["SignatureAuth", "sign"]


class SignatureAuth:
    """``muxi.auth`` of a server client: adds an HMAC signature, a new one for each attempt.

    If the server reports an expired timestamp, the clocks differ: the difference to its ``Date`` is remembered, and
    the call is signed again. If it refuses the signature for another reason, a function is called again for the
    secret, and the call is repeated if it returns another.

    Args:
        key_id: public half of the pair.
        secret_key: secret half, or a function that returns it.
        asynchronous: whether that function may be a coroutine function.
        unsigned_prefix: path prefix that a proxy removes before the server sees the request.

    Raises:
        ConfigurationError: it is, and the client is a sync one.
    """

    name = "muxi.auth"

    def __init__(
        self,
        key_id: str | None,
        secret_key: Secret | None,
        *,
        asynchronous: bool = False,
        unsigned_prefix: str = "",
    ) -> None:
        self._key_id = key_id
        # The path of a request is decoded, and a prefix may stand as the URL has it.
        self._unsigned_prefix = unquote(unsigned_prefix)
        self._secret = KeySource("secret_key", secret_key, asynchronous=asynchronous)
        self._skew = 0.0
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")

    @hookimpl(trylast=True)
    def muxi_prepare_request(self, request: Request, context: Context) -> Coroutine[Any, Any, None] | None:
        if context.call.key is not Key.SIGNATURE:
            return None
        if not self._key_id or not self._secret.given:
            missing = [
                f"{argument}= (or set {variable})"
                for argument, variable, there in (
                    ("key_id", "MUXI_KEY_ID", self._key_id),
                    ("secret_key", "MUXI_SECRET_KEY", self._secret.given),
                )
                if not there
            ]
            raise ConfigurationError(f"this call is signed; give {' and '.join(missing)}")
        return self._secret.use(context, lambda secret: self._sign(request, secret, context))

    def _sign(self, request: Request, secret: str, context: Context) -> None:
        context.add_signing_key(secret)
        timestamp = int(context.clock.time() + self._skew)
        # What the server sees: a proxy may remove a prefix of the path.
        path = request.path
        if path.startswith(f"{self._unsigned_prefix}/"):
            path = path.removeprefix(self._unsigned_prefix)
        signature = sign(secret, timestamp, request.method, path)
        request.secrets = (*request.secrets, secret)
        request.headers["Authorization"] = f"MUXI-HMAC key={self._key_id}, timestamp={timestamp}, signature={signature}"

    @hookimpl(tryfirst=True)
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> float | Coroutine[Any, Any, float | None] | None:
        error = outcome.error
        if not isinstance(error, AuthenticationError):
            return None
        if "expired" in error.message:
            return self._adopt_clock(error, context)
        return self._secret.renewed(context)

    def _adopt_clock(self, error: AuthenticationError, context: Context) -> float | None:
        """Adopt the server's clock, once for each call."""
        headers = error.answer.headers if error.answer else ()
        date = next((value for name, value in headers if name.lower() == "date"), None)
        theirs = None if date is None else parse_date(date)
        if theirs is None or self.name in context.state:
            return None
        context.state[self.name] = theirs
        with self._lock:
            self._skew = theirs - context.clock.time()
        return 0.0


def sign(secret: str, timestamp: int, method: str, path: str) -> str:
    """Return the server's signature of a request.

    Args:
        secret: the secret key.
        timestamp: seconds since the Unix epoch.
        method: in capitals.
        path: percent-decoded, without the query.
    """
    message = f"{timestamp};{method};{path}".encode()
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode("ascii")
