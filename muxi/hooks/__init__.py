"""Hooks: run the implementations of a hook one by one, in pluggy's order.

pluggy registers, orders and validates (:mod:`muxi.hooks.registration`). Its own calling loop is not used, because it
can neither await an implementation nor keep one that raises from silencing the others.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Awaitable, Generator, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from muxi.clock import SystemClock
from muxi.errors import MuxiError, PluginError, TimeoutError
from muxi.hooks.registration import SPECS, Implementation, implementations_of, plugins_of, registered
from muxi.hooks.results import check_request, checked
from muxi.redact import redact_text
from muxi.transport.causes import clean_cause

if TYPE_CHECKING:
    from muxi.context import Context

__all__ = ["Await", "Hooks", "Implementation"]

logger: logging.Logger = logging.getLogger("muxi.plugins")

#: Grace period after the deadline, in seconds, so that a plugin's own timeout error wins.
_GRACE = 0.05


class Await(NamedTuple):
    """An effect: await an object; the outcome is its result. Only for async clients."""

    awaitable: Awaitable[Any]
    #: The longest wait in seconds; None for no bound.
    seconds: float | None = None


class Hooks:
    """The plugins of one client.

    Args:
        builtin: plugins with their names, which another plugin of the same name replaces.
        plugins: the caller's own.
        disabled: names to go without.
        asynchronous: whether implementations may be coroutine functions.

    Raises:
        ConfigurationError: ``plugins`` or ``disabled`` is not a list, or names an unknown plugin.
        PluginError: one cannot be registered; the message names it, the hook, and what was expected.
    """

    def __init__(
        self,
        builtin: Iterable[tuple[str, object]] = (),
        plugins: Iterable[object] = (),
        disabled: Iterable[str] = (),
        *,
        asynchronous: bool = False,
    ) -> None:
        #: Whether implementations may return something to await.
        self.asynchronous: bool = asynchronous
        self._manager = registered(plugins_of(builtin, plugins, disabled), asynchronous=asynchronous)
        self._by_hook = {name: implementations_of(self._manager, name) for name in SPECS}
        if os.environ.get("MUXI_TRACE_PLUGINS", "") not in ("", "0"):
            from muxi.hooks.tracing import traced

            self._by_hook = {name: tuple(map(traced, found)) for name, found in self._by_hook.items()}

    def names(self) -> list[str]:
        """The names of the registered plugins, in the order of registration."""
        return [name for name, plugin in self._manager.list_name_plugin() if plugin is not None]

    def has(self, hook: str) -> bool:
        """Return whether a plugin implements this hook."""
        return bool(self._by_hook[hook])

    def observe(self, hook: str, **arguments: Any) -> Generator[Await, Any, None]:
        """Run every implementation. One that raises is logged and neither breaks the call nor silences another."""
        for implementation in self._by_hook[hook]:
            try:
                result = self._call(implementation, arguments)
                if result is not None and inspect.isawaitable(result):
                    yield self._await(implementation, result)
            except Exception as error:
                _log_failure(implementation, error, arguments)

    def decide(self, hook: str, *, run_all: bool = False, **arguments: Any) -> Generator[Await, Any, Any]:
        """Run implementations until one returns a result. One that raises is logged and counts as None.

        Args:
            hook: the hook.
            run_all: run the implementations after it too, because they observe; the first result stands.
            arguments: the arguments of the hook.
        """
        decided: object = None
        for implementation in self._by_hook[hook]:
            try:
                result = self._call(implementation, arguments)
                if result is not None and inspect.isawaitable(result):
                    result = yield self._await(implementation, result, arguments["context"])
                if result is not None:
                    result = checked(implementation, result)
                    decided = result if decided is None else decided
                    if not run_all:
                        break
            except Exception as error:
                _log_failure(implementation, error, arguments)
        return decided

    def apply(self, hook: str, *, first: bool = False, **arguments: Any) -> Generator[Await, Any, Any]:
        """Run implementations; one that raises fails the call.

        Args:
            hook: the hook.
            first: stop at the first result that is not None, and return it. Without it, results do not count.
            arguments: the arguments of the hook, a request among them.

        Raises:
            MuxiError: as an implementation raised it.
            PluginError: an implementation raised anything else.
            TimeoutError: awaiting an implementation took longer than the call's deadline.
        """
        request = arguments["request"]
        for implementation in self._by_hook[hook]:
            try:
                result = self._call(implementation, arguments)
                if result is not None and inspect.isawaitable(result):
                    result = yield self._await(implementation, result, arguments["context"])
            except MuxiError:
                raise
            except Exception as error:
                if _is_late(error, arguments["context"]):
                    raise _too_late(implementation, arguments["context"]) from error
                raise _hook_error(implementation, error) from error
            if not first:
                check_request(implementation, request, result)
            elif result is not None:
                return checked(implementation, result)
        return None

    def announce(self, hook: str, **arguments: Any) -> None:
        """As :meth:`observe`, for hooks that are called where nothing can be awaited."""
        for implementation in self._by_hook[hook]:
            try:
                self._call_now(implementation, arguments)
            except Exception as error:
                _log_failure(implementation, error, arguments)

    def require(self, hook: str, **arguments: Any) -> None:
        """As :meth:`announce`; one that raises fails the client's constructor.

        Raises:
            MuxiError: as an implementation raised it.
            PluginError: an implementation raised anything else.
        """
        for implementation in self._by_hook[hook]:
            try:
                self._call_now(implementation, arguments)
            except MuxiError:
                raise
            except Exception as error:
                raise _hook_error(implementation, error) from error

    def _call(self, implementation: Implementation, arguments: dict[str, Any]) -> Any:
        return implementation.function(*[arguments[name] for name in implementation.arguments])

    def _call_now(self, implementation: Implementation, arguments: dict[str, Any]) -> None:
        result = self._call(implementation, arguments)
        if inspect.isawaitable(result):
            _refuse_await(implementation, result, "here")

    def _await(self, implementation: Implementation, result: Awaitable[Any], bounded: Context | None = None) -> Await:
        if not self.asynchronous:
            _refuse_await(implementation, result, "on a sync client")
        return Await(result, None if bounded is None else _await_limit(bounded))


def _await_limit(context: Context) -> float | None:
    """Return the seconds until the deadline plus the grace period; None without one, or with a test's clock."""
    deadline = context.options.deadline
    if deadline is None or not isinstance(context.clock, SystemClock):
        return None
    return max(0.0, deadline - context.elapsed) + _GRACE


