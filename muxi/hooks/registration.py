"""Registration of plugins: find them, validate them against the contract, order them.

pluggy registers, orders and validates; what it would accept and silently never call is refused here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import pluggy

from muxi import hookspecs
from muxi.errors import ConfigurationError, PluginError
from muxi.hooks.installed import installed_plugins
from muxi.redact import show_value

__all__ = ["SPECS", "Implementation", "implementations_of", "plugins_of", "registered"]

#: The names of all hooks.
SPECS: tuple[str, ...] = tuple(name for name in vars(hookspecs) if name.startswith("muxi_"))

#: The arguments of each hook.
_ARGUMENTS = {name: getattr(hookspecs, name).__code__.co_varnames for name in SPECS}

#: Hooks of the constructor and of the command line, where nothing can be awaited.
_NEVER_ASYNC = frozenset(
    {"muxi_register_transports", "muxi_register_schemas", "muxi_register_commands", "muxi_client_created"}
)

#: Registered after all others, so that with ``trylast`` it signs what is sent.
_SIGNS_LAST = "muxi.auth"

#: The names that the SDK gives its own plugins.
_OURS = "muxi."


class _Manager(pluggy.PluginManager):
    """pluggy's manager, except that an attribute which cannot be read is not a hook, and a special method is none."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        # Most attributes of a plugin are those of every object, and pluggy takes time to look at each.
        if name.startswith("__"):
            return None
        try:
            return super().parse_hookimpl_opts(plugin, name)
        except Exception:
            return None


class Implementation(NamedTuple):
    """One plugin's function for one hook."""

    plugin: str
    hook: str
    function: Callable[..., Any]
    arguments: tuple[str, ...]


def plugins_of(
    builtin: Iterable[tuple[str, object]], plugins: Iterable[object], disabled: Iterable[str]
) -> list[tuple[str, object]]:
    """Return the plugins of a client with their names, in the order of registration.

    Args:
        builtin: plugins with their names, which another plugin of the same name replaces.
        plugins: the caller's own; one takes the place of an installed one of its name, which is then not even loaded.
        disabled: names to go without.

    Raises:
        ConfigurationError: an argument is no list, or names a built-in plugin that there is not.
        PluginError: an installed plugin cannot be loaded.
    """
    blocked = set(_as_list("disable_plugins", "names", disabled))
    ours = list(builtin)
    own = [(_name_of(plugin), plugin) for plugin in _as_list("plugins", "plugins", plugins)]
    given = [*installed_plugins(blocked.union(name for name, _ in own)), *own]
    replaced = {name for name, _ in given}
    _check_names(blocked - replaced, [name for name, _ in ours])
    found = [*(pair for pair in ours if pair[0] not in replaced), *given]
    return sorted((pair for pair in found if pair[0] not in blocked), key=lambda pair: pair[0] == _SIGNS_LAST)


def registered(plugins: Iterable[tuple[str, object]], *, asynchronous: bool) -> pluggy.PluginManager:
    """Return a pluggy manager with these plugins.

    Raises:
        PluginError: one does not fit; the message names it, the hook, and what was expected.
    """
    manager = _Manager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for name, plugin in plugins:
        _register(manager, name, plugin, asynchronous=asynchronous)
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        name = manager.get_name(error.plugin) or _name_of(error.plugin)
        raise PluginError(_explain(name, error), plugin=name) from error
    return manager


def implementations_of(manager: pluggy.PluginManager, hook: str) -> tuple[Implementation, ...]:
    """Return the implementations of a hook, in calling order."""
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    # pluggy keeps implementations in the reverse of the order it calls them in.
    return tuple(
        Implementation(found.plugin_name, hook, found.function, tuple(found.argnames))
        for found in reversed(caller.get_hookimpls())
    )


