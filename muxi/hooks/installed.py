"""The plugins that installed distributions announce by entry points of the group ``muxi``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection
from functools import lru_cache
from typing import TYPE_CHECKING

from muxi import hookspecs
from muxi.errors import PluginError
from muxi.installed import announced

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["installed_plugins"]

#: What ``MUXI_DISABLE_PLUGINS`` says to go without all of them.
_ALL = frozenset({"1", "true", "yes", "on", "all"})

#: How the names of built-in plugins begin.
_BUILT_IN = "muxi."


def installed_plugins(blocked: Collection[str]) -> list[tuple[str, object]]:
    """The installed plugins with their names, unless the environment or the client goes without them.

    An entry point names a module or an object, which all clients share, or a class, of which each client gets
    an object of its own.

    Raises:
        PluginError: one cannot be loaded or made; the message says how to go without it.
    """
    disabled = os.environ.get("MUXI_DISABLE_PLUGINS", "").strip()
    if disabled.lower() in _ALL:
        return []
    without = {*blocked, *(name.strip() for name in disabled.split(","))}
    if disabled:
        _warn_of_unknown(disabled)
    return [(point.name, _load_plugin(point)) for point in entry_points() if point.name not in without]


@lru_cache(maxsize=8)
def _warn_of_unknown(disabled: str) -> None:
    """Warn, once per value of the variable, of names that no installed plugin has: a misspelt one disables nothing."""
    known = {point.name for point in entry_points()}
    for name in filter(None, (name.strip() for name in disabled.split(","))):
        if name not in known:
            from difflib import get_close_matches  # only for a mistake

            from muxi.transport.callers import caller_level

            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; installed are: {', '.join(sorted(known)) or 'none'}"
            if name.startswith(_BUILT_IN):
                hint = f"; built-in ones are switched off by disable_plugins=[{name!r}]"
            advice = f"MUXI_DISABLE_PLUGINS: no installed plugin is named {name}{hint}"
            warnings.warn(advice, RuntimeWarning, stacklevel=caller_level())


@lru_cache(maxsize=1)
def entry_points() -> tuple[EntryPoint, ...]:
    """Return the installed entry points, looked up once per process."""
    return announced(hookspecs.PROJECT)


def _load_plugin(point: EntryPoint) -> object:
    try:
        found: object = point.load()
        return found() if isinstance(found, type) else found
    except Exception as error:
        raise PluginError(
            f"the installed plugin {point.name!r} ({point.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}; MUXI_DISABLE_PLUGINS={point.name} goes without it",
            plugin=point.name,
        ) from error
