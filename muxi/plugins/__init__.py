"""The plugins that ship with the SDK. Each has a name, by which it can be replaced or disabled.

A plugin, and the library of an extra that it may need, is imported at its first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muxi.plugins.audit import AuditTrail
    from muxi.plugins.bearer import BearerAuth
    from muxi.plugins.breaker import CircuitBreaker, CircuitOpen
    from muxi.plugins.cache import ResponseCache
    from muxi.plugins.concurrency import ConcurrencyLimit
    from muxi.plugins.idempotency import Idempotency
    from muxi.plugins.json_log import JsonFormatter
    from muxi.plugins.log import Log
    from muxi.plugins.prometheus import Prometheus
    from muxi.plugins.rate_limit import RateLimit
    from muxi.plugins.redaction import Redaction, mask_emails_and_numbers
    from muxi.plugins.retry import Retry, RetryBudget
    from muxi.plugins.sdk_headers import SdkHeaders
    from muxi.plugins.secret import CachedKey
    from muxi.plugins.trace import Trace
    from muxi.plugins.tracing import Tracing
    from muxi.plugins.version_notice import VersionNotice

__all__ = [
    "AuditTrail",
    "BearerAuth",
    "CachedKey",
    "CircuitBreaker",
    "CircuitOpen",
    "ConcurrencyLimit",
    "Idempotency",
    "JsonFormatter",
    "Log",
    "Prometheus",
    "RateLimit",
    "Redaction",
    "ResponseCache",
    "Retry",
    "RetryBudget",
    "SdkHeaders",
    "Trace",
    "Tracing",
    "VersionNotice",
    "mask_emails_and_numbers",
]

#: The public names of each module.
_HOMES = {
    "muxi.plugins.audit": ("AuditTrail",),
    "muxi.plugins.bearer": ("BearerAuth",),
    "muxi.plugins.breaker": ("CircuitBreaker", "CircuitOpen"),
    "muxi.plugins.cache": ("ResponseCache",),
    "muxi.plugins.concurrency": ("ConcurrencyLimit",),
    "muxi.plugins.idempotency": ("Idempotency",),
    "muxi.plugins.json_log": ("JsonFormatter",),
    "muxi.plugins.log": ("Log",),
    "muxi.plugins.prometheus": ("Prometheus",),
    "muxi.plugins.rate_limit": ("RateLimit",),
    "muxi.plugins.redaction": ("Redaction", "mask_emails_and_numbers"),
    "muxi.plugins.retry": ("Retry", "RetryBudget"),
    "muxi.plugins.sdk_headers": ("SdkHeaders",),
    "muxi.plugins.secret": ("CachedKey",),
    "muxi.plugins.trace": ("Trace",),
    "muxi.plugins.tracing": ("Tracing",),
    "muxi.plugins.version_notice": ("VersionNotice",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'muxi.plugins' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
