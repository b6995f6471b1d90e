"""The plugins of every client, in the order of their registration."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from muxi.plugins.idempotency import Idempotency
from muxi.plugins.log import Log
from muxi.plugins.retry import Retry
from muxi.plugins.sdk_headers import SdkHeaders

if TYPE_CHECKING:
    from muxi.config import FormationConfig, ServerConfig
    from muxi.plugins.auth import KeyAuth
    from muxi.plugins.signature import SignatureAuth
    from muxi.plugins.trace import Trace
    from muxi.plugins.tracing import Tracing

__all__ = ["builtin_plugins"]


def builtin_plugins(config: FormationConfig | ServerConfig, auth: KeyAuth | SignatureAuth) -> list[tuple[str, object]]:
    """Return the built-in plugins of one client by name. A caller's plugin of the same name replaces one."""
    log = Log(config.logger, debug=config.debug)
    plugins = [auth, SdkHeaders(), Idempotency(), Retry(), log, *_tracing(), *_trace()]
    return [(plugin.name, plugin) for plugin in plugins]


def _tracing() -> list[Tracing]:
    """Return the tracing plugin if the program has imported OpenTelemetry; otherwise nothing is loaded for it."""
    if "opentelemetry" not in sys.modules:
        return []
    from muxi.plugins.tracing import tracing_if_usable

    return tracing_if_usable()


def _trace() -> list[Trace]:
    """Return the plugin that writes trace files if the environment asks for one."""
    if not os.environ.get("MUXI_TRACE"):
        return []
    from muxi.plugins.trace import trace_of_environment

    found = trace_of_environment()
    return [found] if found else []
