"""Checks of query and body, with the wording of the wire.

A check takes a value, the dotted path of its field and the list of problems found so far; it returns the
value for the route and adds problems to the list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from muxi.transport import Body
from muxi_transports.memory.formation.envelope import ApiError

__all__ = [
    "Field",
    "Fields",
    "anything",
    "flag",
    "integer",
    "listing",
    "mapping",
    "number",
    "one_of",
    "parse_json",
    "record",
    "text",
    "validate",
]

Problem: TypeAlias = dict[str, str]
Check: TypeAlias = Callable[[object, str, list[Problem]], object]

_TRUE = {"1", "on", "t", "true", "y", "yes"}
_FALSE = {"0", "off", "f", "false", "n", "no"}
_NOT_AN_OBJECT = "Input should be a valid dictionary or object to extract fields from"


@dataclass(frozen=True)
class Field:
    """A field of a query or body.

    Args:
        name: its name.
        check: what it must be.
        required: whether it must be there.
        default: its value where it is not there.
        nullable: whether one that need not be there may be null; one that must be may not.
    """

    name: str
    check: Check
    required: bool = False
    default: object = None
    nullable: bool = True


class Fields:
    """Checked values by name; what was not sent is there with its default."""

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        self._values = dict(values or {})

    def get(self, name: str) -> object:
        """A value as it is."""
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """A text; None also where it is empty."""
        value = self._values.get(name)
        return value if isinstance(value, str) and value else None

    def integer(self, name: str) -> int:
        """A number that has a default."""
        value = self._values[name]
        if not isinstance(value, int):
            raise TypeError(f"{name} is not declared as an integer")
        return value

    def flag(self, name: str) -> bool:
        """A boolean."""
        return self._values.get(name) is True

    def mapping(self, name: str) -> dict[str, object] | None:
        """An object."""
        value = self._values.get(name)
        return {str(key): item for key, item in value.items()} if isinstance(value, dict) else None

    def mappings(self, name: str) -> list[dict[str, object]]:
        """A list of objects; empty where there is none."""
        value = self._values.get(name)
        return [dict(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _problem(path: str, msg: str, error: str) -> Problem:
    # The wire's `type` is a guess of the wanted type, and it guesses "string" for everything seen here.
    return {"field": path, "msg": msg, "type": "string", "error": error}


def anything(value: object, path: str, problems: list[Problem]) -> object:
    """Any value."""
    return value


def text(value: object, path: str, problems: list[Problem]) -> object:
    """A string."""
    if not isinstance(value, str):
        problems.append(_problem(path, "Input should be a valid string", "wrong_type"))
    return value


def mapping(value: object, path: str, problems: list[Problem]) -> object:
    """Any object."""
    if not isinstance(value, dict):
        problems.append(_problem(path, "Input should be a valid dictionary", "wrong_type"))
    return value


def flag(value: object, path: str, problems: list[Problem]) -> object:
    """A boolean, or one of the words and numbers that stand for one."""
    if not isinstance(value, bool | str | int | float):
        problems.append(_problem(path, "Input should be a valid boolean", "wrong_type"))
        return None
    word = str(int(value)) if isinstance(value, int | float) and value in (0, 1) else str(value).lower()
    if word not in _TRUE | _FALSE:
        problems.append(_problem(path, "Input should be a valid boolean, unable to interpret input", "invalid"))
    return word in _TRUE


def number(value: object, path: str, problems: list[Problem]) -> object:
    """A number, or a string that spells one."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            msg = "Input should be a valid number, unable to parse string as a number"
            problems.append(_problem(path, msg, "invalid"))
    elif not isinstance(value, int | float):
        problems.append(_problem(path, "Input should be a valid number", "wrong_type"))
    return value


