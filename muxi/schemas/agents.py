"""The payloads of operations on agents' knowledge."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields
from marshmallow.fields import Field

__all__ = ["KnowledgeRebuildSchema", "KnowledgeSyncSchema"]


class KnowledgeSyncSchema(Schema):
    """The body of ``POST /agents/{agent_id}/knowledge/sync``."""

    class Meta:
        unknown = INCLUDE

    source_id: Field[Any] = fields.String(allow_none=True)


class KnowledgeRebuildSchema(Schema):
    """The body of ``POST /knowledge/rebuild``."""

    class Meta:
        unknown = INCLUDE

    agent_id: Field[Any] = fields.String(allow_none=True)
    source_id: Field[Any] = fields.String(allow_none=True)
