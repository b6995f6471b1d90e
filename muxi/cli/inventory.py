"""The plugins and transports of this environment: where each comes from, and whether it loads."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from muxi.installed import announced

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["explain_route", "find_plugins", "find_transports"]

_OURS = "muxi-client"


def find_plugins() -> list[dict[str, Any]]:
    """Return the plugins: those on every client in the order of their calls, then those that can be switched on.

    Each has ``order`` (None where it is not on every client), ``name``, ``distribution``, ``state`` (``on``,
    ``available``, or the reason why it is missing) and ``hooks``.
    """
    from muxi.hooks.registration import SPECS, implementations_of, plugins_of, registered

    installed, failed = _installed_plugins()
    pairs = plugins_of(_builtin(), [], [name for name, _, _ in failed])
    manager = registered(pairs, asynchronous=True)
    hooks: dict[str, list[str]] = {name: [] for name, _ in pairs}
    for hook in SPECS:
        for implementation in implementations_of(manager, hook):
            hooks[implementation.plugin].append(hook)
    # pluggy calls the plugin that was registered last before the others.
    names = [name for name, _ in reversed(pairs)]
    names.sort(key=lambda name: name == "muxi.auth")
    rows: list[dict[str, Any]] = [
        {
            "order": number,
            "name": name,
            "distribution": installed.get(name, _OURS),
            "state": "on",
            "hooks": hooks[name],
        }
        for number, name in enumerate(names, 1)
    ]
    rows += [{"order": None, "name": name, "distribution": of, "state": why, "hooks": []} for name, of, why in failed]
    return rows + _available({row["name"] for row in rows})


def _builtin() -> list[tuple[str, object]]:
    from muxi.config import FormationConfig
    from muxi.plugins.auth import KeyAuth
    from muxi.plugins.builtin import builtin_plugins

    return builtin_plugins(FormationConfig(url="http://127.0.0.1"), KeyAuth(None, None, asynchronous=False))


def _installed_plugins() -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Return the distribution of each installed plugin, and name, distribution and reason of those that fail."""
    from muxi.errors import MuxiError
    from muxi.hooks.installed import entry_points as plugin_points
    from muxi.hooks.installed import installed_plugins

    good: dict[str, str] = {}
    failed: list[tuple[str, str, str]] = []
    points = plugin_points()
    for point in points:
        try:
            installed_plugins([other.name for other in points if other.name != point.name])
            good[point.name] = distribution_of(point)
        except MuxiError as error:
            failed.append((point.name, distribution_of(point), error.message))
    return good, failed


def _available(known: set[str]) -> list[dict[str, Any]]:
    """Return the plugins that are shipped and not on by default."""
    from muxi import plugins
    from muxi.errors import MissingExtraError

    rows: list[dict[str, Any]] = []
    for exported in plugins.__all__:
        try:
            found: Any = getattr(plugins, exported)
        except MissingExtraError as error:
            rows.append(_row(f"muxi.plugins.{exported}", error.message, []))
            continue
        hooks = _hooks_of(found) if isinstance(found, type) else []
        given = getattr(found, "name", None)
        name = given if isinstance(given, str) else f"muxi.plugins.{exported}"
        if hooks and name not in known:
            rows.append(_row(name, f"available: muxi.plugins.{exported}", hooks))
            known.add(name)
    return rows


def _row(name: str, state: str, hooks: list[str]) -> dict[str, Any]:
    return {"order": None, "name": name, "distribution": _OURS, "state": state, "hooks": hooks}


def _hooks_of(cls: type) -> list[str]:
    return [name for name in dir(cls) if name.startswith("muxi_") and hasattr(getattr(cls, name), "muxi_impl")]


def find_transports() -> list[dict[str, Any]]:
    """Return the transports: ``name``, ``distribution``, ``sync`` and ``asynchronous``, ``state`` and ``chosen``."""
    from muxi.registry import ENTRY_POINT_GROUP, TransportRegistry, chosen_transport

    points = {point.name: point for point in announced(ENTRY_POINT_GROUP)}
    registry = TransportRegistry()
    chosen = chosen_transport(None)
    rows: list[dict[str, Any]] = []
    for name in registry.names():
        colours = {colour: _try(registry, name, asynchronous=colour == "asynchronous") for colour in _COLOURS}
        problems = list(dict.fromkeys(why for why in colours.values() if why and not why.startswith(_NO_COLOUR)))
        rows.append(
            {
                "name": name,
                "distribution": distribution_of(points[name]) if name in points else _OURS,
                **{colour: not why for colour, why in colours.items()},
                "state": "; ".join(problems) or "ok",
                "chosen": name == chosen,
            }
        )
    return rows


_COLOURS = ("sync", "asynchronous")

#: The beginning of the reason of a transport that has one colour only, which is no fault.
_NO_COLOUR = "the transport "


def _try(registry: Any, name: str, *, asynchronous: bool) -> str:
    """Return why a transport cannot be made; empty if it can. Making one opens no connection."""
    from muxi.errors import MuxiError

    try:
        registry.factory(name, asynchronous=asynchronous)()
    except MuxiError as error:
        return error.message
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def explain_route(name: str, url: str) -> str | None:
    """Return what a transport says about its way to an address; None where it says nothing."""
    from muxi.registry import TransportRegistry

    made: Any = TransportRegistry().factory(name, asynchronous=False)()
    try:
        explain = getattr(made, "explain", None)
        return str(explain(url)) if explain else None
    finally:
        made.close()


def distribution_of(point: EntryPoint) -> str:
    """Return name and version of the distribution that an entry point belongs to."""
    found = point.dist
    return f"{found.name} {found.version}" if found is not None else "?"


def missing_extras() -> list[tuple[str, str]]:
    """Return the extras whose libraries are missing, each with the first that is missing."""
    missing = {extra: [name for name in modules if find_spec(name) is None] for extra, modules in _EXTRAS.items()}
    return [(extra, modules[0]) for extra, modules in missing.items() if modules]


#: The modules of each extra that users install.
_EXTRAS = {
    "async": ("aiohttp",),
    "bundles": ("yaml", "pathspec"),
    "cache": ("cachetools",),
    "cli": ("jmespath", "platformdirs", "prompt_toolkit", "rich", "uvicorn"),
    "prometheus": ("prometheus_client",),
    "socks": ("socks", "aiohttp_socks"),
    "tracing": ("opentelemetry",),
}
