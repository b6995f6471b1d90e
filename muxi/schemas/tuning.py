"""The payload of a tuning text."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates
from marshmallow.fields import Field

from muxi.schemas.payloads import TUNING_LIMIT, utf8_length

__all__ = ["TuningReplaceSchema"]


class TuningReplaceSchema(Schema):
    """The body of ``POST /tuning``."""

    class Meta:
        unknown = INCLUDE

    content: Field[Any] = fields.String(required=True)

    @validates("content")
    def _fits(self, value: str, **_: object) -> None:
        size = utf8_length(value)
        if size > TUNING_LIMIT:
            raise ValidationError(f"Must not be longer than {TUNING_LIMIT} bytes; it has {size}.")
