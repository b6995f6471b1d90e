"""The command ``muxi-client``. This file checks the installation first, and so imports nothing of the rest before.

The platform's official SDK has files of the same names as ours. Where it has overwritten them this one is still
ours, and is the one to say so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_REPAIR = "pip uninstall -y muxi muxi-client && pip install 'muxi-client[cli]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: what follows the command's name; those of the process by default.

    Returns:
        The exit code: 0, 1 after an error, 2 where the command was used wrongly, 130 after Ctrl-C.
    """
    if problem := damage():
        print(f"muxi-client: {problem}", file=sys.stderr)
        return 1
    try:
        from muxi.cli.command import run
    except ImportError as error:
        if not _official_installed():
            raise
        print(f"muxi-client: {_mixed(str(error))}", file=sys.stderr)
        return 1
    return run(arguments)


def damage() -> str | None:
    """What is wrong with the files of the package, and how to put it right; None where nothing is."""
    import muxi

    # A name that the official SDK does not have. Without a file `muxi` is what an uninstallation has left behind.
    if "register_transport" in getattr(muxi, "__all__", ()):
        return None
    if getattr(muxi, "__file__", None) is None:
        return f"files of the package 'muxi' are missing, muxi/__init__.py among them. Run: {_REPAIR}"
    return _mixed(f"{muxi.__file__} is not the one of muxi-client")


def _mixed(symptom: str) -> str:
    cause = (
        "The distribution 'muxi' (the platform's official SDK) is installed too, and has overwritten files"
        if _official_installed()
        else "Another distribution has overwritten files"
    )
    return (
        f"{symptom}. {cause} of the same names: muxi/__init__.py, muxi/formation.py, muxi/server.py, … Run: {_REPAIR}"
    )


def _official_installed() -> bool:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution("muxi")
    except PackageNotFoundError:
        return False
    return True
