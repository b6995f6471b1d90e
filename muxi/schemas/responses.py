"""The schemas of answers, generated from their types in :mod:`muxi.types`, which editors and type checkers use too."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from marshmallow import INCLUDE, Schema, ValidationError, fields
from marshmallow.fields import Field

from muxi import types
from muxi.schemas.shapes import KINDS, Hint, hints_of, is_record, options_of, origin_of

if TYPE_CHECKING:
    _Field = Field[Any]
else:
    _Field = Field  # generic from marshmallow 4 on

__all__ = ["response_schema"]

_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


def response_schema(name: str) -> type[Schema]:
    """Return the schema of an answer.

    Unknown fields pass: a newer runtime may send more.

    Args:
        name: a type of :mod:`muxi.types`, such as ``MemoryPage``.

    Returns:
        A schema to inspect, or to take fields from for another one.

    Raises:
        LookupError: there is no such type.
    """
    record = getattr(types, name, None)
    if not is_record(record):
        raise LookupError(f"there is no answer of the type {name!r}")
    return _schema(record)


class _ResponseSchema(Schema):
    class Meta:
        unknown = INCLUDE


@cache
def _schema(record: Hint) -> type[Schema]:
    hints, required = hints_of(record)
    made = {name: _field(hint, required=name in required) for name, hint in hints.items()}
    return type(f"{record.__name__}Schema", (_ResponseSchema,), {"__doc__": record.__doc__, **_declare_fields(made)})


def _declare_fields(made: Mapping[str, _Field]) -> dict[str, object]:
    # As class attributes, some would hide attributes of every schema: `schema`, `context`, `fields`.
    meta = type("Meta", (_ResponseSchema.Meta,), {"include": dict(made)})
    return {"Meta": meta}


def _field(hint: Hint, *, required: bool = False) -> _Field:
    options = [option for option in options_of(hint) if option is not type(None)]
    given: dict[str, Any] = {"required": required, "allow_none": len(options) < len(options_of(hint))}
    if len(options) == 1:
        return _field_of(options[0], given)
    if all(option in KINDS for option in options):
        return _Kind(tuple(options), **given)
    return _Either([_field(option) for option in options], **given)


def _field_of(hint: Hint, given: dict[str, Any]) -> _Field:
    if hint is Any or hint is object:
        return fields.Raw(**{**given, "allow_none": True})
    if is_record(hint):
        return fields.Nested(_schema(hint), **given)
    origin, inner = origin_of(hint), get_args(hint)
    if origin is list:
        return fields.List(_field(inner[0]), **given)
    if origin is dict:
        return fields.Dict(**given) if inner[1] is Any else _Values(_field(inner[1]), **given)
    return _Kind((hint,), **given)


class _Either(_Field):
    """One of several fields; the error of the first is reported if none fits."""

    def __init__(self, choices: list[_Field], **given: Any) -> None:
        super().__init__(**given)
        self._choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **rest: Any) -> Any:
        first: ValidationError | None = None
        for choice in self._choices:
            try:
                return choice.deserialize(value, attr, data, **rest)
            except ValidationError as error:
                first = first or error
        raise first or self.make_error("invalid")


class _Values(_Field):
    """A mapping of names to values. marshmallow's own puts the word ``value`` into the path of an error."""

    default_error_messages = {"invalid": "Not a valid mapping type."}  # noqa: RUF012  marshmallow's own form

    def __init__(self, values: _Field, **given: Any) -> None:
        super().__init__(**given)
        self._values = values

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **rest: Any) -> Any:
        if not isinstance(value, Mapping):
            raise self.make_error("invalid")
        wrong: dict[str, Any] = {}
        for name, item in value.items():
            try:
                self._values.deserialize(item, name, value, **rest)
            except ValidationError as error:
                wrong[name] = error.messages
        if wrong:
            raise ValidationError(wrong)
        return value


class _Kind(_Field):
    """One of the scalar kinds of JSON, without conversion: ``"1"`` is not a number."""

    default_error_messages = {"invalid": "Not {words}."}  # noqa: RUF012  marshmallow's own form

    def __init__(self, kinds: tuple[Hint, ...], **given: Any) -> None:
        super().__init__(**given)
        self._classes = tuple(found for kind in kinds for found in KINDS[kind])
        self._words = " or ".join(_WORDS[kind] for kind in kinds)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **rest: Any) -> Any:
        if type(value) not in self._classes:
            raise self.make_error("invalid", words=self._words)
        return value
