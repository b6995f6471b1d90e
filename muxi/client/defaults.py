"""Settings that a transport has for clients that leave them out: an address and keys of a world in memory."""

from __future__ import annotations

from typing import Any, TypeVar

from muxi.config import FormationConfig, ServerConfig
from muxi.records import replace
from muxi.registry import chosen_transport, transport_defaults

__all__ = ["fill_in"]

C = TypeVar("C", FormationConfig, ServerConfig)

_KEYS = {FormationConfig: ("client_key", "admin_key"), ServerConfig: ("key_id", "secret_key")}


def fill_in(config: C) -> C:
    """Return the configuration with the defaults of its transport in place of what arguments and environment lack.

    Args:
        config: a resolved configuration.
    """
    missing = [name for name in _KEYS[type(config)] if getattr(config, name) is None]
    if not config.addressed:
        missing.append("url")
    if not missing:
        return config
    defaults = transport_defaults(chosen_transport(config.transport))
    changes: dict[str, Any] = {name: defaults[name] for name in missing if name in defaults}
    return replace(config, **changes)
