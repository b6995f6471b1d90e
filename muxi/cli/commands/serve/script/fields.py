"""The fields of a script's schemas: texts, numbers, lists and mappings."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load

from muxi.cli.commands.serve.script.document import MappingNode, ScalarNode, SequenceNode, describe, plain_data

if TYPE_CHECKING:
    from marshmallow.fields import Field

__all__ = ["Data", "Day", "Flag", "Items", "Named", "Number", "ScriptSchema", "Text"]


class ScriptSchema(Schema):
    """The base of a script's schemas: unknown keys are errors that list the known ones.

    Args:
        groups: names of the groups of the pattern that the texts below may refer to.
        options: those of marshmallow's schemas.
    """

    class Meta:
        """No key is ignored."""

        unknown = RAISE

    def __init__(self, *, groups: frozenset[str] = frozenset(), **options: Any) -> None:
        super().__init__(**options)
        self.groups = groups
        self.error_messages["unknown"] = f"there is no such key; there are {', '.join(self.fields)}"

    @pre_load
    def _check_mapping(self, data: object, **_: object) -> object:
        if not isinstance(data, MappingNode):
            raise ValidationError(f"a mapping is expected here ({', '.join(self.fields)}), not {describe(data)}")
        return data


class Text(fields.String):
    """A text, as it is written: ``no`` and ``1.0`` are texts too."""

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not isinstance(value, ScalarNode) or value.is_null:
            raise ValidationError(f"a text is expected here, not {describe(value)}")
        return str(value)


class Day(Text):
    """A day in ISO 8601."""

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        text = super()._deserialize(value, attr, data)
        try:
            date.fromisoformat(text)
        except ValueError as error:
            raise ValidationError(f"a day is expected here, such as 2027-01-15: {error}") from error
        return text


class Number(fields.Float):
    """A number that is not negative."""

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> float:
        try:
            found = float(value) if isinstance(value, ScalarNode) else math.nan
        except ValueError:
            found = math.nan
        if not 0.0 <= found < math.inf:
            raise ValidationError(f"a number is expected here that is not less than 0, not {describe(value)}")
        return found


class Flag(fields.Boolean):
    """True or false."""

    def _deserialize(self, value: object, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> bool:
        if not isinstance(value, ScalarNode) or not value.is_bool:
            raise ValidationError(f"true or false is expected here, not {describe(value)}")
        return value.lower() in ("true", "yes", "on")


class Data(fields.Raw):
    """A mapping of any content, with YAML's types.

    Args:
        needs: a key that it must have.
    """

    def __init__(self, *, needs: str | None = None) -> None:
        super().__init__()
        self._needs = needs

    def _deserialize(
        self, value: object, attr: str | None, data: Mapping[str, Any] | None, **_: Any
    ) -> dict[str, object]:
        if not isinstance(value, MappingNode):
            raise ValidationError(f"a mapping is expected here, not {describe(value)}")
        if self._needs is not None and self._needs not in value:
            raise ValidationError(f"{self._needs!r} is missing")
        try:
            found: dict[str, object] = plain_data(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return found


class _Nesting(fields.Raw):
    """A field with values of one kind inside.

    Args:
        inner: the field of the values.
        validate: checks the result.
    """

    def __init__(self, inner: Field[Any], *, validate: Callable[[Any], object] | None = None) -> None:
        super().__init__(validate=validate)
        self.inner: Field[Any] = inner

    def _bind_to_schema(self, field_name: str, parent: Schema | Field[Any]) -> None:
        super()._bind_to_schema(field_name, parent)
        self.inner = copy.deepcopy(self.inner)
        self.inner._bind_to_schema(field_name, self)

    def _load_all(self, values: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        loaded: dict[Any, Any] = {}
        errors: dict[Any, object] = {}
        for key, value in values:
            try:
                loaded[key] = self.inner.deserialize(value)
            except ValidationError as error:
                errors[key] = error.messages
        if errors:
            raise ValidationError(errors)
        return loaded


class Items(_Nesting):
    """A list."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> list[Any]:
        if not isinstance(value, SequenceNode):
            raise ValidationError(f"a list is expected here, not {describe(value)}")
        return list(self._load_all(enumerate(value)).values())


class Named(_Nesting):
    """A mapping of any names to values of one kind."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> dict[str, Any]:
        if not isinstance(value, MappingNode):
            raise ValidationError(f"a mapping is expected here (name: value), not {describe(value)}")
        return self._load_all(value.items())
