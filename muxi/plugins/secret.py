"""Keys that are a text, or that a function returns at every attempt, from a vault or a token service."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from muxi.clock import Clock, SystemClock
from muxi.config import Secret
from muxi.context import Context
from muxi.errors import ConfigurationError
from muxi.forks import renew_after_fork
from muxi.records import Record, field
from muxi.redact import show_value
from muxi.transport.arguments import check_arguments

if TYPE_CHECKING:
    import asyncio

__all__ = ["CachedKey", "KeySource"]

#: The result of a function: a key, or on async clients an awaitable of one.
R = TypeVar("R", bound="str | Awaitable[str]")

#: The parameter that receives the refused key.
_REFUSED = "refused"


class _Use(Record):
    """The state of one call's key that a function returned."""

    key: str = field(default="", repr=False)
    #: The key for the next attempt, after the first was refused.
    fresh: str = field(default="", repr=False)
    asked_again: bool = False


class KeySource:
    """The source of one key.

    Args:
        argument: name of the argument, for errors.
        secret: the key, a function that returns it, or None without one. A function with a parameter ``refused``
            receives the refused key when it is called again after a 401.
        asynchronous: whether the function may be a coroutine function; None if that is not known yet.
        plugin: name of the plugin that uses it, for the state of calls.

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
        """True if there is a key, or a function for it."""
        return self._secret is not None

    def use(self, context: Context, put: Callable[[str], None]) -> Coroutine[Any, Any, None] | None:
        """Pass the key of this attempt to ``put``; with an async function, when the result is awaited.

        Raises:
            ConfigurationError: the function did not return a key.
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
        known.key = await self._await_key(found)
        put(known.key)

    def renewed(self, context: Context) -> float | Coroutine[Any, Any, float | None] | None:
        """Call the function again after a 401, and return the wait before the next attempt, if there is another key.

        Once for each call; None if the key is a text, was not used, or is still the same.
        """
        known: _Use | None = context.state.get(self._slot)
        if known is None or known.asked_again:
            return None
        known.asked_again = True
        found = self._ask(known.key)
        return _compare_key(known, found) if isinstance(found, str) else self._renewed_later(found, known)

    async def _renewed_later(self, found: Awaitable[object], known: _Use) -> float | None:
        return _compare_key(known, await self._await_key(found))

    def _ask(self, refused: str | None = None) -> str | Awaitable[object]:
        function = cast("Callable[..., object]", self._secret)
        found = function(refused=refused) if refused is not None and self._takes_refused else function()
        if not inspect.isawaitable(found):
            return self._require_key(found)
        if self._asynchronous is False:
            if inspect.iscoroutine(found):
                found.close()
            raise self._cannot_await()
        return cast("Awaitable[object]", found)

    async def _await_key(self, found: Awaitable[object] | None) -> str:
        asked = self._ask() if found is None else found
        return asked if isinstance(asked, str) else self._require_key(await asked)

    def _require_key(self, found: object) -> str:
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


def _compare_key(known: _Use, key: str) -> float | None:
    if key == known.key:
        return None
    known.fresh = key
    return 0.0


def _takes_refused(function: Callable[..., object]) -> bool:
    try:
        found = inspect.signature(function).parameters.get(_REFUSED)
    except (TypeError, ValueError):  # functions written in C may have no signature
        return False
    return found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY)


@check_arguments()
class CachedKey(Generic[R]):
    """A key from a function, cached for a time, and renewed as soon as the platform refuses it.

    ::

        FormationClient(client_key=CachedKey(read_from_vault, seconds=600))

    Of concurrent calls, in several threads or tasks, one calls the function and the others wait for its result.

    Args:
        function: returns the key; on async clients it may be ``async def``.
        seconds: lifetime of the cached key.
        clock: clock that measures it; the machine's if None.

    Raises:
        ConfigurationError: ``function`` is not callable, or ``seconds`` not a number above 0.
    """

    def __init__(self, function: Callable[[], R], *, seconds: float = 300.0, clock: Clock | None = None) -> None:
        if not callable(function):
            raise ConfigurationError(f"function= takes a function that returns the key, got {type(function).__name__}")
        given: object = seconds
        if isinstance(given, bool) or not isinstance(given, int | float) or not seconds > 0:
            raise ConfigurationError(f"seconds= takes a number above 0, got {show_value(seconds)}")
        self._function = function
        self._seconds = seconds
        self._clock = clock or SystemClock()
        self._key: str | None = None
        self._until = 0.0
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")
        self._asking: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def __call__(self, refused: str | None = None) -> R:
        """Return the key; another one than ``refused``, if the function has another."""
        if inspect.iscoroutinefunction(self._function):
            return cast(R, self._get_later(refused))
        with self._lock:
            key = self._cached_key(refused)
            if key is None:
                found: object = self._function()
                if not isinstance(found, str):
                    # The user of the key reports the problem.
                    return cast(R, found)
                key = self._keep(found)
        return cast(R, key)

    async def _get_later(self, refused: str | None) -> str:
        async with self._lock_of_this_loop():
            key = self._cached_key(refused)
            if key is None:
                found = await cast("Awaitable[object]", self._function())
                if not isinstance(found, str):
                    return cast(str, found)  # as above
                key = self._keep(found)
            return key

    def _cached_key(self, refused: str | None) -> str | None:
        if self._key is None or self._key == refused or self._clock.monotonic() >= self._until:
            return None
        return self._key

    def _keep(self, key: str) -> str:
        # In the form that is sent, so that a refused key is recognized.
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
