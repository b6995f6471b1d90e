"""The distributions installed beside the SDK: their names, and the entry points that announce plugins and transports.

:mod:`importlib.metadata` takes longer to load than all of them take to be looked at. It is used only where a file has
an entry point of the SDK's groups, and where something is installed in a form that only it can read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

from muxi.records import Record

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["announced", "is_installed"]

#: The groups of entry points that the SDK looks for: plugins, and transports.
_GROUPS = {b"[muxi]": "muxi", b"[muxi.transports]": "muxi.transports"}


class Found(Record, frozen=True):
    """The installed distributions, as far as directories on the import path show them."""

    #: The names of the distributions, in the form in which they compare.
    names: frozenset[str]
    #: The groups of the SDK that a distribution has entry points of.
    groups: frozenset[str]
    #: Whether that is all: False where something else may hold distributions, such as an archive or a finder.
    complete: bool


def announced(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of one of the SDK's groups; a group without any is known without loading a library."""
    found = look()
    if found.complete and group not in found.groups:
        return ()
    from importlib.metadata import entry_points

    return tuple(entry_points(group=group))


def is_installed(name: str) -> bool:
    """Tell whether a distribution is installed."""
    found = look()
    if found.complete:
        return name in found.names
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


@lru_cache(maxsize=1)
def look() -> Found:
    """Look through the import path, once per process."""
    names: set[str] = set()
    groups: set[str] = set()
    complete = all(finder is PathFinder or not hasattr(finder, "find_distributions") for finder in sys.meta_path)
    for path in sys.path:
        try:
            entries = os.listdir(path or ".")
        except NotADirectoryError:
            complete = False  # an archive
            continue
        except OSError:
            continue
        for entry in entries:
            lower = entry.lower()
            if lower.endswith((".dist-info", ".egg-info")):
                names.add(_name_of(lower))
                groups.update(_groups_in(os.path.join(path, entry, "entry_points.txt")))
            elif lower.endswith(".egg"):
                complete = False
    return Found(frozenset(names), frozenset(groups), complete)


def _name_of(folder: str) -> str:
    """Return ``made-up`` for ``made_up-1.0.dist-info``."""
    return folder.rpartition(".")[0].partition("-")[0].replace("_", "-").replace(".", "-")


def _groups_in(path: str) -> Iterator[str]:
    try:
        text = _content_of(path)
    except OSError:
        return
    if b"muxi" in text:
        yield from (_GROUPS[line] for line in map(bytes.strip, text.splitlines()) if line in _GROUPS)


def _content_of(path: str) -> bytes:
    """Return what is in a file. Among hundreds of distributions the calls of ``open()`` would take twice as long."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        content = b""
        while piece := os.read(descriptor, 65536):
            content += piece
        return content
    finally:
        os.close(descriptor)
