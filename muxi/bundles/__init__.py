"""Formation bundles: the gzip tar that a server takes, out of whatever a caller has, looked at before it is sent."""

from importlib import import_module
from typing import TYPE_CHECKING

from muxi.bundles.identity import BundleSource, Identity, Prepared, Progress

if TYPE_CHECKING:
    from muxi.bundles.packing import IGNORED, pack
    from muxi.bundles.source import prepare

__all__ = ["IGNORED", "BundleSource", "Identity", "Prepared", "Progress", "pack", "prepare"]

#: Loaded when they are first asked for: a client that deploys nothing needs no archives.
_HOMES = {"IGNORED": "muxi.bundles.packing", "pack": "muxi.bundles.packing", "prepare": "muxi.bundles.source"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'muxi.bundles' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
