"""Secrets, whose values are never returned in full."""

from muxi.types.records import TypedDict

__all__ = ["MaskedSecret", "ReloadedSecrets", "SecretChanged", "SecretList"]


class SecretList(TypedDict):
    """The secrets by name, with all but a few characters of each value masked."""

    secrets: dict[str, str]
    count: int


class MaskedSecret(TypedDict):
    """One secret, masked."""

    key: str
    value: str


class SecretChanged(TypedDict):
    """The confirmation that a secret was created, updated or deleted."""

    message: str


class ReloadedSecrets(TypedDict):
    """The changes after the secrets were reloaded."""

    message: str
    added: list[str]
    overwritten: list[str]
    preserved: list[str]
    count: int
