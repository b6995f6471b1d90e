"""Formation bundles: the gzip tar that a server takes, made of a folder or an archive, and checked first."""

from importlib import import_module
from typing import TYPE_CHECKING

from muxi.bundles.identity import BundleSource, Identity, Prepared, Progress

if TYPE_CHECKING:
    from muxi.bundles.packing import pack
    from muxi.bundles.planning import plan
    from muxi.bundles.report import BundlePlan, LeftOut, PlannedFile
    from muxi.bundles.rules import IGNORED
    from muxi.bundles.source import prepare

__all__ = [
    "IGNORED",
    "BundlePlan",
    "BundleSource",
    "Identity",
    "LeftOut",
    "PlannedFile",
    "Prepared",
    "Progress",
    "pack",
    "plan",
    "prepare",
]

#: Modules of names that are loaded at their first use: a client that deploys nothing needs no archives.
_HOMES = {
    "IGNORED": "muxi.bundles.rules",
    "BundlePlan": "muxi.bundles.report",
    "LeftOut": "muxi.bundles.report",
    "PlannedFile": "muxi.bundles.report",
    "pack": "muxi.bundles.packing",
    "plan": "muxi.bundles.planning",
    "prepare": "muxi.bundles.source",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'muxi.bundles' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
