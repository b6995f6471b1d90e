"""Users, their identifiers, and their channels."""

from typing import Any

from muxi.types.records import TypedDict

__all__ = [
    "AddedIdentifier",
    "Identifier",
    "LinkedIdentifiers",
    "NotificationDelivery",
    "ResolvedUser",
    "UnlinkedIdentifier",
    "UserChannels",
    "UserIdentifiers",
]


class ResolvedUser(TypedDict):
    """The user that an identifier resolves to."""

    identifier: str
    muxi_user_id: str
    internal_user_id: int


class Identifier(TypedDict):
    """An identifier of a user; ``created_at`` is ISO 8601 with a Z."""

    identifier: str
    type: str
    created_at: str


class UserIdentifiers(TypedDict):
    """The identifiers of one user."""

    muxi_user_id: str
    internal_user_id: int
    identifiers: list[Identifier]
    count: int


class AddedIdentifier(TypedDict):
    """A newly linked identifier."""

    identifier: str
    type: str


class LinkedIdentifiers(TypedDict):
    """The identifiers that were linked; unusable ones are silently left out by the runtime."""

    muxi_user_id: str
    identifiers: list[AddedIdentifier]
    count: int


class UnlinkedIdentifier(TypedDict):
    """The confirmation that an identifier was unlinked."""

    message: str
    muxi_user_id: str


class UserChannels(TypedDict):
    """A user's channels by name, each with its settings (``{"telegram": {"chat_id": "1"}}``)."""

    user_id: str
    preferred_channel: str | None
    channels: dict[str, dict[str, Any]]
    last_channel: str | None
    timezone: str | None


class NotificationDelivery(TypedDict):
    """The channels that a notification was sent to, and those that delivered it."""

    request_id: str
    channels: list[str]
    delivered: list[str]
    failed: list[Any]
