"""How the implementations of a hook are found, checked and run: one by one, in pluggy's order.

pluggy registers, orders and validates. Its own calling loop is not used, because it can neither await an
implementation nor keep one that raises from silencing the others.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import pluggy

from muxi import hookspecs
from muxi.errors import MuxiError, PluginError

__all__ = ["Await", "Hooks", "Implementation"]

logger = logging.getLogger("muxi.plugins")

_SPECS = tuple(name for name in vars(hookspecs) if name.startswith("muxi_"))

#: Called where nothing can be awaited yet.
_NEVER_ASYNC = frozenset({"muxi_register_transports", "muxi_register_schemas", "muxi_client_created"})


class Await(NamedTuple):
    """A step: await this and send the outcome back. Only async clients are asked for it."""

    awaitable: Awaitable[Any]


class Implementation(NamedTuple):
    """One plugin's function for one hook."""

    plugin: str
    hook: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]


class Hooks:
    """The plugins of one client.

    Args:
        builtin: plugins with their names, which another plugin of the same name replaces.
        plugins: the caller's own.
        disabled: names to go without.
        asynchronous: whether implementations may be coroutine functions.

    Raises:
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
        self._asynchronous = asynchronous
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        blocked = set(disabled)
        given = [*_installed_plugins(), *((_name_of(plugin), plugin) for plugin in plugins)]
        replaced = {name for name, _ in given}
        for name, plugin in [*(pair for pair in builtin if pair[0] not in replaced), *given]:
            if name not in blocked:
                self._register(name, plugin)
        self._check_pending()
        self._by_hook = {name: tuple(self._compile(name)) for name in _SPECS}
        if os.environ.get("MUXI_TRACE_PLUGINS", "") not in ("", "0"):
            self._by_hook = {name: tuple(map(_traced, found)) for name, found in self._by_hook.items()}

    def names(self) -> list[str]:
        """The names of the registered plugins, in the order of registration."""
        return [name for name, plugin in self._manager.list_name_plugin() if plugin is not None]

    def has(self, hook: str) -> bool:
        """Whether anybody implements this hook."""
        return bool(self._by_hook[hook])

    def observe(self, hook: str, **arguments: Any) -> Generator[Await, Any, None]:
        """Run every implementation. One that raises is logged and neither breaks the call nor silences another."""
        for implementation in self._by_hook[hook]:
            yield from self._guarded(implementation, arguments)

    def decide(self, hook: str, **arguments: Any) -> Generator[Await, Any, Any]:
        """Run implementations until one has an answer. One that raises is logged and has none."""
        for implementation in self._by_hook[hook]:
            result = yield from self._guarded(implementation, arguments)
            if result is not None:
                return result
        return None

    def apply(self, hook: str, *, first: bool = False, **arguments: Any) -> Generator[Await, Any, Any]:
        """Run implementations whose failure is the call's.

        Args:
            hook: the hook.
            first: stop at the first result that is not None, and return it.
            arguments: what the hook is given.

        Raises:
            MuxiError: as an implementation raised it.
            PluginError: an implementation raised anything else.
        """
        for implementation in self._by_hook[hook]:
            try:
                result = yield from self._run(implementation, arguments)
            except MuxiError:
                raise
            except Exception as error:
                raise PluginError(
                    f"the plugin {implementation.plugin!r} failed in {hook}: {type(error).__name__}: {error}",
                    plugin=implementation.plugin,
                    hook=hook,
                ) from error
            if first and result is not None:
                return result
        return None

    def announce(self, hook: str, **arguments: Any) -> None:
        """As :meth:`observe`, for hooks that are called where nothing can be awaited."""
        for _ in self.observe(hook, **arguments):
            raise AssertionError(f"{hook} cannot be awaited")  # registration refuses coroutine functions here

    def _guarded(self, implementation: Implementation, arguments: dict[str, Any]) -> Generator[Await, Any, Any]:
        try:
            return (yield from self._run(implementation, arguments))
        except Exception:
            logger.exception("the plugin %r failed in %s", implementation.plugin, implementation.hook)
            return None

    def _run(self, implementation: Implementation, arguments: dict[str, Any]) -> Generator[Await, Any, Any]:
        result = implementation.function(*[arguments[name] for name in implementation.arguments])
        if result is not None and inspect.isawaitable(result):
            if not self._asynchronous:
                if inspect.iscoroutine(result):
                    result.close()
                raise PluginError(
                    f"the plugin {implementation.plugin!r} returned an awaitable from {implementation.hook}, "
                    "which a sync client cannot await",
                    plugin=implementation.plugin,
                    hook=implementation.hook,
                )
            result = yield Await(result)
        return result

    def _register(self, name: str, plugin: object) -> None:
        _refuse_unmarked(name, plugin)
        try:
            self._manager.register(plugin, name)
        except pluggy.PluginValidationError as error:
            raise PluginError(_explain(name, error), plugin=name) from error
        except ValueError as error:
            raise PluginError(
                f"the plugin {name!r} is registered twice; give one of them another name", plugin=name
            ) from error
        for caller in self._manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    self._check(name, caller.name, implementation)

    def _check(self, name: str, hook: str, implementation: pluggy.HookImpl) -> None:
        if implementation.wrapper or implementation.hookwrapper:
            raise PluginError(
                f"the plugin {name!r} implements {hook} as a wrapper, which cannot span an await; use "
                "muxi_call_started with muxi_call_finished, or muxi_prepare_request with muxi_response_received, "
                "and keep what belongs together in context.state",
                plugin=name,
                hook=hook,
            )
        if inspect.iscoroutinefunction(implementation.function):
            if hook in _NEVER_ASYNC:
                raise PluginError(f"the plugin {name!r}: {hook} cannot be async", plugin=name, hook=hook)
            if not self._asynchronous:
                raise PluginError(
                    f"the plugin {name!r} implements {hook} with 'async def', which a sync client cannot await; "
                    "use it with an async client, or write it with 'def'",
                    plugin=name,
                    hook=hook,
                )

    def _check_pending(self) -> None:
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            name = self._manager.get_name(error.plugin) or _name_of(error.plugin)
            raise PluginError(_explain(name, error), plugin=name) from error

    def _compile(self, hook: str) -> Iterable[Implementation]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        # pluggy keeps implementations in the reverse of the order it calls them in.
        for found in reversed(caller.get_hookimpls()):
            yield Implementation(found.plugin_name, hook, found.function, tuple(found.argnames))


def _name_of(plugin: object) -> str:
    """What a plugin calls itself, else what it is called in its source."""
    name = getattr(plugin, "name", None) or getattr(plugin, "__name__", None)
    return name if isinstance(name, str) else f"{type(plugin).__module__}.{type(plugin).__qualname__}"


def _refuse_unmarked(name: str, plugin: object) -> None:
    """A hook that was meant and not marked would be silently ignored."""
    for attribute in dir(plugin):
        if attribute.startswith("muxi_"):
            function = getattr(plugin, attribute)
            if inspect.isroutine(function) and not hasattr(function, f"{hookspecs.PROJECT}_impl"):
                raise PluginError(
                    f"{attribute} of the plugin {name!r} is not marked as a hook; write @muxi.hookimpl above it",
                    plugin=name,
                    hook=attribute,
                )


def _explain(name: str, error: pluggy.PluginValidationError) -> str:
    """pluggy's complaint, with what would have been right."""
    text = f"the plugin {name!r} does not fit: {error}"
    for hook in _SPECS:
        if hook in str(error):
            expected = inspect.signature(getattr(hookspecs, hook))
            return f"{text}\nExpected any of the arguments of {hook}{expected}"
    return f"{text}\nThe hooks are: {', '.join(_SPECS)}"


