"""The payload of a session that is put back."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields
from marshmallow.fields import Field

__all__ = ["SessionRestoreSchema"]


class RestoredMessageSchema(Schema):
    """A message as the caller kept it; the runtime requires a time on each."""

    class Meta:
        unknown = INCLUDE

    role: Field[Any] = fields.String(required=True)
    content: Field[Any] = fields.String(required=True)
    timestamp: Field[Any] = fields.String(required=True)
    agent_id: Field[Any] = fields.String(allow_none=True)
    metadata: Field[Any] = fields.Dict(allow_none=True)


class SessionRestoreSchema(Schema):
    """The body of ``POST /sessions/{session_id}/restore``."""

    class Meta:
        unknown = INCLUDE

    messages: Field[Any] = fields.List(fields.Nested(RestoredMessageSchema), required=True)
