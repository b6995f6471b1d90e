"""Payload schemas by operation: what is sent is checked before it is, what comes back when it has come.

marshmallow is loaded for the first payload that does not obviously fit.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from muxi import types
from muxi.errors import ValidationError
from muxi.schemas.plain import surely_fits
from muxi.schemas.shapes import fits, is_record

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

#: How many wrong fields a message names; the details have all.
_MOST_TOLD = 10

#: How many different mismatches of one call are reported: names in an answer may be new each time.
_MOST_REPORTED = 20

_POSITION = re.compile(r"\.\d+(?=\.|$)")


class SchemaRegistry:
    """The schemas of one client: the SDK's, and what its plugins put in their place or beside them.

    Args:
        logger: where answers that do not fit are reported; ``muxi`` if None.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._requests = _Checks(surely_fits, _request_schema)
        self._responses = _Checks(_surely_answers, _response_schema)
        self._logger = logger or logging.getLogger("muxi")
        #: By call, the mismatches that were reported.
        self._reported: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def replace_request(self, operation: str, schema: Schema | type[Schema]) -> None:
        """Check the payloads of an operation against this schema, and no longer against the SDK's.

        Args:
            operation: the method's name, such as ``chat``.
            schema: a marshmallow schema, or its class.
        """
        self._requests.replace(operation, schema)

    def tighten_request(self, operation: str, schema: Schema | type[Schema]) -> None:
        """Check the payloads of an operation against this schema too; fields that it does not know are let through.

        Args:
            operation: the method's name.
            schema: a marshmallow schema, or its class.
        """
        self._requests.tighten(operation, schema)

    def replace_response(self, operation: str, schema: Schema | type[Schema]) -> None:
        """Check what an operation returns against this schema, and no longer against the SDK's.

        It is only checked: the result stays what the platform sent, whatever the schema would make of it.

        Args:
            operation: the method's name, such as ``get_memories``.
            schema: a marshmallow schema, or its class.
        """
        self._responses.replace(operation, schema)

    def tighten_response(self, operation: str, schema: Schema | type[Schema]) -> None:
        """Check what an operation returns against this schema too; fields that it does not know are let through.

        Args:
            operation: the method's name.
            schema: a marshmallow schema, or its class.
        """
        self._responses.tighten(operation, schema)

    def check_request(self, call: Call[Any]) -> None:
        """Check the body of a call.

        Raises:
            ValidationError: it does not fit; ``details["validation_errors"]`` has every wrong field.
        """
        problems = self._requests.problems(call.operation, call.accepts, call.body)
        if problems:
            raise ValidationError("INVALID_PAYLOAD", _told(problems), details={"validation_errors": problems})

    def check_response(self, call: Call[Any], data: Any, *, strict: bool = False) -> None:
        """Check what an answer has in it. Nothing is changed or lost; of each mismatch one warning is logged.

        Args:
            call: what was asked.
            data: the data of the answer.
            strict: raise in place of the warning.

        Raises:
            ValidationError: it does not fit; ``details["validation_errors"]`` has every wrong field.
        """
        problems = self._responses.problems(call.operation, call.returns, data)
        if not problems:
            return
        if strict:
            raise ValidationError(
                "INVALID_ANSWER",
                f"the answer is not what it should be: {_told(problems)}",
                details={"validation_errors": problems},
            )
        if self._is_new(call, problems):
            self._logger.warning(
                "%s: the answer is not what it should be, and is handed over as it is: %s", call.label, _told(problems)
            )

    def _is_new(self, call: Call[Any], problems: list[dict[str, str]]) -> bool:
        """Whether that was not reported before; a call that is wrong in ever new ways has been reported enough."""
        # Of a long list the tenth item has what the first has: positions make no new mismatch.
        kind = "\n".join(sorted({_POSITION.sub(".*", f".{it['field']}") + it["msg"] for it in problems}))
        with self._lock:
            reported = self._reported.setdefault(call.label, set())
            if kind in reported or len(reported) == _MOST_REPORTED:
                return False
            reported.add(kind)
            return True


class _Checks:
    """The checks of one direction: the SDK's, and by operation what is in their place and beside them.

    Args:
        surely_fits: tells by a schema's name whether data fits it for certain, so that it need not be loaded.
        load: the SDK's schema of a name.
    """

    def __init__(self, surely_fits: Callable[[str, object], bool], load: Callable[[str], Schema]) -> None:
        self._surely_fits = surely_fits
        self._load = load
        self._replaced: dict[str, Schema] = {}
        self._beside: dict[str, list[Schema]] = {}

    def replace(self, operation: str, schema: Schema | type[Schema]) -> None:
        self._replaced[operation] = schema() if isinstance(schema, type) else schema

    def tighten(self, operation: str, schema: Schema | type[Schema]) -> None:
        from muxi.schemas.lenient import lenient  # whoever has made a schema has loaded marshmallow

        self._beside.setdefault(operation, []).append(lenient(schema() if isinstance(schema, type) else schema))

    def problems(self, operation: str, shipped: str | None, data: Any) -> list[dict[str, str]]:
        """What is wrong with some data.

        Args:
            operation: whose data it is.
            shipped: the name of the SDK's schema for it, if there is one.
            data: what is sent, or has come.
        """
        schemas = list(self._beside.get(operation, ()))
        if operation in self._replaced:
            schemas.insert(0, self._replaced[operation])
        elif shipped is not None and not self._surely_fits(shipped, data):
            schemas.insert(0, self._load(shipped))
        return [problem for schema in schemas for problem in _problems(schema, data)]


@cache
def _request_schema(name: str) -> Schema:
    schema: type[Schema] = getattr(import_module(f"muxi.schemas.{_MODULES[name]}"), f"{name}Schema")
    return schema()


@cache
def _response_schema(name: str) -> Schema:
    from muxi.schemas.responses import response_schema

    return response_schema(name)()


def _surely_answers(name: str, data: object) -> bool:
    """Whether data has the shape of a type for certain, and no schema needs to look at it."""
    record: object = getattr(types, name, None)
    return not is_record(record) or fits(record)(data)


def _told(problems: list[dict[str, str]]) -> str:
    told = ", ".join(f"{it['field'] or 'the body'}: {it['msg']}" for it in problems[:_MOST_TOLD])
    return f"{told}, and {len(problems) - _MOST_TOLD} more" if len(problems) > _MOST_TOLD else told


def _problems(schema: Schema, body: Any) -> Iterator[dict[str, str]]:
    if isinstance(body, Mapping) and (strange := [name for name in body if not isinstance(name, str)]):
        # marshmallow stumbles over them.
        yield from ({"field": str(name), "msg": "Not a text, as the names of fields are."} for name in strange)
    else:
        # A result looks further than its data where a key is missing; a schema is not to.
        yield from flatten(schema.validate(dict(body) if isinstance(body, Mapping) else body))


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
