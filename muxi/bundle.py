"""Formation bundles: what a gzip tar of a formation says of itself."""

from __future__ import annotations

import os
import re
import tarfile
from typing import NamedTuple

from muxi.errors import ValidationError

__all__ = ["FORMATION_FILES", "Identity", "read_identity"]

#: The names a formation file may have, in the order the server looks for them.
FORMATION_FILES = ("formation.afs", "formation.yaml", "formation.yml")

#: What a formation file that says nothing about its version has.
DEFAULT_VERSION = "1.0.0"

_FIELD = re.compile(r"""^(?P<name>id|version)[ \t]*:[ \t]*(?P<value>"[^"]*"|'[^']*'|[^#\r\n]*)""", re.MULTILINE)


class Identity(NamedTuple):
    """Which formation a bundle holds."""

    id: str
    version: str


def read_identity(bundle: str | os.PathLike[str]) -> Identity:
    """The id and the version in the formation file of a bundle.

    Args:
        bundle: the path of a ``.tar.gz`` with everything under one top directory.

    Raises:
        ValidationError: it cannot be read, has no formation file, or that has no id; names the file and the field.
    """
    try:
        with tarfile.open(bundle, "r:gz") as archive:
            names = {name.removeprefix("./"): name for name in archive.getnames()}
            for wanted in FORMATION_FILES:
                for short, name in names.items():
                    if short.count("/") == 1 and short.endswith(f"/{wanted}"):
                        file = archive.extractfile(name)
                        text = file.read().decode("utf-8", "replace") if file else ""
                        return _identity(text, f"{os.fspath(bundle)}: {short}")
    except (OSError, EOFError, tarfile.TarError) as error:
        raise _refused("bundle_path", f"{os.fspath(bundle)} cannot be read as a .tar.gz: {error}") from error
    raise _refused(
        "bundle_path",
        f"{os.fspath(bundle)} has no formation file; looked for {', '.join(FORMATION_FILES)} under one top directory",
    )


def _identity(text: str, where: str) -> Identity:
    found = {match["name"]: match["value"].strip().strip("\"'") for match in _FIELD.finditer(text)}
    if not found.get("id"):
        raise _refused("id", f"{where} has no 'id'")
    return Identity(found["id"], found.get("version") or DEFAULT_VERSION)


def _refused(field: str, problem: str) -> ValidationError:
    return ValidationError("INVALID_BUNDLE", problem, details={"validation_errors": [{"field": field, "msg": problem}]})
