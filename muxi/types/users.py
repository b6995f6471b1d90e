"""Users, the names they go by, and the channels they are reached on."""

from typing import Any, TypedDict

__all__ = [
    "AddedIdentifier",
    "Identifier",
    "LinkedIdentifiers",
    "Notification",
    "ResolvedUser",
    "UnlinkedIdentifier",
    "UserChannels",
    "UserIdentifiers",
]


class ResolvedUser(TypedDict):
    """Who an identifier stands for."""

    identifier: str
    muxi_user_id: str
    internal_user_id: int


class Identifier(TypedDict):
    """A name that a user goes by; ``created_at`` is ISO 8601 with a Z."""

    identifier: str
    type: str
    created_at: str


class UserIdentifiers(TypedDict):
    """All names of one user."""

    muxi_user_id: str
    internal_user_id: int
    identifiers: list[Identifier]
    count: int


class AddedIdentifier(TypedDict):
    """A name just given to a user."""

    identifier: str
    type: str


class LinkedIdentifiers(TypedDict):
    """The names that were taken; what could not be used was left out without a word."""

    muxi_user_id: str
    identifiers: list[AddedIdentifier]
    count: int


class UnlinkedIdentifier(TypedDict):
    """That a name stands for nobody any more."""

    message: str
    muxi_user_id: str


class UserChannels(TypedDict):
    """How a user is reached; ``channels`` by name, with what each needs (``{"telegram": {"chat_id": "1"}}``)."""

    user_id: str
    preferred_channel: str | None
    channels: dict[str, dict[str, Any]]
    last_channel: str | None
    timezone: str | None


class Notification(TypedDict):
    """Where a notification was sent to, and where it arrived."""

    request_id: str
    channels: list[str]
    delivered: list[str]
    failed: list[Any]
