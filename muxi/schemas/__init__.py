"""Payload schemas by operation, checked before anything is sent. marshmallow is loaded at the first check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from muxi.errors import ValidationError

if TYPE_CHECKING:
    from marshmallow import Schema

    from muxi.call import Call

__all__ = ["SchemaRegistry"]

#: The schemas that calls name, and the module of this package that has each.
_MODULES = {
    "ChatRequest": "chat",
    "MemoryCreate": "memory",
    "SessionRestore": "sessions",
}


class SchemaRegistry:
    """The schemas of one client: the SDK's, and what its plugins put in their place."""

    def __init__(self) -> None:
        self._own: dict[str, Schema] = {}

    def register(self, operation: str, schema: Schema | type[Schema]) -> None:
        """Check the payloads of an operation against this schema from now on.

        Args:
            operation: the method's name, such as ``chat``.
            schema: a marshmallow schema, or its class; subclass the SDK's own to tighten it.
        """
        self._own[operation] = schema() if isinstance(schema, type) else schema

    def check_request(self, call: Call[Any]) -> None:
        """Check the body of a call.

        Raises:
            ValidationError: it does not fit; ``details["validation_errors"]`` has every wrong field.
        """
        schema = self._own.get(call.operation) or _shipped(call.accepts)
        if schema is None:
            return
        problems = list(_flatten(schema.validate(call.body)))
        if problems:
            fields = ", ".join(f"{problem['field'] or 'the body'}: {problem['msg']}" for problem in problems)
            raise ValidationError("INVALID_PAYLOAD", fields, details={"validation_errors": problems})


_loaded: dict[str, Schema] = {}


def _shipped(name: str | None) -> Schema | None:
    if name is None:
        return None
    if name not in _loaded:
        schema: type[Schema] = getattr(import_module(f"muxi.schemas.{_MODULES[name]}"), f"{name}Schema")
        _loaded[name] = schema()
    return _loaded[name]


def _flatten(errors: Mapping[Any, Any] | list[Any], path: str = "") -> Iterator[dict[str, str]]:
    """marshmallow's nested complaints as one line each, with dotted paths as the wire has them."""
    if isinstance(errors, Mapping):
        for key, value in errors.items():
            # Complaints about the whole are under "_schema", about dict values under "value".
            own = "" if key in ("_schema", "value", "key") else str(key)
            yield from _flatten(value, f"{path}.{own}" if path and own else path or own)
    else:
        for message in errors:
            yield {"field": path, "msg": str(message)}
