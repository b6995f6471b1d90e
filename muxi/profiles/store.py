"""The files of the platform's command: servers and formations with their keys, and defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from muxi.errors import ConfigurationError
from muxi.profiles.document import Document

__all__ = ["ProfileStore", "SavedFormation", "ServerProfile", "unknown_profile"]

_VERSION = "1.0"


@dataclass(frozen=True)
class ServerProfile:
    """A server and its key pair, by a name."""

    name: str
    url: str
    key_id: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    #: When it was added, as the file has it.
    added_at: str | None = None
    #: The file and the line that it is in.
    source: str = ""


@dataclass(frozen=True)
class SavedFormation:
    """The keys of a formation, and the profile of the server that it is behind."""

    formation_id: str
    profile: str | None = None
    user_id: str | None = None
    client_key: str | None = field(default=None, repr=False)
    admin_key: str | None = field(default=None, repr=False)
    source: str = ""


class ProfileStore:
    """``profiles.yaml``, ``servers.yaml``, ``formations.yaml`` and ``defaults.yaml`` of a folder.

    Each is read when it is asked for. ``servers.yaml``, the older form, is read where there is no ``profiles.yaml``,
    and never written: the first change writes what it has to ``profiles.yaml``.

    Args:
        folder: the folder; ``~/.muxi/cli`` by default.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder: str = folder or os.path.join(os.path.expanduser("~"), ".muxi", "cli")

    def profiles(self) -> dict[str, ServerProfile]:
        """Return all profiles by name, in the order of the file."""
        document, _, section = self._servers()
        return {name: _profile(document, section, name) for name in document.names(section)}

    def default_name(self) -> str | None:
        """Return the name of the default profile."""
        document, default, _ = self._servers()
        found = document.get(default)
        return found.text if found else None

    def default_source(self) -> str:
        """Return the file and line of the default profile."""
        document, default, _ = self._servers()
        return f"{document.path}:{document.line(default)}"

    def get(self, name: str) -> ServerProfile:
        """Return a profile.

        Raises:
            ConfigurationError: there is none of that name; the message has the nearest.
        """
        found = self.profiles()
        if name not in found:
            raise ConfigurationError(unknown_profile(name, found))
        return found[name]

    def add(self, profile: ServerProfile) -> None:
        """Write a profile; one of that name keeps the fields that a profile does not have. The first is the default.

        Raises:
            OSError: the file cannot be written.
        """
        document = self._profiles_to_write()
        first = not document.names("profiles")
        entry = {"url": profile.url, "key_id": profile.key_id or "", "secret_key": profile.secret_key or ""}
        for name, text in entry.items():
            document.set("profiles", profile.name, name, text=text)
        if document.get("profiles", profile.name, "added_at") is None:
            document.set("profiles", profile.name, "added_at", text=_now(), tag="timestamp")
        if first:
            document.set("default_profile", text=profile.name)
        document.write()

    def use(self, name: str) -> None:
        """Make a profile the default.

        Raises:
            ConfigurationError: there is none of that name.
        """
        self.get(name)
        document = self._profiles_to_write()
        document.set("default_profile", text=name)
        document.write()

    def remove(self, name: str) -> None:
        """Remove a profile; if it is the default, there is none afterwards.

        Raises:
            ConfigurationError: there is none of that name.
        """
        self.get(name)
        document = self._profiles_to_write()
        document.remove("profiles", name)
        if (default := document.get("default_profile")) and default.text == name:
            document.set("default_profile", text="")
        document.write()

    def formations(self) -> dict[str, SavedFormation]:
        """Return the saved formations by id."""
        document = Document(self.path("formations.yaml"))
        return {name: _formation(document, name) for name in document.names("formations")}

    def user(self) -> tuple[str, str] | None:
        """Return the default user id and its source; None without one."""
        document = Document(self.path("defaults.yaml"))
        found = document.get("user_id")
        return (found.text, f"{document.path}:{found.line}") if found else None

    def path(self, name: str) -> str:
        """Return the path of one of the files."""
        return os.path.join(self.folder, name)

    def _servers(self) -> tuple[Document, str, str]:
        """Return the file of profiles, and what it calls the default and the profiles."""
        document = Document(self.path("profiles.yaml"))
        if not document.exists and (older := Document(self.path("servers.yaml"))).exists:
            return older, "default", "servers"
        return document, "default_profile", "profiles"

    def _profiles_to_write(self) -> Document:
        document, _, section = self._servers()
        if section == "profiles":
            if document.get("version") is None:
                document.set("version", text=_VERSION)
            return document
        new = Document(self.path("profiles.yaml"))
        new.set("version", text=_VERSION)
        new.set("default_profile", text=self.default_name() or "")
        new.copy(document, section, to="profiles")
        return new


def unknown_profile(name: str, known: Mapping[str, object]) -> str:
    """Return the message for a profile that does not exist."""
    from difflib import get_close_matches  # only for a mistake

    near = get_close_matches(name, known, 1, 0.5)
    if near:
        return f"there is no profile {name!r}; did you mean {near[0]!r}?"
    listed = f"known are {', '.join(known)}" if known else "there are none yet"
    return f"there is no profile {name!r}; {listed}. Add it with: muxi-client profiles add {name}"


def _profile(document: Document, section: str, name: str) -> ServerProfile:
    def text(item: str) -> str | None:
        found = document.get(section, name, item)
        return found.text if found else None

    source = f"{document.path}:{document.line(section, name)}"
    return ServerProfile(name, text("url") or "", text("key_id"), text("secret_key"), text("added_at"), source)


def _formation(document: Document, name: str) -> SavedFormation:
    def text(item: str) -> str | None:
        found = document.get("formations", name, item)
        return found.text if found else None

    source = f"{document.path}:{document.line('formations', name)}"
    keys = (text("client_key"), text("admin_key"))
    return SavedFormation(name, text("default_profile"), text("default_user_id"), *keys, source=source)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
