"""The payload of a restored session."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields
from marshmallow.fields import Field

__all__ = ["SessionRestoreSchema"]


class RestoredMessageSchema(Schema):
    """A restored message; the runtime requires its time."""

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
