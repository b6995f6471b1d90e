"""Where the lab lies below the checkout, and how its folders are made and removed."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["FORMATIONS", "HOME", "PROGRAMS", "ROOT", "RUNTIME_PYTHON", "make_folder", "remove_folder"]

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / ".live"
#: Python of the environment that has the runtime.
RUNTIME_PYTHON = HOME / "runtime" / "bin" / "python"
PROGRAMS = ROOT / "tests" / "live" / "programs"
FORMATIONS = ROOT / "tests" / "live" / "formations"

#: A file that each folder has that the lab has made.
_STAMP = ".made-by-make-live"


def make_folder(path: Path) -> Path:
    """Make a folder that :func:`remove_folder` may remove."""
    path.mkdir(parents=True)
    (path / _STAMP).touch()
    return path


def remove_folder(path: Path) -> None:
    """Remove a folder that the lab has made, if it is there.

    Raises:
        RuntimeError: it is not the lab's.
    """
    if not path.exists():
        return
    if path.is_symlink() or HOME not in path.resolve().parents or not (path / _STAMP).is_file():
        raise RuntimeError(f"{path} was not made by make live; it is left alone")
    shutil.rmtree(path)
