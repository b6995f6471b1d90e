"""The payloads of chats."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema
from marshmallow.fields import Field
from marshmallow.validate import Length, Range

from muxi.schemas.payloads import FILE_LIMIT, MESSAGE_LIMIT

__all__ = ["AudioChatRequestSchema", "ChatRequestSchema"]


class UiResponseSchema(Schema):
    """The answer to a widget; the runtime requires both fields."""

    class Meta:
        unknown = INCLUDE

    id: Field[Any] = fields.String(required=True)
    value: Field[Any] = fields.Raw(required=True, allow_none=True)


class ChatFileSchema(Schema):
    """A file, whose declared size the runtime limits."""

    class Meta:
        unknown = INCLUDE

    filename: Field[Any] = fields.String(allow_none=True)
    content: Field[Any] = fields.String(allow_none=True)
    content_type: Field[Any] = fields.String(allow_none=True)
    mime_type: Field[Any] = fields.String(allow_none=True)
    size: Field[Any] = fields.Float(allow_none=True, validate=Range(min=0, max=FILE_LIMIT))


class AudioFileSchema(ChatFileSchema):
    """A voice note; the runtime accepts no other kind of file."""

    @validates_schema
    def _is_audio(self, data: dict[str, Any], **_: object) -> None:
        name = "mime_type" if data.get("mime_type") and not data.get("content_type") else "content_type"
        kind = data.get(name)
        if kind is None:
            raise ValidationError("Missing, and the filename suggests none: give audio/….", name)
        if not isinstance(kind, str) or not kind.startswith("audio/"):
            raise ValidationError(f"Must be audio/…, not {kind}; other files go with a chat.", name)


class ChatRequestSchema(Schema):
    """The body of ``POST /chat``, as the wire has it. Unknown fields pass: newer runtimes may know them."""

    class Meta:
        unknown = INCLUDE

    message: Field[Any] = fields.String(required=True, validate=Length(max=MESSAGE_LIMIT))
    user_id: Field[Any] = fields.String(allow_none=True)
    agent_id: Field[Any] = fields.String(allow_none=True)
    session_id: Field[Any] = fields.String(allow_none=True)
    group_id: Field[Any] = fields.String(allow_none=True)
    request_id: Field[Any] = fields.String(allow_none=True)
    mode: Field[Any] = fields.String(allow_none=True)
    files: Field[Any] = fields.List(fields.Nested(ChatFileSchema), allow_none=True)
    stream: Field[Any] = fields.Boolean(allow_none=True)
    webhook_url: Field[Any] = fields.String(allow_none=True)
    threshold_seconds: Field[Any] = fields.Float(allow_none=True)
    source_channel: Field[Any] = fields.String(allow_none=True)
    ui_response: Field[Any] = fields.Nested(UiResponseSchema, allow_none=True)


class AudioChatRequestSchema(Schema):
    """The body of ``POST /audiochat``."""

    class Meta:
        unknown = INCLUDE

    files: Field[Any] = fields.List(fields.Nested(AudioFileSchema), required=True, validate=Length(min=1))
    user_id: Field[Any] = fields.String(allow_none=True)
    agent_id: Field[Any] = fields.String(allow_none=True)
    session_id: Field[Any] = fields.String(allow_none=True)
    request_id: Field[Any] = fields.String(allow_none=True)
    stream: Field[Any] = fields.Boolean(allow_none=True)
