"""The payload of a session that is put back."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields

__all__ = ["SessionRestoreSchema"]


class RestoredMessageSchema(Schema):
    """A message as the caller kept it; the runtime requires a time on each."""

    class Meta:
        unknown = INCLUDE

    role = fields.String(required=True)
    content = fields.String(required=True)
    timestamp = fields.String(required=True)
    agent_id = fields.String(allow_none=True)
    metadata = fields.Dict(allow_none=True)


class SessionRestoreSchema(Schema):
    """The body of ``POST /sessions/{session_id}/restore``."""

    class Meta:
        unknown = INCLUDE

    messages = fields.List(fields.Nested(RestoredMessageSchema), required=True)
