"""The payload of a tuning text."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates
from marshmallow.fields import Field

__all__ = ["TuningReplaceSchema"]

#: The text is part of every turn; the runtime takes no more of it, in bytes of UTF-8.
LIMIT = 32768


class TuningReplaceSchema(Schema):
    """The body of ``POST /tuning``."""

    class Meta:
        unknown = INCLUDE

    content: Field[Any] = fields.String(required=True)

    @validates("content")
    def _fits(self, value: str, **_: object) -> None:
        size = len(value.encode(errors="replace"))
        if size > LIMIT:
            raise ValidationError(f"Must not be longer than {LIMIT} bytes; it has {size}.")