def _traced(implementation: Implementation) -> Implementation:
    """The same, telling on stderr each time it is called."""

    def function(*arguments: Any) -> Any:
        print(f"muxi: {implementation.hook} -> {implementation.plugin}", file=sys.stderr, flush=True)
        return implementation.function(*arguments)

    return implementation._replace(function=function)


def _installed_plugins() -> list[tuple[str, object]]:
    """The plugins that installed distributions announce, unless the environment says otherwise."""
    disabled = os.environ.get("MUXI_DISABLE_PLUGINS", "").strip()
    if disabled.lower() in ("1", "true", "yes", "on", "all"):
        return []
    names = {name.strip() for name in disabled.split(",")}
    return [(name, plugin) for name, plugin in _entry_points() if name not in names]


@lru_cache(maxsize=1)
def _entry_points() -> tuple[tuple[str, object], ...]:
    from importlib.metadata import entry_points

    found: list[tuple[str, object]] = []
    for point in entry_points(group=hookspecs.PROJECT):
        try:
            found.append((point.name, point.load()))
        except Exception as error:
            raise PluginError(
                f"the installed plugin {point.name!r} ({point.value}) cannot be loaded: "
                f"{type(error).__name__}: {error}; MUXI_DISABLE_PLUGINS={point.name} goes without it",
                plugin=point.name,
            ) from error
    return tuple(found)
