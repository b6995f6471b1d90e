"""The payload of a memory."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema
from marshmallow.validate import OneOf

__all__ = ["MemoryCreateSchema"]


class MemoryCreateSchema(Schema):
    """The body of ``POST /memories``: with ``source`` an ingestion, without it a direct write."""

    class Meta:
        unknown = INCLUDE

    content = fields.Raw(allow_none=True)
    type = fields.String(allow_none=True)
    detail = fields.String(allow_none=True)
    metadata = fields.Dict(allow_none=True)
    scope = fields.String(allow_none=True, validate=OneOf(["user", "group", "formation"]))
    scope_id = fields.String(allow_none=True)
    source = fields.String(allow_none=True)
    source_id = fields.String(allow_none=True)
    timestamp = fields.String(allow_none=True)
    subject = fields.String(allow_none=True)

    @validates_schema
    def _has_something_to_remember(self, data: dict[str, Any], **_: object) -> None:
        if data.get("content") is None and data.get("detail") is None:
            raise ValidationError("Give 'content' or 'detail'.")
        if data.get("source") is None and not isinstance(data.get("content"), str | None):
            raise ValidationError("Must be a text unless 'source' is given.", "content")
