"""The payload of a chat."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields

__all__ = ["ChatRequestSchema"]


class UiResponseSchema(Schema):
    """The answer to a widget; the runtime refuses it without both fields."""

    class Meta:
        unknown = INCLUDE

    id = fields.String(required=True)
    value = fields.Raw(required=True, allow_none=True)


class ChatRequestSchema(Schema):
    """The body of ``POST /chat``, as the wire has it. Unknown fields are let through: newer runtimes may know them."""

    class Meta:
        unknown = INCLUDE

    message = fields.String(required=True)
    user_id = fields.String(allow_none=True)
    agent_id = fields.String(allow_none=True)
    session_id = fields.String(allow_none=True)
    group_id = fields.String(allow_none=True)
    request_id = fields.String(allow_none=True)
    mode = fields.String(allow_none=True)
    files = fields.List(fields.Dict(), allow_none=True)
    stream = fields.Boolean(allow_none=True)
    webhook_url = fields.String(allow_none=True)
    threshold_seconds = fields.Float(allow_none=True)
    source_channel = fields.String(allow_none=True)
    ui_response = fields.Nested(UiResponseSchema, allow_none=True)