def _as_list(argument: str, what: str, given: Any) -> list[Any]:
    """Return an argument as a list; refuse a single value in place of a list."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        shown = show_value(given) if isinstance(given, str) else f"a {type(given).__name__}"
        raise ConfigurationError(f"{argument}= takes a list of {what}, got {shown}; put it into one: {argument}=[…]")
    found = list(given)
    if what == "names" and not all(isinstance(name, str) for name in found):
        raise ConfigurationError(f"{argument}= takes a list of {what}, got {show_value(found)}")
    return found


def _check_names(unknown: Iterable[str], ours: Sequence[str]) -> None:
    """Refuse a misspelt name of a built-in plugin, which would disable nothing."""
    for name in unknown:
        if name in ours:
            continue
        from difflib import get_close_matches  # only for a mistake

        meant = name if name.startswith(_OURS) else f"{_OURS}{name}"
        near = get_close_matches(meant, ours, 1, 0.8) if meant == name else [meant] if meant in ours else []
        if near:
            raise ConfigurationError(
                f"disable_plugins= names {name!r}, and there is no such plugin; did you mean {near[0]!r}?"
            )


def _register(manager: pluggy.PluginManager, name: str, plugin: object, *, asynchronous: bool) -> None:
    if isinstance(plugin, type):
        raise PluginError(f"the plugin {name!r} is a class; give an instance of it", plugin=name)
    _refuse_unmarked(name, plugin)
    try:
        manager.register(plugin, name)
    except pluggy.PluginValidationError as error:
        raise PluginError(_explain(name, error), plugin=name) from error
    except ValueError as error:
        raise PluginError(
            f"the plugin {name!r} is registered twice; give one of them another name", plugin=name
        ) from error
    callers = manager.get_hookcallers(plugin)
    if not callers:
        raise PluginError(
            f"the plugin {name!r}, a {type(plugin).__name__}, implements no hook, so that it would do nothing. "
            f"The hooks are: {', '.join(SPECS)}",
            plugin=name,
        )
    for caller in callers:
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin:
                _check(name, caller.name, implementation, asynchronous=asynchronous)


def _check(name: str, hook: str, implementation: pluggy.HookImpl, *, asynchronous: bool) -> None:
    function = implementation.function
    if implementation.wrapper or implementation.hookwrapper:
        raise PluginError(
            f"the plugin {name!r} implements {hook} as a wrapper, which cannot span an await; use "
            "muxi_call_started with muxi_call_finished, or muxi_prepare_request with muxi_response_received, "
            "and keep what belongs together in context.state",
            plugin=name,
            hook=hook,
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise PluginError(
            f"the plugin {name!r} has a yield in its {hook}, so that calling it would run nothing of it; a hook "
            "returns its result",
            plugin=name,
            hook=hook,
        )
    if fixed := [argument for argument in implementation.kwargnames if argument in _ARGUMENTS[hook]]:
        raise PluginError(
            f"the plugin {name!r} gives {fixed[0]} a default in its {hook}, which it would always see; leave it out",
            plugin=name,
            hook=hook,
        )
    if inspect.iscoroutinefunction(function):
        if hook in _NEVER_ASYNC:
            raise PluginError(f"the plugin {name!r}: {hook} cannot be async", plugin=name, hook=hook)
        if not asynchronous:
            raise PluginError(
                f"the plugin {name!r} implements {hook} with 'async def', which a sync client cannot await; "
                "use it with an async client, or write it with 'def'",
                plugin=name,
                hook=hook,
            )


def _name_of(plugin: object) -> str:
    """Return the name of a plugin: its ``name``, else that of its class or module."""
    name = getattr(plugin, "name", None) or getattr(plugin, "__name__", None)
    return name if isinstance(name, str) else f"{type(plugin).__module__}.{type(plugin).__qualname__}"


def _refuse_unmarked(name: str, plugin: object) -> None:
    """Refuse a function named like a hook without the mark; it would never be called."""
    for attribute in dir(plugin):
        if attribute.startswith("muxi_"):
            function: object = None
            with suppress(Exception):  # as above
                function = getattr(plugin, attribute)
            if inspect.isroutine(function) and not hasattr(function, f"{hookspecs.PROJECT}_impl"):
                raise PluginError(
                    f"{attribute} of the plugin {name!r} is not marked as a hook; write @muxi.hookimpl above it",
                    plugin=name,
                    hook=attribute,
                )


def _explain(name: str, error: pluggy.PluginValidationError) -> str:
    """Return pluggy's message with the expected signature."""
    from difflib import get_close_matches  # only for a mistake

    text = f"the plugin {name!r} does not fit: {error}"
    mentioned = re.findall(r"\bmuxi_\w+", str(error))
    for hook in mentioned:
        if hook in SPECS:
            expected = inspect.signature(getattr(hookspecs, hook))
            return f"{text}\nExpected any of the arguments of {hook}{expected}"
    near = get_close_matches(mentioned[0], SPECS, 1) if mentioned else []
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"{text}\n{hint}The hooks are: {', '.join(SPECS)}"
