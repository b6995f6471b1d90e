"""Profiles: servers, formations and keys by name, in the files of the platform's own command (``~/.muxi/cli``)."""

from __future__ import annotations

from muxi.profiles.choice import ChosenSettings, GivenSettings, Setting, choose, fingerprint
from muxi.profiles.folder import FormationFolder, find_formation_folder
from muxi.profiles.store import ProfileStore, SavedFormation, ServerProfile

__all__ = [
    "ChosenSettings",
    "FormationFolder",
    "GivenSettings",
    "ProfileStore",
    "SavedFormation",
    "ServerProfile",
    "Setting",
    "choose",
    "find_formation_folder",
    "fingerprint",
]
