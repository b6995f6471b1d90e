"""The plugins that ship with the SDK: ordinary ones, under names by which they can be replaced or gone without.

Each is imported when it is first asked for, and so is the library of an extra that one may need.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from muxi.plugins.retry import Retry, RetryBudget
    from muxi.plugins.tracing import Tracing

__all__ = [
    "Retry",
    "RetryBudget",
    "Tracing",
]

#: Where each public name lives.
_HOMES = {
    "muxi.plugins.retry": ("Retry", "RetryBudget"),
    "muxi.plugins.tracing": ("Tracing",),
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
