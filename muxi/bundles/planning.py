"""The plan of a bundle: which files of a folder travel, and which are left out and why."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from muxi.bundles.ignoring import IgnoreRules
from muxi.bundles.refusal import refused
from muxi.bundles.report import BundlePlan, LeftOut, PlannedFile
from muxi.bundles.rules import KEY_HEAD, is_private_key, reason_never
from muxi.transport.arguments import check_arguments

__all__ = ["plan"]


@check_arguments()
def plan(folder: str | os.PathLike[str]) -> BundlePlan:
    """Return what :func:`muxi.bundles.pack` would pack, without packing it.

    Args:
        folder: a directory with a formation file.

    Raises:
        ValidationError: an entry cannot be read, is neither a file nor a directory, or is a link that the server would
            leave out.
        ConfigurationError: the folder has an ignore file, and pathspec (extra ``[bundles]``) is not installed.
    """
    folder = os.fspath(folder)
    walk = _Walk(folder)
    entries = tuple(walk.entries())
    return BundlePlan(folder, entries, tuple(walk.left_out))


class _Walk:
    """A walk over a folder, sorted by name; a directory comes before its entries."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._root = os.path.realpath(folder)
        self._around = IgnoreRules.around(folder)
        self.left_out: list[LeftOut] = []

    def entries(self, prefix: str = "", rules: IgnoreRules | None = None) -> Iterator[PlannedFile]:
        directory = os.path.join(self._folder, prefix)
        try:
            with os.scandir(directory) as found:
                items = sorted(found, key=lambda item: item.name)
        except OSError as error:
            raise refused("bundle_path", f"{directory} cannot be read: {error.strerror}") from None
        rules = (rules or self._around).enter(self._folder, prefix, frozenset(item.name for item in items))
        for item in items:
            name = prefix + item.name
            is_directory = item.is_dir(follow_symlinks=False)
            if reason := self._reason(item, name, rules, is_directory=is_directory):
                self.left_out.append(LeftOut(name + "/" * is_directory, reason))
            elif is_directory:
                yield PlannedFile(name, 0, True)
                yield from self.entries(f"{name}/", rules)
            else:
                yield PlannedFile(name, self._size(item.path))

    def _reason(self, item: os.DirEntry[str], name: str, rules: IgnoreRules, *, is_directory: bool) -> str | None:
        at_top = "/" not in name
        if reason := reason_never(item.name, at_top=at_top):
            return reason
        if is_directory and os.path.exists(os.path.join(item.path, "pyvenv.cfg")):
            return "environment"
        # A repository rightly ignores the key of its secrets, which a server needs; .muxiignore leaves it out.
        ignoring = rules.reason(name, is_directory=is_directory)
        if ignoring and not (at_top and item.name == ".key" and os.path.basename(ignoring) == ".gitignore"):
            return ignoring
        if item.is_symlink():
            return self._reason_of_target(item)
        if is_directory:
            return None
        return self._reason_of_content(item.path)

    def _reason_of_target(self, item: os.DirEntry[str]) -> str | None:
        """Judge a link by its target: a file of the same folder travels in its place, if it may travel itself."""
        target = os.path.realpath(item.path)
        inside = os.path.commonpath([self._root, target]) == self._root
        if not inside or not os.path.isfile(target):
            raise refused(
                "bundle_path",
                f"{item.path} is a link to {os.readlink(item.path)!r}, which the server would leave out; "
                "put the file itself there",
            )
        parts = os.path.relpath(target, self._root).split(os.sep)
        rules = self._around
        for level, part in enumerate(parts):
            prefix = "".join(f"{parent}/" for parent in parts[:level])
            rules = rules.enter(self._folder, prefix, frozenset(os.listdir(os.path.join(self._folder, prefix))))
            is_directory = level < len(parts) - 1
            if reason := reason_never(part, at_top=level == 0):
                return reason
            if reason := rules.reason(prefix + part, is_directory=is_directory):
                return reason
        if "/".join(parts) == ".key":
            return "private key"  # it travels under its own name only
        return self._reason_of_content(target)

    def _reason_of_content(self, path: str) -> str | None:
        try:
            kind = os.stat(path).st_mode
            if not stat.S_ISREG(kind):
                raise refused("bundle_path", f"{path} is neither a file nor a directory, and cannot travel")
            with open(path, "rb") as file:
                head = file.read(KEY_HEAD)
        except OSError as error:
            raise refused("bundle_path", f"{path} cannot be read: {error.strerror}") from None
        return "private key" if is_private_key(head) else None

    def _size(self, path: str) -> int:
        try:
            return os.stat(path).st_size
        except OSError as error:
            raise refused("bundle_path", f"{path} cannot be read: {error.strerror}") from None
