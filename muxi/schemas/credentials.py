"""The payload of a credential."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates
from marshmallow.fields import Field

__all__ = ["CredentialCreateSchema"]


class CredentialCreateSchema(Schema):
    """The body of ``POST /credentials``."""

    class Meta:
        unknown = INCLUDE

    service: Field[Any] = fields.String(required=True)
    name: Field[Any] = fields.String(allow_none=True)
    credential: Field[Any] = fields.Dict(required=True)

    @validates("service")
    def _has_no_spaces(self, value: str, **_: object) -> None:
        if " " in value:
            raise ValidationError("Must not have spaces in it.")
