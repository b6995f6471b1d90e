"""The payload of a memory."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema
from marshmallow.fields import Field
from marshmallow.validate import Length, OneOf

from muxi.schemas.payloads import MAX_BATCH, SCOPES

__all__ = ["MemoryBatchSchema", "MemoryCreateSchema", "MemoryIngestSchema"]


class _MemorySchema(Schema):
    class Meta:
        unknown = INCLUDE

    content: Field[Any] = fields.Raw(allow_none=True)
    type: Field[Any] = fields.String(allow_none=True)
    detail: Field[Any] = fields.String(allow_none=True)
    metadata: Field[Any] = fields.Dict(allow_none=True)
    scope: Field[Any] = fields.String(allow_none=True, validate=OneOf(SCOPES))
    scope_id: Field[Any] = fields.String(allow_none=True)
    source: Field[Any] = fields.String(allow_none=True)
    source_id: Field[Any] = fields.String(allow_none=True)
    timestamp: Field[Any] = fields.String(allow_none=True)
    subject: Field[Any] = fields.String(allow_none=True)


class MemoryCreateSchema(_MemorySchema):
    """The body of ``POST /memories``: with ``source`` an ingestion, without it a direct write."""

    @validates_schema
    def _has_something_to_remember(self, data: dict[str, Any], **_: object) -> None:
        if data.get("content") is None and data.get("detail") is None:
            raise ValidationError("Give 'content' or 'detail'.")
        if data.get("content") is not None and data.get("detail") is not None:
            # The runtime would silently ignore one of them.
            raise ValidationError("Give 'content' or 'detail', not both.", "detail")
        if data.get("source") is None and not isinstance(data.get("content"), str | None):
            raise ValidationError("Must be a text unless 'source' is given.", "content")

    @validates_schema
    def _names_its_group(self, data: dict[str, Any], **_: object) -> None:
        if data.get("scope") == "group" and data.get("scope_id") is None:
            raise ValidationError("Is needed where the scope is 'group'.", "scope_id")


class MemoryIngestSchema(MemoryCreateSchema):
    """The same body, if it is an ingestion."""

    source: Field[Any] = fields.String(required=True, validate=Length(min=1, error="Must not be empty."))


class MemoryBatchSchema(Schema):
    """The body of ``POST /memories/batch``; the runtime judges each item by itself."""

    class Meta:
        unknown = INCLUDE

    items: Field[Any] = fields.List(
        fields.Nested(_MemorySchema),
        required=True,
        validate=Length(min=1, max=MAX_BATCH, error=f"Must have 1 to {MAX_BATCH} items."),
    )
