"""The payloads about users: identifiers, channels and notifications."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates
from marshmallow.fields import Field
from marshmallow.validate import Regexp

__all__ = ["ChannelsUpdateSchema", "IdentifiersLinkSchema", "NotificationRequestSchema", "UserResolveSchema"]


class UserResolveSchema(Schema):
    """The body of ``POST /users/resolve``."""

    class Meta:
        unknown = INCLUDE

    identifier: Field[Any] = fields.String(required=True)
    identifier_type: Field[Any] = fields.String(allow_none=True)


class IdentifiersLinkSchema(Schema):
    """The body of ``POST /users/identifiers``; the runtime judges the items of the list."""

    class Meta:
        unknown = INCLUDE

    muxi_user_id: Field[Any] = fields.String(allow_none=True)
    identifiers: Field[Any] = fields.List(fields.Raw(allow_none=True), required=True)


class ChannelsUpdateSchema(Schema):
    """The body of ``PUT /users/{user_id}/channels``."""

    class Meta:
        unknown = INCLUDE

    preferred_channel: Field[Any] = fields.String(allow_none=True)
    channels: Field[Any] = fields.Dict(allow_none=True)
    timezone: Field[Any] = fields.String(allow_none=True)

    # A field for the values would put "value" into the paths of errors.
    @validates("channels")
    def _are_mappings(self, value: dict[str, object] | None, **_: object) -> None:
        wrong = [name for name, channel in (value or {}).items() if not isinstance(channel, dict)]
        if wrong:
            raise ValidationError({name: ["Not a mapping."] for name in wrong})


class NotificationRequestSchema(Schema):
    """The body of ``POST /notifications``."""

    class Meta:
        unknown = INCLUDE

    user_id: Field[Any] = fields.String(required=True)
    message: Field[Any] = fields.String(required=True, validate=Regexp(r"\s*\S", error="Must not be empty."))
    channels: Field[Any] = fields.List(fields.String(), allow_none=True)
