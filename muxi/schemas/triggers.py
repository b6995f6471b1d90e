"""The payload of a trigger."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields
from marshmallow.fields import Field

__all__ = ["TriggerRequestSchema"]


class TriggerRequestSchema(Schema):
    """The body of ``POST /triggers/{trigger_name}``."""

    class Meta:
        unknown = INCLUDE

    data: Field[Any] = fields.Dict(required=True)
    session_id: Field[Any] = fields.String(allow_none=True)
    use_async: Field[Any] = fields.Boolean(allow_none=True)
