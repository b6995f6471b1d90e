"""The ignore files of a folder: ``.gitignore`` and ``.muxiignore`` in it, and those of the repository around it."""

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

    def __init__(
        self,
        specs: tuple[tuple[str, str, GitIgnoreSpec], ...] = (),
        *,
        above: tuple[tuple[str, str, GitIgnoreSpec], ...] = (),
    ) -> None:
        #: The directory of each file with a slash at its end, the file's name, and its patterns.
        self._specs = specs
        #: The way from the directory of each file above the folder down to it, its path, and its patterns.
        self._above = above

    @classmethod
    def around(cls, folder: str) -> IgnoreRules:
        """Return the rules of the ``.gitignore`` files above a folder, up to the root of its git repository.

        Empty outside a repository; and where they exclude the whole folder, as they do a directory of build results
        whose path was given all the same.

        Raises:
            ConfigurationError: there is such a file, and pathspec is not installed.
            ValidationError: such a file cannot be read, or has a pattern without a meaning.
        """
        parts: list[str] = []
        found: list[tuple[int, str, GitIgnoreSpec]] = []
        here = os.path.realpath(folder)
        while not os.path.exists(os.path.join(here, ".git")):
            here, name = os.path.split(here)
            if not name:
                return cls()
            parts.insert(0, name)
        for level in range(len(parts)):
            directory = os.path.join(here, *parts[:level])
            if os.path.isfile(os.path.join(directory, ".gitignore")):
                found.append((level, os.path.join(directory, ".gitignore"), _read(directory, ".gitignore")))
        for depth in range(1, len(parts) + 1):
            way = ((f"{'/'.join(parts[level:depth])}/", spec) for level, _, spec in found if level < depth)
            decided = [include for path, spec in way if (include := spec.check_file(path).include) is not None]
            if decided and decided[-1]:
                return cls()
        return cls(above=tuple((f"{'/'.join(parts[level:])}/", name, spec) for level, name, spec in found))

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
        specs = (*self._specs, *((prefix, name, _read(folder, prefix + name)) for name in found))
        return IgnoreRules(specs, above=self._above)

    def reason(self, path: str, *, is_directory: bool) -> str | None:
        """Return the ignore file that excludes a path; None if none does."""
        reason = None
        for down, name, spec in self._above:
            include = spec.check_file(down + path + ("/" if is_directory else "")).include
            if include is not None:
                reason = name if include else None
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
    if not os.path.isfile(path):
        # Reading a pipe would wait for its writer.
        raise refused("bundle_path", f"{path} cannot be read: it is no regular file")
    try:
        with open(path, encoding="utf-8") as file:
            return GitIgnoreSpec.from_lines(file.read().splitlines())
    except OSError as error:
        raise refused("bundle_path", f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise refused("bundle_path", f"{path} cannot be read: {error}") from None
