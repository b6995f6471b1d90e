"""Payload schemas by operation, checked before anything is sent. marshmallow is loaded at the first check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from muxi.errors import ValidationError
from muxi.schemas.plain import surely_fits

if TYPE_CHECKING:
    from marshmallow import Schema

    from muxi.call import Call

__all__ = ["SchemaRegistry"]

#: The schemas that calls name, and the module of this package that has each.
_MODULES = {
    "AudioChatRequest": "chat",
    "ChatRequest": "chat",
    "ChannelsUpdate": "users",
    "CredentialCreate": "credentials",
    "DistilledBatch": "memory_jobs",
    "DistilleryRegister": "memory_jobs",
    "IdentifiersLink": "users",
    "KnowledgeRebuild": "agents",
    "KnowledgeSync": "agents",
    "MemoryBackfill": "memory_jobs",
    "MemoryBatch": "memory",
    "MemoryCreate": "memory",
    "MemoryForget": "memory_jobs",
    "MemoryIngest": "memory",
    "MemoryLint": "memory_jobs",
    "MemoryRebuild": "memory_jobs",
    "NotificationRequest": "users",
    "SchedulerJobCreate": "scheduler",
    "SchedulerJobUpdate": "scheduler",
    "SecretCreate": "secrets",
    "SecretUpdate": "secrets",
    "SessionRestore": "sessions",
    "TriggerRequest": "triggers",
    "TuningReplace": "tuning",
    "UserResolve": "users",
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
        schema = self._own.get(call.operation)
        if schema is None:
            if call.accepts is None or surely_fits(call.accepts, call.body):
                return
            schema = _shipped(call.accepts)
        problems = list(_problems(schema, call.body))
        if problems:
            fields = ", ".join(f"{problem['field'] or 'the body'}: {problem['msg']}" for problem in problems)
            raise ValidationError("INVALID_PAYLOAD", fields, details={"validation_errors": problems})


_loaded: dict[str, Schema] = {}


def _shipped(name: str) -> Schema:
    if name not in _loaded:
        schema: type[Schema] = getattr(import_module(f"muxi.schemas.{_MODULES[name]}"), f"{name}Schema")
        _loaded[name] = schema()
    return _loaded[name]


def _problems(schema: Schema, body: Any) -> Iterator[dict[str, str]]:
    if isinstance(body, Mapping) and (strange := [name for name in body if not isinstance(name, str)]):
        # marshmallow stumbles over them.
        yield from ({"field": str(name), "msg": "Not a text, as the names of fields are."} for name in strange)
    else:
        yield from flatten(schema.validate(body))


def flatten(errors: Mapping[Any, Any] | list[Any], path: str = "") -> Iterator[dict[str, str]]:
    """marshmallow's nested complaints as one line each, with dotted paths as the wire has them."""
    if isinstance(errors, Mapping):
        for key, value in errors.items():
            # Complaints about the whole are under "_schema".
            own = "" if key == "_schema" else str(key)
            yield from flatten(value, f"{path}.{own}" if path and own else path or own)
    else:
        for message in errors:
            yield {"field": path, "msg": str(message)}
