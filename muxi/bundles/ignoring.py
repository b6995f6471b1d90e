"""The ignore files of a folder: ``.gitignore`` and ``.muxiignore``, at its top and below."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from muxi.bundles.refusal import refused
from muxi.errors import MissingExtraError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["IGNORE_FILES", "IgnoreRules"]

#: Names of ignore files; where both match, the later decides.
IGNORE_FILES = (".gitignore", ".muxiignore")


class IgnoreRules:
    """The ignore files from the top of a folder down to one of its directories.

    A pattern means what git takes it to mean. Of several that match, the one in the deepest directory decides, and
    there ``.muxiignore`` before ``.gitignore``; a ``!`` takes a file along again.
    """

    def __init__(self, specs: tuple[tuple[str, str, GitIgnoreSpec], ...] = ()) -> None:
        #: The directory of each file with a slash at its end, the file's name, and its patterns.
        self._specs = specs

    def enter(self, folder: str, prefix: str, names: frozenset[str]) -> IgnoreRules:
        """Return the rules inside a directory, with those of its own ignore files.

        Args:
            folder: the folder that is packed.
            prefix: path of the directory in it, with a slash at its end; empty for the top.
            names: names in the directory.

        Raises:
            ConfigurationError: there is an ignore file, and pathspec is not installed.
            ValidationError: an ignore file cannot be read, or has a pattern without a meaning.
        """
        found = [name for name in IGNORE_FILES if name in names]
        return IgnoreRules((*self._specs, *((prefix, name, _read(folder, prefix + name)) for name in found)))

    def reason(self, path: str, *, is_directory: bool) -> str | None:
        """Return the ignore file that excludes a path; None if none does."""
        reason = None
        for prefix, name, spec in self._specs:
            relative = path[len(prefix) :] + ("/" if is_directory else "")
            include = spec.check_file(relative).include
            if include is not None:
                reason = prefix + name if include else None
        return reason


def _read(folder: str, name: str) -> GitIgnoreSpec:
    path = os.path.join(folder, name)
    try:
        from pathspec import GitIgnoreSpec
    except ImportError:
        raise MissingExtraError(
            f"{path} says which files to leave out, and is read with pathspec: pip install 'muxi-client[bundles]'"
        ) from None
    try:
        with open(path, encoding="utf-8") as file:
            return GitIgnoreSpec.from_lines(file.read().splitlines())
    except OSError as error:
        raise refused("bundle_path", f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise refused("bundle_path", f"{path} cannot be read: {error}") from None
