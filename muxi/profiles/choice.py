"""The choice of settings: argument, variable, ``.muxi``, saved formation and default, in this order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from muxi.profiles.folder import FormationFolder, find_formation_folder
from muxi.profiles.store import ProfileStore, SavedFormation, ServerProfile

__all__ = ["ChosenSettings", "GivenSettings", "Setting", "choose", "fingerprint"]

#: Settings whose value is never shown.
SECRET = frozenset({"client_key", "admin_key", "secret_key"})

#: The source of a setting that the caller gave.
ARGUMENT = "argument"


class Setting(NamedTuple):
    """A setting and where it came from."""

    name: str
    value: str
    #: ``argument``, the name of a variable, or a file and line.
    source: str

    @property
    def shown(self) -> str:
        """The value, or the fingerprint of a key."""
        return fingerprint(self.value) if self.name in SECRET else self.value

    def __repr__(self) -> str:
        return f"Setting({self.name}={self.shown}, {self.source})"


@dataclass(frozen=True)
class GivenSettings:
    """The settings that the caller gave."""

    profile: str | None = None
    formation_id: str | None = None
    url: str | None = None
    user_id: str | None = None
    #: False where only a server is needed: the profile of a saved formation then counts for nothing.
    for_formation: bool = True


class ChosenSettings(Mapping[str, Setting]):
    """Settings by name, each with its source; those that are not known are missing.

    The names are those of the clients' arguments (``url``, ``server_url``, ``formation_id``, ``client_key``,
    ``admin_key``, ``key_id``, ``secret_key``), ``profile`` and ``user_id``.
    """

    def __init__(self, settings: list[Setting]) -> None:
        self._settings = {setting.name: setting for setting in settings}

    def __getitem__(self, name: str) -> Setting:
        return self._settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def value(self, name: str) -> str | None:
        """Return the value of a setting, or None."""
        found = self._settings.get(name)
        return found.value if found else None

    def formation(self) -> dict[str, str]:
        """Return the arguments of a formation's client."""
        address = ("url",) if "url" in self else ("server_url", "formation_id")
        return self._arguments(*address, "client_key", "admin_key")

    def server(self) -> dict[str, str]:
        """Return the arguments of a server's client."""
        found = self._arguments("server_url", "key_id", "secret_key")
        return {"url" if name == "server_url" else name: value for name, value in found.items()}

    def _arguments(self, *names: str) -> dict[str, str]:
        return {name: self._settings[name].value for name in names if name in self._settings}


def choose(
    choice: GivenSettings, store: ProfileStore | None = None, environment: Mapping[str, str] | None = None
) -> ChosenSettings:
    """Find all settings.

    A profile that the caller or ``MUXI_PROFILE`` names brings its address and its keys together; so do the variables
    ``MUXI_SERVER_URL``, ``MUXI_KEY_ID`` and ``MUXI_SECRET_KEY`` otherwise, before any file. The keys of a saved
    formation come before variables where the caller names the formation or the profile.

    Args:
        choice: the settings that the caller gave.
        store: the files of the platform's command.
        environment: the variables; those of the process by default.

    Raises:
        ConfigurationError: a profile does not exist, or a file cannot be read.
    """
    return ChosenSettings(list(_Search(choice, store or ProfileStore(), environment).settings()))


class _Search:
    def __init__(self, choice: GivenSettings, store: ProfileStore, environment: Mapping[str, str] | None) -> None:
        self._choice = choice
        self._store = store
        self._environment = os.environ if environment is None else environment
        self._folder: FormationFolder | None = find_formation_folder()

    def settings(self) -> Iterator[Setting]:
        choice = self._choice
        url = self._url()
        if url is not None:
            yield url
            yield from filter(None, (self._variable("client_key"), self._variable("admin_key")))
        formation = self._formation() if url is None and choice.for_formation else None
        saved = self._store.formations().get(formation.value) if formation else None
        if formation is not None:
            yield formation
        profile = self._profile(saved)
        yield from self._server(profile)
        if url is None:
            yield from self._formation_keys(saved, bool(choice.formation_id or choice.profile))
        user = self._user(saved)
        if user is not None:
            yield user

    def _variable(self, name: str, variable: str | None = None) -> Setting | None:
        variable = variable or f"MUXI_{name.upper()}"
        value = self._environment.get(variable, "").strip()
        return Setting(name, value, variable) if value else None

    def _url(self) -> Setting | None:
        choice = self._choice
        if choice.url:
            return Setting("url", choice.url, ARGUMENT)
        if choice.formation_id or choice.profile:
            return None
        return self._variable("url", "MUXI_FORMATION_URL")

    def _formation(self) -> Setting | None:
        if self._choice.formation_id:
            return Setting("formation_id", self._choice.formation_id, ARGUMENT)
        if found := self._variable("formation_id"):
            return found
        if self._folder:
            return Setting("formation_id", self._folder.formation_id, self._folder.file)
        saved = self._store.formations().values()
        of_profile = [one for one in saved if not self._choice.profile or one.profile == self._choice.profile]
        if len(of_profile) == 1:
            return Setting("formation_id", of_profile[0].formation_id, of_profile[0].source)
        return None

    def _profile(self, saved: SavedFormation | None) -> Setting | None:
        if self._choice.profile:
            return Setting("profile", self._choice.profile, ARGUMENT)
        if found := self._variable("profile"):
            return found
        if self._folder and self._folder.profile:
            return Setting("profile", *self._folder.profile)
        if saved and saved.profile:
            return Setting("profile", saved.profile, saved.source)
        name = self._store.default_name()
        return Setting("profile", name, self._store.default_source()) if name else None

    def _server(self, profile: Setting | None) -> Iterator[Setting]:
        variables = [self._variable("server_url"), self._variable("key_id"), self._variable("secret_key")]
        chosen = profile is not None and profile.source in (ARGUMENT, "MUXI_PROFILE")
        if profile is None or (variables[0] and not chosen):
            yield from filter(None, variables)
            return
        yield profile
        found: ServerProfile = self._store.get(profile.value)
        values = [("server_url", found.url), ("key_id", found.key_id), ("secret_key", found.secret_key)]
        for (name, value), variable in zip(values, variables, strict=True):
            if value:
                yield Setting(name, value, found.source)
            elif variable is not None:
                yield variable

    def _formation_keys(self, saved: SavedFormation | None, named: bool) -> Iterator[Setting]:
        values = {"client_key": saved.client_key, "admin_key": saved.admin_key} if saved else {}
        for name in ("client_key", "admin_key"):
            value = values.get(name)
            kept = Setting(name, value, saved.source) if saved and value else None
            variable = self._variable(name)
            found = (kept or variable) if named else (variable or kept)
            if found is not None:
                yield found

    def _user(self, saved: SavedFormation | None) -> Setting | None:
        if self._choice.user_id:
            return Setting("user_id", self._choice.user_id, ARGUMENT)
        if self._folder and self._folder.user:
            return Setting("user_id", *self._folder.user)
        if saved and saved.user_id:
            return Setting("user_id", saved.user_id, saved.source)
        found = self._store.user()
        return Setting("user_id", *found) if found else None


def fingerprint(secret: str) -> str:
    """Return a short hash that identifies a key and does not reveal it."""
    import hashlib

    return f"sha256:{hashlib.sha256(secret.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
