"""The hooks by which PyInstaller finds the modules that the SDK imports by name; the entry point ``pyinstaller40``."""

from __future__ import annotations

import os

__all__ = ["get_hook_dirs"]


def get_hook_dirs() -> list[str]:
    """Return the directory of the hooks."""
    return [os.path.dirname(__file__)]
