"""The function that loads data for a schema or model of a caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from muxi.answers import Loads, Model
from muxi.errors import ValidationError

__all__ = ["loader_of"]

T = TypeVar("T")


def loader_of(schema: Model[T] | Loads[T] | type[Loads[T]]) -> Callable[[Any], T]:
    """Return the function that loads plain data: a model's ``model_validate``, or a schema's ``load``.

    Raises:
        ValidationError: it has neither; nothing has been sent.
    """
    validate: Any = getattr(schema, "model_validate", None)
    if callable(validate):
        return cast("Callable[[Any], T]", validate)
    made: object = schema() if isinstance(schema, type) and callable(getattr(schema, "load", None)) else schema
    load: Any = getattr(made, "load", None)
    if not callable(load) or isinstance(made, type):
        name = schema.__name__ if isinstance(schema, type) else type(schema).__name__
        raise ValidationError(
            "INVALID_PARAMETER",
            f"schema takes a pydantic model, a marshmallow schema, or something else with a load(), got {name}",
            details={"validation_errors": [{"field": "schema", "msg": "has no load() and no model_validate()"}]},
        )
    return cast("Callable[[Any], T]", load)
