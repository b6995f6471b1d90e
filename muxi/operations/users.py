"""Users, their identifiers, and their channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from muxi.call import Call, Key
from muxi.client.endpoints import operation
from muxi.operations.fields import given, plain

if TYPE_CHECKING:
    from muxi.types import (
        LinkedIdentifiers,
        NotificationDelivery,
        ResolvedUser,
        UnlinkedIdentifier,
        UserChannels,
        UserIdentifiers,
    )

__all__ = ["UserOperations"]


class UserOperations:
    """Methods about users. All take the client key, and none sends the header with a user id."""

    @operation
    def resolve_user(
        self, identifier: str, create_user: bool | None = None, *, identifier_type: str | None = None
    ) -> Call[ResolvedUser]:
        """Resolve an identifier to a user, who is created if there is none (``POST /users/resolve``).

        Args:
            identifier: any name: an e-mail address (lower-cased), an id of a chat service, ….
            create_user: today's runtime takes no notice of it and always makes a user; :meth:`get_user` makes none.
            identifier_type: what it is, such as ``email``.

        Raises:
            ValidationError: the identifier is no text; nothing has been sent.
        """
        return Call.post(
            "/users/resolve",
            body={"identifier": identifier, **given(identifier_type=identifier_type, create_user=create_user)},
            key=Key.CLIENT,
            accepts="UserResolve",
            returns="ResolvedUser",
        )

    @operation
    def get_user(self, identifier: str) -> Call[ResolvedUser]:
        """Resolve an identifier to an existing user (``GET /users/{identifier}``).

        Raises:
            NotFoundError: no user has it.
        """
        return Call.get(
            "/users/{identifier}", params={"identifier": identifier}, key=Key.CLIENT, returns="ResolvedUser"
        )

    @operation
    def get_user_identifiers_for_user(self, user_id: str) -> Call[UserIdentifiers]:
        """List the identifiers of a user (``GET /users/identifiers/{user_id}``).

        Args:
            user_id: MUXI's own id of the user (``muxi_user_id`` of :meth:`resolve_user`), none of their names.

        Raises:
            NotFoundError: there is no such user.
        """
        return Call.get(
            "/users/identifiers/{user_id}", params={"user_id": user_id}, key=Key.CLIENT, returns="UserIdentifiers"
        )

    @operation
    def link_user_identifier(
        self, muxi_user_id: str | None, identifiers: Sequence[str | Sequence[str] | Mapping[str, Any]]
    ) -> Call[LinkedIdentifiers]:
        """Link identifiers to a user (``POST /users/identifiers``).

        An identifier of another user is silently **moved**.

        Args:
            muxi_user_id: MUXI's own id of the user. None makes a new user; today's runtime fails at that.
            identifiers: texts, pairs of an identifier and its type, or ``{"identifier": …, "type": …}``; what is
                none of these is silently left out, so look at the result.

        Raises:
            ValidationError: the identifiers are no list; nothing has been sent.
            NotFoundError: there is no such user.
        """
        return Call.post(
            "/users/identifiers",
            body={**given(muxi_user_id=muxi_user_id), "identifiers": plain(identifiers)},
            key=Key.CLIENT,
            accepts="IdentifiersLink",
            returns="LinkedIdentifiers",
        )

    @operation
    def unlink_user_identifier(self, identifier: str) -> Call[UnlinkedIdentifier]:
        """Unlink an identifier from its user (``DELETE /users/identifiers/{identifier}``).

        Returns:
            A message; an empty mapping where a repetition found that a first attempt without an answer had done it.

        Raises:
            NotFoundError: no user has it.
        """
        return Call.delete(
            "/users/identifiers/{identifier}",
            params={"identifier": identifier},
            key=Key.CLIENT,
            returns="UnlinkedIdentifier",
        )

    @operation
    def get_user_channels(self, user_id: str) -> Call[UserChannels]:
        """Get a user's channels (``GET /users/{user_id}/channels``).

        Raises:
            ServerError: the formation has no ``proactive`` block.
        """
        return Call.get(
            "/users/{user_id}/channels", params={"user_id": user_id}, key=Key.CLIENT, returns="UserChannels"
        )

    @operation
    def update_user_channels(
        self,
        user_id: str,
        *,
        preferred_channel: str | None = None,
        channels: Mapping[str, Mapping[str, Any]] | None = None,
        timezone: str | None = None,
    ) -> Call[UserChannels]:
        """Change a user's channels (``PUT /users/{user_id}/channels``). Fields that are not given stay as they are.

        Args:
            user_id: the user.
            preferred_channel: a channel of the formation, or ``webhook``; an empty text clears it.
            channels: what each channel needs, such as ``{"telegram": {"chat_id": "1"}}``; an empty mapping in it
                removes a channel.
            timezone: a name such as ``Europe/London``; an empty text clears it.

        Raises:
            ValidationError: a field is of the wrong type, and nothing has been sent; or a channel or zone is unknown.
            ServerError: the formation has no ``proactive`` block.
        """
        return Call.put(
            "/users/{user_id}/channels",
            params={"user_id": user_id},
            body=given(preferred_channel=preferred_channel, channels=channels, timezone=timezone),
            key=Key.CLIENT,
            accepts="ChannelsUpdate",
            returns="UserChannels",
        )

    @operation
    def send_notification(
        self, user_id: str, message: str, channels: Sequence[str] | None = None
    ) -> Call[NotificationDelivery]:
        """Send a user a notification by their channels (``POST /notifications``).

        Args:
            user_id: the user.
            message: what; not empty.
            channels: names of channels, ``last``, ``preferred`` or ``webhook``, in place of what the user prefers.

        Returns:
            ``delivered`` and ``failed`` channels.

        Raises:
            ValidationError: the message is empty; nothing has been sent.
            ServerError: nothing was delivered, or the formation has no ``proactive`` block.
        """
        return Call.post(
            "/notifications",
            body={"user_id": user_id, "message": message, **given(channels=channels)},
            key=Key.CLIENT,
            accepts="NotificationRequest",
            returns="NotificationDelivery",
        )
