"""Keys that are a text, or come from a function that is asked on every attempt: a vault, a token service."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from muxi.clock import Clock, SystemClock
from muxi.config import Secret
from muxi.context import Context
from muxi.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio

__all__ = ["CachedKey", "KeySource"]

#: What a function returns: a key, or on async clients a coroutine that does.
R = TypeVar("R", bound="str | Awaitable[str]")

#: The parameter by which a function learns that the key it gave was refused.
_REFUSED = "refused"


@dataclass
class _Use:
    """What one call knows of a key that came from a function."""

    key: str = field(default="", repr=False)
    #: Asked for after the key was refused; the next attempt takes it.
    fresh: str = field(default="", repr=False)
    asked_again: bool = False


class KeySource:
    """One key.

    Args:
        argument: what the constructor calls it, for errors.
        secret: the key, a function that returns it, or None where there is none. A function with a parameter
            ``refused`` is given the key that was refused, when it is asked again after a 401.
        asynchronous: whether the function may be a coroutine function; None where that is not known yet.
        plugin: the plugin that uses it, for the state of calls.

    Raises:
        ConfigurationError: it is a coroutine function, and the client a sync one.
    """

    def __init__(
        self, argument: str, secret: Secret | None, *, asynchronous: bool | None, plugin: str = "muxi.auth"
    ) -> None:
        self._argument = argument
        self._secret = secret
        self._asynchronous = asynchronous
        self._slot = f"{plugin}.{argument}"
        self._takes_refused = callable(secret) and _takes_refused(secret)
        self._is_async = inspect.iscoroutinefunction(secret)
        if self._is_async and asynchronous is False:
            raise self._cannot_await()

    @property
    def given(self) -> bool:
        """Whether there is one."""
        return self._secret is not None

    def use(self, context: Context, put: Callable[[str], None]) -> Coroutine[Any, Any, None] | None:
        """Give the key of this attempt to ``put``; where its function is asynchronous, when that is awaited.

        Raises:
            ConfigurationError: the function returned something else than a key.
        """
        if isinstance(self._secret, str):
            put(self._secret)
            return None
        known: _Use = context.state.setdefault(self._slot, _Use())
        if known.fresh:
            known.key, known.fresh = known.fresh, ""
            put(known.key)
            return None
        # A coroutine function is not called before it is awaited: a sync client never awaits it.
        found = None if self._is_async else self._ask()
        if found is None or not isinstance(found, str):
            return self._use_later(found, known, put)
        known.key = found
        put(found)
        return None

    async def _use_later(self, found: Awaitable[object] | None, known: _Use, put: Callable[[str], None]) -> None:
        known.key = await self._awaited(found)
        put(known.key)

    def renewed(self, context: Context) -> float | Coroutine[Any, Any, float | None] | None:
        """Ask the function once more after a 401: the wait before the next attempt if there is another key now.

        Once for each call; None where the key is a text, was not used, or is still the same.
        """
        known: _Use | None = context.state.get(self._slot)
        if known is None or known.asked_again:
            return None
        known.asked_again = True
        found = self._ask(known.key)
        return _compared(known, found) if isinstance(found, str) else self._renewed_later(found, known)

    async def _renewed_later(self, found: Awaitable[object], known: _Use) -> float | None:
        return _compared(known, await self._awaited(found))

    def _ask(self, refused: str | None = None) -> str | Awaitable[object]:
        function = cast("Callable[..., object]", self._secret)
        found = function(refused=refused) if refused is not None and self._takes_refused else function()
        if not inspect.isawaitable(found):
            return self._checked(found)
        if self._asynchronous is False:
            if inspect.iscoroutine(found):
                found.close()
            raise self._cannot_await()
        return cast("Awaitable[object]", found)

    async def _awaited(self, found: Awaitable[object] | None) -> str:
        asked = self._ask() if found is None else found
        return asked if isinstance(asked, str) else self._checked(await asked)

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


def _compared(known: _Use, key: str) -> float | None:
    if key == known.key:
        return None
    known.fresh = key
    return 0.0


def _takes_refused(function: Callable[..., object]) -> bool:
    try:
        found = inspect.signature(function).parameters.get(_REFUSED)
    except (TypeError, ValueError):  # some functions written in C have no signature
        return False
    return found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)


class CachedKey(Generic[R]):
    """A function's key, kept for a while, and asked for anew as soon as the platform refuses it.

    ::

        FormationClient(client_key=CachedKey(read_from_vault, seconds=600))

    Of calls that want a key at the same time, from several threads or tasks, one asks and the others wait for it.

    Args:
        function: returns the key; on async clients it may be ``async def``.
        seconds: how long its answer is good for.
        clock: what these seconds go by; the machine's if None.

    Raises:
        ConfigurationError: ``function`` is none, or ``seconds`` no number above 0.
    """

    def __init__(self, function: Callable[[], R], *, seconds: float = 300.0, clock: Clock | None = None) -> None:
        if not callable(function):
            raise ConfigurationError(f"function= takes a function that returns the key, got {type(function).__name__}")
        given: object = seconds
        if isinstance(given, bool) or not isinstance(given, int | float) or not seconds > 0:
            raise ConfigurationError(f"seconds= takes a number above 0, got {seconds!r}")
        self._function = function
        self._seconds = seconds
        self._clock = clock or SystemClock()
        self._key: str | None = None
        self._until = 0.0
        self._lock = threading.Lock()
        self._asking: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def __call__(self, refused: str | None = None) -> R:
        """The key; another one than ``refused``, if the function has another."""
        if inspect.iscoroutinefunction(self._function):
            return cast(R, self._get_later(refused))
        with self._lock:
            key = self._known(refused)
            if key is None:
                found: object = self._function()
                if not isinstance(found, str):
                    # Whoever uses the key says what is wrong with it.
                    return cast(R, found)
                key = self._keep(found)
        return cast(R, key)

    async def _get_later(self, refused: str | None) -> str:
        async with self._lock_of_this_loop():
            key = self._known(refused)
            if key is None:
                found = await cast("Awaitable[object]", self._function())
                if not isinstance(found, str):
                    return cast(str, found)  # as above
                key = self._keep(found)
            return key

    def _known(self, refused: str | None) -> str | None:
        if self._key is None or self._key == refused or self._clock.monotonic() >= self._until:
            return None
        return self._key

    def _keep(self, key: str) -> str:
        # As the user of the key has it, so that a refused one is recognised.
        self._key = key.strip()
        self._until = self._clock.monotonic() + self._seconds
        return self._key

    def _lock_of_this_loop(self) -> asyncio.Lock:
        import asyncio  # a sync program need not load it

        loop = asyncio.get_running_loop()
        if self._asking is None or self._asking[0] is not loop:
            self._asking = loop, asyncio.Lock()
        return self._asking[1]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self._seconds:g} s>"
