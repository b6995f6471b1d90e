"""The payloads of the maintenance of memories, and of memories that were distilled elsewhere."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields
from marshmallow.fields import Field
from marshmallow.validate import Length, OneOf

__all__ = [
    "DistilledBatchSchema",
    "DistilleryRegisterSchema",
    "MemoryBackfillSchema",
    "MemoryForgetSchema",
    "MemoryLintSchema",
    "MemoryRebuildSchema",
]


class MemoryLintSchema(Schema):
    """The body of ``POST /memory/lint``."""

    class Meta:
        unknown = INCLUDE

    user_id: Field[Any] = fields.String(allow_none=True)


class MemoryBackfillSchema(Schema):
    """The body of ``POST /memory/backfill``."""

    class Meta:
        unknown = INCLUDE

    user_id: Field[Any] = fields.String(required=True)


class MemoryRebuildSchema(MemoryBackfillSchema):
    """The body of ``POST /memory/rebuild``."""

    projection: Field[Any] = fields.String(allow_none=True)
    dry_run: Field[Any] = fields.Boolean()
    background: Field[Any] = fields.Boolean()
    backfill: Field[Any] = fields.Boolean()


class MemoryForgetSchema(MemoryBackfillSchema):
    """The body of ``POST /memory/forget``."""

    source: Field[Any] = fields.String(required=True)
    reason: Field[Any] = fields.String()
    rebuild: Field[Any] = fields.Boolean()
    background: Field[Any] = fields.Boolean()


class DistilleryRegisterSchema(Schema):
    """The body of ``POST /memory/distilleries``."""

    class Meta:
        unknown = INCLUDE

    name: Field[Any] = fields.String(required=True)
    public_key: Field[Any] = fields.String(required=True)
    description: Field[Any] = fields.String(allow_none=True)
    scope: Field[Any] = fields.Dict(allow_none=True)
    trust_level: Field[Any] = fields.String(allow_none=True)


class DistilledBatchSchema(Schema):
    """The body of ``POST /memories/distilled``; the runtime judges each event by itself."""

    class Meta:
        unknown = INCLUDE

    batch_id: Field[Any] = fields.String(required=True, validate=Length(min=1, error="Must not be empty."))
    events: Field[Any] = fields.List(fields.Dict(), required=True, validate=Length(min=1, error="Must not be empty."))
    embedding_mode: Field[Any] = fields.String(allow_none=True, validate=OneOf(["none", "pre_computed"]))
