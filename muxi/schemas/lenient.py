"""Schemas that check the fields they know and let the others pass."""

from __future__ import annotations

from copy import copy
from typing import Any

from marshmallow import Schema, fields
from marshmallow.fields import Field

__all__ = ["lenient"]


def lenient(schema: Schema, above: tuple[type, ...] = ()) -> Schema:
    """Return a copy of a schema that lets unknown fields pass, on every level of nesting.

    A schema that is nested in itself does so on its first level only.
    """
    copied = copy(schema)
    copied.unknown = "include"
    kinds = (*above, type(schema))
    copied.fields = {name: _field(field, kinds) for name, field in schema.fields.items()}
    copied.load_fields = {name: copied.fields[name] for name in schema.load_fields}
    return copied


def _field(field: Field[Any], above: tuple[type, ...]) -> Field[Any]:
    field = copy(field)
    if isinstance(field, fields.Nested):
        field.unknown = "include"
        if type(field.schema) not in above:
            field._schema = lenient(field.schema, above)  # `nested` would be constructed again
    elif isinstance(field, fields.List):
        field.inner = _field(field.inner, above)
    elif isinstance(field, fields.Mapping) and field.value_field is not None:
        field.value_field = _field(field.value_field, above)
    elif isinstance(field, fields.Tuple):
        field.tuple_fields = [_field(it, above) for it in field.tuple_fields]
    return field
