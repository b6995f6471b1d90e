"""The folder of a formation: its id, and the settings of its ``.muxi`` file."""

from __future__ import annotations

import os
from typing import NamedTuple

from muxi.bundles.fields import Unread, read_fields
from muxi.profiles.document import Document

__all__ = ["FormationFolder", "find_formation_folder"]

#: Names of a formation's file, the first that exists.
_FILES = ("formation.afs", "formation.yaml", "formation.yml")

#: How many folders are looked at, from the current one upwards.
_LEVELS = 5


class FormationFolder(NamedTuple):
    """The folder of a formation, and what its ``.muxi`` says."""

    path: str
    #: The id of the formation's file, or the folder's name.
    formation_id: str
    #: The file that the id is from.
    file: str
    #: Name of the profile, and file and line of it.
    profile: tuple[str, str] | None = None
    #: The user's id, and file and line of it.
    user: tuple[str, str] | None = None


def find_formation_folder(start: str | None = None) -> FormationFolder | None:
    """Return the formation's folder that a folder is in: itself, or one of the four above it, up to the home folder.

    Args:
        start: the folder; the current one by default.

    Raises:
        ConfigurationError: its ``.muxi`` is not YAML.
    """
    folder = os.path.abspath(start or os.getcwd())
    home = os.path.expanduser("~")
    for _ in range(_LEVELS):
        for name in _FILES:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return _describe(folder, path)
        if folder in (home, os.path.dirname(folder)):
            return None
        folder = os.path.dirname(folder)
    return None


def _describe(folder: str, path: str) -> FormationFolder:
    settings = os.path.join(folder, ".muxi")
    # In a home folder it is the folder of the platform's command, not a file.
    document = Document(settings) if os.path.isfile(settings) else None
    found = {name: document.get(name) if document else None for name in ("profile", "user_id")}
    profile, user = (
        (value.text, f"{settings}:{value.line}") if value else None for value in (found["profile"], found["user_id"])
    )
    return FormationFolder(folder, _id_of(path) or os.path.basename(folder), path, profile, user)


def _id_of(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            found = read_fields(file.read()).get("id")
    except (OSError, ValueError):
        return None  # deploying it says what is wrong; the folder's name will do here
    return None if found is None or isinstance(found, Unread) else str(found)
