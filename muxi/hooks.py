"""How the implementations of a hook are found, checked and run: one by one, in pluggy's order.

pluggy registers, orders and validates. Its own calling loop is not used, because it can neither await an
implementation nor keep one that raises from silencing the others.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
import sys
from collections.abc import Awaitable, Callable, Collection, Generator, Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from muxi import hookspecs
from muxi.context import Stop
from muxi.errors import MuxiError, PluginError
from muxi.transport import BufferedResponse

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Await", "Hooks", "Implementation"]

logger: logging.Logger = logging.getLogger("muxi.plugins")

_SPECS = tuple(name for name in vars(hookspecs) if name.startswith("muxi_"))

#: Called where nothing can be awaited yet.
_NEVER_ASYNC = frozenset({"muxi_register_transports", "muxi_register_schemas", "muxi_client_created"})

#: What the results that are looked at can be, beside None.
_RESULTS: dict[str, tuple[type, ...]] = {
    "muxi_intercept": (BufferedResponse,),
    "muxi_response_received": (BufferedResponse,),
    "muxi_retry_delay": (int, float, Stop),
}

#: Registered after all others, so that with ``trylast`` it signs what is sent.
_SIGNS_LAST = "muxi.auth"


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
        #: Whether implementations may return something to await.
        self.asynchronous: bool = asynchronous
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        blocked = set(disabled)
        given = [*_installed_plugins(blocked), *((_name_of(plugin), plugin) for plugin in plugins)]
        replaced = {name for name, _ in given}
        found = [*(pair for pair in builtin if pair[0] not in replaced), *given]
        for name, plugin in sorted(found, key=lambda pair: pair[0] == _SIGNS_LAST):
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
            try:
                result = self._call(implementation, arguments)
                if result is not None and inspect.isawaitable(result):
                    yield self._await(implementation, result)
            except Exception:
                _log_failure(implementation)

    def decide(self, hook: str, **arguments: Any) -> Generator[Await, Any, Any]:
        """Run implementations until one has an answer. One that raises is logged and has none."""
        for implementation in self._by_hook[hook]:
            try:
                result = self._call(implementation, arguments)
                if result is not None:
                    if inspect.isawaitable(result):
                        result = yield self._await(implementation, result)
                    if result is not None:
                        return _checked(implementation, result)
            except Exception:
                _log_failure(implementation)
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
                result = self._call(implementation, arguments)
                if result is not None and inspect.isawaitable(result):
                    result = yield self._await(implementation, result)
                if first and result is not None:
                    return _checked(implementation, result)
            except MuxiError:
                raise
            except Exception as error:
                raise PluginError(
                    f"the plugin {implementation.plugin!r} failed in {hook}: {type(error).__name__}: {error}",
                    plugin=implementation.plugin,
                    hook=hook,
                ) from error
        return None

    def announce(self, hook: str, **arguments: Any) -> None:
        """As :meth:`observe`, for hooks that are called where nothing can be awaited."""
        for implementation in self._by_hook[hook]:
            try:
                result = self._call(implementation, arguments)
                if inspect.isawaitable(result):
                    _refuse_await(implementation, result, "here")
            except Exception:
                _log_failure(implementation)

    def _call(self, implementation: Implementation, arguments: dict[str, Any]) -> Any:
        return implementation.function(*[arguments[name] for name in implementation.arguments])

    def _await(self, implementation: Implementation, result: Awaitable[Any]) -> Await:
        if not self.asynchronous:
            _refuse_await(implementation, result, "on a sync client")
        return Await(result)

    def _register(self, name: str, plugin: object) -> None:
        if isinstance(plugin, type):
            raise PluginError(f"the plugin {name!r} is a class; give an instance of it", plugin=name)
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
            if not self.asynchronous:
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


def _log_failure(implementation: Implementation) -> None:
    logger.exception("the plugin %r failed in %s", implementation.plugin, implementation.hook)


def _refuse_await(implementation: Implementation, result: object, where: str) -> None:
    if inspect.iscoroutine(result):
        result.close()
    raise PluginError(
        f"the plugin {implementation.plugin!r} returned an awaitable from {implementation.hook}, which cannot be "
        f"awaited {where}",
        plugin=implementation.plugin,
        hook=implementation.hook,
    )


def _checked(implementation: Implementation, result: object) -> object:
    """A result that decides something, if it is of a kind that can."""
    kinds = _RESULTS[implementation.hook]
    if isinstance(result, kinds):
        return result
    names = ", ".join(kind.__name__ for kind in kinds)
    raise PluginError(
        f"the plugin {implementation.plugin!r} returned a {type(result).__name__} from {implementation.hook}, "
        f"which takes {names} or None",
        plugin=implementation.plugin,
        hook=implementation.hook,
    )


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
    mentioned = re.findall(r"\bmuxi_\w+", str(error))
    for hook in mentioned:
        if hook in _SPECS:
            expected = inspect.signature(getattr(hookspecs, hook))
            return f"{text}\nExpected any of the arguments of {hook}{expected}"
    near = get_close_matches(mentioned[0], _SPECS, 1) if mentioned else []
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"{text}\n{hint}The hooks are: {', '.join(_SPECS)}"


def _traced(implementation: Implementation) -> Implementation:
    """The same, telling on stderr each time it is called."""

    def function(*arguments: Any) -> Any:
        print(f"muxi: {implementation.hook} -> {implementation.plugin}", file=sys.stderr, flush=True)
        return implementation.function(*arguments)

    return implementation._replace(function=function)


def _installed_plugins(blocked: Collection[str]) -> list[tuple[str, object]]:
    """The plugins that installed distributions announce, unless the environment or the client says otherwise."""
    disabled = os.environ.get("MUXI_DISABLE_PLUGINS", "").strip()
    if disabled.lower() in ("1", "true", "yes", "on", "all"):
        return []
    without = {*blocked, *(name.strip() for name in disabled.split(","))}
    return [(point.name, _loaded(point)) for point in _entry_points() if point.name not in without]


@lru_cache(maxsize=1)
def _entry_points() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=hookspecs.PROJECT))


def _loaded(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:
        raise PluginError(
            f"the installed plugin {point.name!r} ({point.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}; MUXI_DISABLE_PLUGINS={point.name} goes without it",
            plugin=point.name,
        ) from error
