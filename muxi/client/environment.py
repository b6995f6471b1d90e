"""Conflicting distributions: others that install files of the same names."""

from __future__ import annotations

import warnings
from functools import lru_cache

from muxi.installed import is_installed

__all__ = ["conflicts", "report_conflicts"]

_OFFICIAL = (
    "the distribution 'muxi' (the platform's official SDK) is installed beside 'muxi-client'; both have files named "
    "muxi/__init__.py, muxi/formation.py, muxi/server.py, … and whichever was installed last has overwritten the "
    "other's. Run: pip uninstall -y muxi muxi-client && pip install muxi-client"
)
_SSECLIENT = (
    "the distribution 'sseclient' is installed beside 'sseclient-py'; both are imported as 'sseclient'. "
    "Run: pip uninstall -y sseclient sseclient-py && pip install sseclient-py"
)


@lru_cache(maxsize=1)
def conflicts() -> tuple[str, ...]:
    """Return the conflicts of the environment and how to resolve each; looked up once per process."""
    return tuple(advice for name, advice in (("muxi", _OFFICIAL), ("sseclient", _SSECLIENT)) if is_installed(name))


_reported: set[str] = set()


def report_conflicts() -> None:
    """Warn of each conflict, once per process, at the line of the program that makes the client."""
    for advice in conflicts():
        if advice not in _reported:
            _reported.add(advice)
            from muxi.transport.callers import caller_level  # only for a conflict

            warnings.warn(advice, RuntimeWarning, stacklevel=caller_level())