def integer(minimum: int | None = None, maximum: int | None = None) -> Check:
    """A whole number within bounds (both allowed), or a string that spells one."""

    def check(value: object, path: str, problems: list[Problem]) -> object:
        if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value, re.ASCII):
            value = int(value)
        if not isinstance(value, int):
            msg = "Input should be a valid integer, unable to parse string as an integer"
            problems.append(_problem(path, msg, "invalid"))
        elif minimum is not None and value < minimum:
            problems.append(_problem(path, f"Input should be greater than or equal to {minimum}", "invalid"))
        elif maximum is not None and value > maximum:
            problems.append(_problem(path, f"Input should be less than or equal to {maximum}", "invalid"))
        return value

    return check


def one_of(*choices: str) -> Check:
    """One of these words."""

    def check(value: object, path: str, problems: list[Problem]) -> object:
        if value not in choices:
            pattern = f"^({'|'.join(choices)})$"
            problems.append(_problem(path, f"String should match pattern '{pattern}'", "invalid_format"))
        return value

    return check


def listing(of: Check) -> Check:
    """A list, each item checked."""

    def check(value: object, path: str, problems: list[Problem]) -> object:
        if not isinstance(value, list):
            problems.append(_problem(path, "Input should be a valid list", "wrong_type"))
            return value
        return [of(item, f"{path}.{index}", problems) for index, item in enumerate(value)]

    return check


def record(*fields: Field) -> Check:
    """An object with these fields; others are ignored."""

    def check(value: object, path: str, problems: list[Problem]) -> object:
        if not isinstance(value, dict):
            problems.append(_problem(path, _NOT_AN_OBJECT, "wrong_type"))
            return {}
        checked: dict[str, object] = {}
        for field in fields:
            where = f"{path}.{field.name}" if path else field.name
            if field.name not in value:
                if field.required:
                    problems.append(_problem(where, "Field required", "missing"))
                checked[field.name] = field.default
            elif value[field.name] is None and field.nullable and not field.required:
                checked[field.name] = None
            else:
                checked[field.name] = field.check(value[field.name], where, problems)
        return checked

    return check


def parse_json(body: Body | None, content_type: str) -> object:
    """The content of a request: what its JSON says, None where there is nothing.

    Something that does not call itself JSON is taken for text, which no route accepts.

    Raises:
        ApiError: it calls itself JSON and is not; the field is then the offset of the mistake.
    """
    content = b"".join(body.chunks()) if body else b""
    if not content:
        return None
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        return content.decode("utf-8", "replace")
    try:
        parsed: object = json.loads(content)
    except json.JSONDecodeError as error:
        raise _invalid([_problem(str(error.pos), "JSON decode error", "invalid_json")]) from None
    except (ValueError, RecursionError):
        raise _invalid([_problem("0", "JSON decode error", "invalid_json")]) from None
    return [] if parsed is None else parsed


def validate(query: tuple[Field, ...], query_string: str, body: Check | None, content: object) -> tuple[Fields, Fields]:
    """Check the query and the body of a request together.

    Args:
        query: the fields of the query; others are ignored.
        query_string: the query, percent-encoded.
        body: what the body must be; None for a route without one.
        content: the body as :func:`parse_json` returned it.

    Raises:
        ApiError: 422 ``INVALID_PARAMS`` with every problem in ``validation_errors``.
    """
    problems: list[Problem] = []
    sent = dict(parse_qsl(query_string, keep_blank_values=True))
    checked_query = record(*query)(sent, "query", problems)
    checked_body: object = {}
    if body is not None:
        if content is None:
            problems.append(_problem("", "Field required", "missing"))
        else:
            checked_body = body(content, "", problems)
    if problems:
        raise _invalid(problems)
    return (
        Fields(checked_query if isinstance(checked_query, dict) else None),
        Fields(checked_body if isinstance(checked_body, dict) else None),
    )


def _invalid(problems: list[Problem]) -> ApiError:
    message = f"Validation failed: {len(problems)} error(s)"
    return ApiError(422, "INVALID_PARAMS", message, {"validation_errors": problems})
