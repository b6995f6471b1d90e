"""The command ``muxi-client``. This module checks the installation before it imports others.

The platform's official SDK has files of the same names. If it has overwritten them, this module is intact and reports
the damage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_REPAIR = "pip uninstall -y muxi muxi-client && pip install 'muxi-client[cli]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: arguments after the command's name; those of the process by default.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong use, 3 refused, 4 not found, 130 interrupted.
    """
    if problem := find_damage():
        print(f"muxi-client: {problem}", file=sys.stderr)
        return 1
    try:
        from muxi.cli.app import run
    except ImportError as error:
        if error.name == "click":
            print("muxi-client: the command line needs click: pip install 'muxi-client[cli]'", file=sys.stderr)
            return 1
        if not _is_official_installed():
            raise
        print(f"muxi-client: {_describe_overwritten(str(error))}", file=sys.stderr)
        return 1
    return run(arguments)


def find_damage() -> str | None:
    """Return the damage of the package's files with its remedy; None without any."""
    import muxi

    # The official SDK lacks this name. Without a file, `muxi` is a remnant of an uninstallation.
    if "register_transport" in getattr(muxi, "__all__", ()):
        return None
    if getattr(muxi, "__file__", None) is None:
        return f"files of the package 'muxi' are missing, muxi/__init__.py among them. Run: {_REPAIR}"
    return _describe_overwritten(f"{muxi.__file__} is not the one of muxi-client")


def _describe_overwritten(symptom: str) -> str:
    cause = (
        "The distribution 'muxi' (the platform's official SDK) is installed too, and has overwritten files"
        if _is_official_installed()
        else "Another distribution has overwritten files"
    )
    return (
        f"{symptom}. {cause} of the same names: muxi/__init__.py, muxi/formation.py, muxi/server.py, … Run: {_REPAIR}"
    )


def _is_official_installed() -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution("muxi")
    except PackageNotFoundError:
        return False
    return True
