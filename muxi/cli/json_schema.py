"""JSON schemas as ``ask --schema`` takes them: the keywords that describe an answer, without references."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["JsonSchema"]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "number": lambda value: _is_number(value),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}

#: Keywords that describe and do not restrict.
_NOTES = frozenset({"$schema", "$id", "$comment", "title", "description", "default", "examples", "format"})


class JsonSchema:
    """A schema with the interface that ``chat_parsed`` takes.

    Args:
        schema: the schema, as JSON has it.

    Raises:
        ValueError: it is no schema, or has a keyword that is not checked here.
    """

    def __init__(self, schema: Any) -> None:
        _check_schema(schema, "the schema")
        self.schema: Any = schema

    def load(self, data: Any) -> Any:
        """Return the data.

        Raises:
            marshmallow.ValidationError: it does not fit; every wrong place is named.
        """
        wrong: dict[str, list[str]] = {}
        for place, problem in _problems(data, self.schema, ""):
            wrong.setdefault(place or "_schema", []).append(problem)
        if wrong:
            import marshmallow

            raise marshmallow.ValidationError(wrong)
        return data


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_schema(schema: Any, where: str) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ValueError(f"{where} is not an object")
    if unknown := schema.keys() - _KEYWORDS.keys() - _NOTES:
        raise ValueError(f"{where} has {sorted(unknown)[0]!r}, which is not checked here")
    types = schema.get("type", [])
    for name in types if isinstance(types, list) else [types]:
        if name not in _TYPES:
            raise ValueError(f"{where} has the type {name!r}, which JSON has not")
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except (re.error, TypeError):
            raise ValueError(f"{where} has a pattern that is not a regular expression") from None
    for name, inner in _inner_schemas(schema):
        _check_schema(inner, f"{where}, {name},")


def _inner_schemas(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from schema.get("properties", {}).items()
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield keyword, schema[keyword]
    for keyword in ("anyOf", "oneOf", "allOf"):
        yield from ((keyword, inner) for inner in schema.get(keyword, ()))


Problems = Iterator[tuple[str, str]]


def _problems(value: Any, schema: Any, place: str) -> Problems:
    """Yield the places of a value that do not fit, each with its reason."""
    if isinstance(schema, bool):
        if not schema:
            yield place, "is not allowed"
        return
    for keyword, argument in schema.items():
        if keyword in _KEYWORDS:
            yield from _KEYWORDS[keyword](value, argument, schema, place)


def _type(value: Any, types: Any, schema: Any, place: str) -> Problems:
    allowed = types if isinstance(types, list) else [types]
    if not any(_TYPES[name](value) for name in allowed):
        yield place, f"is not of the type {' or '.join(allowed)}"


def _enum(value: Any, values: Any, schema: Any, place: str) -> Problems:
    # 1 and true are equal in Python, and not in JSON.
    if json.dumps(value, sort_keys=True) not in [json.dumps(one, sort_keys=True) for one in values]:
        yield place, f"is not one of {json.dumps(values, ensure_ascii=False)}"


def _const(value: Any, only: Any, schema: Any, place: str) -> Problems:
    yield from _enum(value, [only], schema, place)


def _properties(value: Any, properties: Any, schema: Any, place: str) -> Problems:
    if isinstance(value, dict):
        for name, inner in properties.items():
            if name in value:
                yield from _problems(value[name], inner, f"{place}.{name}".lstrip("."))


def _required(value: Any, names: Any, schema: Any, place: str) -> Problems:
    if isinstance(value, dict):
        yield from ((f"{place}.{name}".lstrip("."), "is missing") for name in names if name not in value)


def _additional(value: Any, inner: Any, schema: Any, place: str) -> Problems:
    if isinstance(value, dict):
        for name in value.keys() - schema.get("properties", {}).keys():
            yield from _problems(value[name], inner, f"{place}.{name}".lstrip("."))


def _items(value: Any, inner: Any, schema: Any, place: str) -> Problems:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, inner, f"{place}[{index}]")


def _pattern(value: Any, pattern: Any, schema: Any, place: str) -> Problems:
    if isinstance(value, str) and not re.search(pattern, value):
        yield place, f"does not match {pattern}"


def _bound(
    of: Callable[[Any], bool], measure: Callable[[Any], float], fits: Callable[[float, float], bool], words: str
) -> Callable[[Any, Any, Any, str], Problems]:
    def check(value: Any, bound: Any, schema: Any, place: str) -> Problems:
        if of(value) and not fits(measure(value), bound):
            yield place, f"{words} {bound}"

    return check


def _any_of(value: Any, schemas: Any, schema: Any, place: str) -> Problems:
    if not any(not list(_problems(value, inner, place)) for inner in schemas):
        yield place, "fits none of the alternatives"


def _one_of(value: Any, schemas: Any, schema: Any, place: str) -> Problems:
    fitting = sum(not list(_problems(value, inner, place)) for inner in schemas)
    if fitting != 1:
        yield place, f"fits {fitting} of the alternatives, not one"


def _all_of(value: Any, schemas: Any, schema: Any, place: str) -> Problems:
    for inner in schemas:
        yield from _problems(value, inner, place)


_KEYWORDS: dict[str, Callable[[Any, Any, Any, str], Problems]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "properties": _properties,
    "required": _required,
    "additionalProperties": _additional,
    "items": _items,
    "pattern": _pattern,
    "minimum": _bound(_is_number, float, lambda value, bound: value >= bound, "is below"),
    "maximum": _bound(_is_number, float, lambda value, bound: value <= bound, "is above"),
    "exclusiveMinimum": _bound(_is_number, float, lambda value, bound: value > bound, "is not above"),
    "exclusiveMaximum": _bound(_is_number, float, lambda value, bound: value < bound, "is not below"),
    "minLength": _bound(_TYPES["string"], len, lambda value, bound: value >= bound, "is shorter than"),
    "maxLength": _bound(_TYPES["string"], len, lambda value, bound: value <= bound, "is longer than"),
    "minItems": _bound(_TYPES["array"], len, lambda value, bound: value >= bound, "has fewer items than"),
    "maxItems": _bound(_TYPES["array"], len, lambda value, bound: value <= bound, "has more items than"),
    "anyOf": _any_of,
    "oneOf": _one_of,
    "allOf": _all_of,
}
