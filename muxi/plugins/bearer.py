"""Tokens for a gateway, an identity-aware proxy or a mesh between the client and the platform."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from muxi.call import Key
from muxi.config import Secret
from muxi.context import Context, Outcome
from muxi.errors import AuthenticationError, ConfigurationError
from muxi.hookspecs import hookimpl
from muxi.plugins.secret import KeySource
from muxi.redact import keep_secret
from muxi.transport import Request
from muxi.transport.arguments import check_arguments
from muxi.transport.plaintext import warn_of_key

__all__ = ["BearerAuth"]


@check_arguments()
class BearerAuth:
    """``muxi.bearer``: adds a token to every request, beside the platform's own keys; several use different headers.

    ::

        FormationClient(plugins=[BearerAuth(token_of_the_gateway), BearerAuth(mesh, header="X-Mesh-Token", scheme="")])

    A function is called on every attempt, and again after a 401: if it then returns another token, the call is repeated
    at once. A header of the same name from the caller (``headers=``, ``with_options``) is kept. The header's value
    appears in no log and no ``repr``, whatever its name.

    Args:
        token: the token, or a function that returns it; on an async client it may be ``async def``.
        header: name of its header. A server client signs in ``Authorization``, so a token for a gateway in front of a
            server goes into another one, such as ``Proxy-Authorization``.
        scheme: word before the token; empty for the token alone.
        name: the plugin's name; ``muxi.bearer``, with the header's name where that is not ``Authorization``.

    Raises:
        ConfigurationError: the token is neither a text nor a function, or the header has no name.
    """

    def __init__(
        self, token: Secret, header: str = "Authorization", scheme: str = "Bearer", *, name: str | None = None
    ) -> None:
        given: object = token
        if not callable(given) and not (isinstance(given, str) and given.strip()):
            kind = "an empty text" if isinstance(given, str) else type(given).__name__
            raise ConfigurationError(f"token= takes a text or a function that returns one, got {kind}")
        names: object = header
        if not isinstance(names, str) or not header.strip():
            raise ConfigurationError("header= takes the name of a header")
        plain = header.lower() == "authorization"
        self.name: str = name or ("muxi.bearer" if plain else f"muxi.bearer.{header.lower()}")
        self.header: str = header
        self._scheme = f"{scheme} " if scheme else ""
        self._signed_there = plain
        keep_secret(header)
        self._token = KeySource(
            "token", token.strip() if isinstance(token, str) else token, asynchronous=None, plugin=self.name
        )

    @hookimpl(trylast=True)
    def muxi_prepare_request(self, request: Request, context: Context) -> Coroutine[Any, Any, None] | None:
        if self._signed_there and context.call.key is Key.SIGNATURE:
            raise ConfigurationError(
                f"the plugin {self.name!r} puts its token into Authorization, where a server client has its signature; "
                'give the token another header: BearerAuth(…, header="Proxy-Authorization")'
            )
        if self.header in request.headers:
            given = [*context.call.headers, *context.options.headers]
            if any(name.lower() == self.header.lower() for name in given):
                return None
            raise ConfigurationError(
                f"the plugin {self.name!r} puts its token into {self.header}, where another plugin has put something; "
                "give one of them another header"
            )
        warn_of_key(request.url, private=context.private)
        return self._token.use(context, lambda token: self._put(request, token))

    def _put(self, request: Request, token: str) -> None:
        request.headers[self.header] = f"{self._scheme}{token}"

    @hookimpl(tryfirst=True)
    def muxi_retry_delay(self, outcome: Outcome, context: Context) -> float | Coroutine[Any, Any, float | None] | None:
        return self._token.renewed(context) if isinstance(outcome.error, AuthenticationError) else None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} in {self.header}>"
