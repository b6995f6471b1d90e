"""The payloads of secrets."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields
from marshmallow.fields import Field

__all__ = ["SecretCreateSchema", "SecretUpdateSchema"]


class SecretUpdateSchema(Schema):
    """The body of ``PUT /secrets/{key}``."""

    class Meta:
        unknown = INCLUDE

    value: Field[Any] = fields.String(required=True)


class SecretCreateSchema(SecretUpdateSchema):
    """The body of ``POST /secrets``."""

    key: Field[Any] = fields.String(required=True)
