"""Which plugins every client has, and in which order."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from muxi.plugins.idempotency import Idempotency
from muxi.plugins.log import Log
from muxi.plugins.retry import Retry
from muxi.plugins.sdk_headers import SdkHeaders
from muxi.plugins.version_notice import VersionNotice

if TYPE_CHECKING:
    from muxi.config import FormationConfig, ServerConfig
    from muxi.plugins.auth import KeyAuth
    from muxi.plugins.signature import SignatureAuth
    from muxi.plugins.tracing import Tracing

__all__ = ["builtin_plugins"]


def builtin_plugins(config: FormationConfig | ServerConfig, auth: KeyAuth | SignatureAuth) -> list[tuple[str, object]]:
    """The built-in plugins of one client with their names. A caller's plugin of the same name replaces one."""
    log = Log(config.logger, debug=config.debug)
    plugins = [auth, SdkHeaders(), Idempotency(), Retry(), VersionNotice(), log, *_tracing()]
    return [(plugin.name, plugin) for plugin in plugins]


def _tracing() -> list[Tracing]:
    """Tracing for a program that has imported OpenTelemetry; without that nothing is loaded for it."""
    if "opentelemetry" not in sys.modules:
        return []
    from muxi.plugins.tracing import tracing_if_usable

    return tracing_if_usable()