def _is_late(error: Exception, context: Context) -> bool:
    left = _await_limit(context)
    return left is not None and left <= _GRACE and type(error).__name__ == "TimeoutError"


def _too_late(implementation: Implementation, context: Context) -> TimeoutError:
    return TimeoutError(
        "DEADLINE",
        f"the call took longer than deadline = {context.options.deadline:g} s, while the plugin "
        f"{implementation.plugin!r} was awaited in {implementation.hook}; raise it with deadline= on the client or "
        "with_options(deadline=…)",
        bound="deadline",
        connected=False,
    )


def _log_failure(implementation: Implementation, error: Exception, arguments: dict[str, Any]) -> None:
    """Log an exception of a plugin, without the keys and secrets of the call, which plugins see."""
    context = arguments.get("context")
    shown = clean_cause(error, () if context is None else context.secrets).with_traceback(error.__traceback__)
    logger.error("the plugin %r failed in %s", implementation.plugin, implementation.hook, exc_info=shown)


def _hook_error(implementation: Implementation, error: Exception) -> PluginError:
    return PluginError(
        redact_text(
            f"the plugin {implementation.plugin!r} failed in {implementation.hook}: {type(error).__name__}: {error}"
        ),
        plugin=implementation.plugin,
        hook=implementation.hook,
    )


def _refuse_await(implementation: Implementation, result: object, where: str) -> None:
    if inspect.iscoroutine(result):
        result.close()
    raise PluginError(
        f"the plugin {implementation.plugin!r} returned an awaitable from {implementation.hook}, which cannot be "
        f"awaited {where}",
        plugin=implementation.plugin,
        hook=implementation.hook,
    )
