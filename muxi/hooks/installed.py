"""The plugins that installed distributions announce by entry points of the group ``muxi``."""

from __future__ import annotations

import os
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
    return [(point.name, _load_plugin(point)) for point in entry_points() if point.name not in without]


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
