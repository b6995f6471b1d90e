"""Keys that are a text, or come from a function that is asked on every attempt: a vault, a token service."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import cast

from muxi.config import Secret
from muxi.errors import ConfigurationError

__all__ = ["KeySource"]


class KeySource:
    """One key.

    Args:
        argument: what the constructor calls it, for errors.
        secret: the key, a function that returns it, or None where there is none.
        asynchronous: whether the function may be a coroutine function.

    Raises:
        ConfigurationError: it is a coroutine function, and the client a sync one.
    """

    def __init__(self, argument: str, secret: Secret | None, *, asynchronous: bool) -> None:
        self._argument = argument
        self._secret = secret
        self._asynchronous = asynchronous
        if inspect.iscoroutinefunction(secret) and not asynchronous:
            raise self._cannot_await()

    @property
    def given(self) -> bool:
        """Whether there is one."""
        return self._secret is not None

    def get(self) -> str | Awaitable[str]:
        """The key, or where its function is asynchronous something to await.

        Raises:
            ConfigurationError: the function returned something else than a key.
        """
        if isinstance(self._secret, str):
            return self._secret
        found: object = self._secret() if self._secret else None
        if not inspect.isawaitable(found):
            return self._checked(found)
        if not self._asynchronous:
            if inspect.iscoroutine(found):
                found.close()
            raise self._cannot_await()
        return self._awaited(cast("Awaitable[object]", found))

    async def _awaited(self, found: Awaitable[object]) -> str:
        return self._checked(await found)

    def _checked(self, found: object) -> str:
        if not isinstance(found, str):
            raise ConfigurationError(
                f"the function given as {self._argument}= returned {type(found).__name__} instead of a text"
            )
        if not found.strip():
            raise ConfigurationError(f"the function given as {self._argument}= returned an empty text")
        return found.strip()

    def _cannot_await(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self._argument}= is an async function, which a sync client cannot await; give a function that returns "
            "the key, or use the async client"
        )
