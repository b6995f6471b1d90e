"""Payload schemas by operation: the check of a request before it is sent, and of an answer after it has arrived.

Tests compiled from types come first; marshmallow is loaded for the first payload that fails them, and explains why.
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
from muxi.call import Call, invalid_parameter
from muxi.errors import ConfigurationError, ValidationError
from muxi.forks import renew_after_fork
from muxi.lazy import LazyModule
from muxi.redact import show_value
from muxi.schemas.payloads import payload_type
from muxi.schemas.shapes import fits, is_record, misfits
from muxi.transport.arguments import check_arguments

if TYPE_CHECKING:
    import marshmallow
else:
    marshmallow = LazyModule("marshmallow")  # in annotations

__all__ = ["SchemaRegistry"]

#: The schemas that calls name, each with its module of this package.
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

#: Number of wrong fields that a message names; the details have all.
_MAX_NAMED = 10

#: Number of mismatches of one call that are logged: names of fields in an answer may be new each time.
_MAX_LOGGED = 20

_POSITION = re.compile(r"\.\d+(?=\.|$)")


class SchemaRegistry:
    """The schemas of one client: the SDK's, and those that its plugins replace or add.

    Args:
        logger: receives a warning for each answer that does not fit; ``muxi`` if None.
    """

    @check_arguments()
    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._requests = _Checks(_request_schema)
        self._responses = _Checks(_response_schema)
        self._logger = logger or logging.getLogger("muxi")
        #: The mismatches logged so far, by call.
        self._reported: dict[str, set[str]] = {}
        #: The places of the mismatches that need no further explanation, by call.
        self._explained: dict[str, set[frozenset[tuple[str, str]]]] = {}
        self._lock = threading.Lock()
        renew_after_fork(self, "_lock")

    def replace_request(self, operation: str, schema: marshmallow.Schema | type[marshmallow.Schema]) -> None:
        """Replace the schema that checks the requests of an operation.

        Args:
            operation: the method's name, such as ``chat``.
            schema: a marshmallow schema, or its class.
        """
        self._requests.replace(operation, schema)

    def tighten_request(self, operation: str, schema: marshmallow.Schema | type[marshmallow.Schema]) -> None:
        """Add a schema that checks the requests of an operation. Fields that it does not know are let through.

        Args:
            operation: the method's name.
            schema: a marshmallow schema, or its class.
        """
        self._requests.tighten(operation, schema)

    def replace_response(self, operation: str, schema: marshmallow.Schema | type[marshmallow.Schema]) -> None:
        """Replace the schema that checks the answers of an operation.

        Answers are only validated: the result is the platform's data, not what the schema would load it into.

        Args:
            operation: the method's name, such as ``get_memories``.
            schema: a marshmallow schema, or its class.
        """
        self._responses.replace(operation, schema)

    def tighten_response(self, operation: str, schema: marshmallow.Schema | type[marshmallow.Schema]) -> None:
        """Add a schema that checks the answers of an operation. Fields that it does not know are let through.

        Args:
            operation: the method's name.
            schema: a marshmallow schema, or its class.
        """
        self._responses.tighten(operation, schema)

    def check_request(self, call: Call[Any]) -> None:
        """Check the body of a call.

        Raises:
            ValidationError: the body does not fit; ``details["validation_errors"]`` has every wrong field.
        """
        fitting = call.accepts is None or _request_fits(call.accepts, call.body)
        problems = self._requests.problems(call.operation, call.accepts, call.body, fitting=fitting)
        if problems:
            raise ValidationError("INVALID_PAYLOAD", _summarize(problems), details={"validation_errors": problems})
        if call.accepts is not None and not fitting:
            self._report_spelling(call, call.accepts)

    def _report_spelling(self, call: Call[Any], schema: str) -> None:
        """Log, once each, the unknown fields of a body that look like misspelt ones. They are sent."""
        from muxi.schemas.spelling import misspelt_fields  # only for a body with an unknown field

        for field, near in misspelt_fields(schema, call.body):
            if self._record_mismatch(call, [{"field": field, "msg": near}]):
                self._logger.warning("%s: the platform knows no field %r; did you mean %r?", call.label, field, near)

    def check_response(self, call: Call[Any], data: Any, *, strict: bool = False) -> None:
        """Check the data of an answer, which stays as it is. Each kind of mismatch is logged once.

        Args:
            call: the call that was answered.
            data: the data of the answer.
            strict: whether to raise instead of logging a warning.

        Raises:
            ValidationError: the data does not fit; ``details["validation_errors"]`` has every wrong field.
        """
        fitting = call.returns is None or _response_fits(call.returns, data)
        places = None if strict or fitting else self._responses.places(call.operation, call.returns, data)
        if places is not None and self._needs_no_explanation(call.label, places):
            return
        problems = self._responses.problems(call.operation, call.returns, data, fitting=fitting)
        if places is not None:
            self._note_explained(call.label, places)
        if not problems:
            return
        if strict:
            raise ValidationError(
                "INVALID_ANSWER",
                f"the answer does not have the documented form: {_summarize(problems)}",
                details={"validation_errors": problems},
            )
        if self._record_mismatch(call, problems):
            self._logger.warning(
                "%s: the answer does not have the documented form, and is returned unchanged: %s",
                call.label,
                _summarize(problems),
            )

    def _needs_no_explanation(self, label: str, places: frozenset[tuple[str, str]]) -> bool:
        """Tell whether answers of this kind have been explained before, or enough of this call's have been."""
        return places in self._explained.get(label, ()) or len(self._reported.get(label, ())) == _MAX_LOGGED

    def _note_explained(self, label: str, places: frozenset[tuple[str, str]]) -> None:
        """Remember where an answer did not fit, so that the next one of its kind is not explained again."""
        with self._lock:
            explained = self._explained.setdefault(label, set())
            if len(explained) < _MAX_LOGGED:
                explained.add(places)

    def _record_mismatch(self, call: Call[Any], problems: list[dict[str, str]]) -> bool:
        """Remember a kind of mismatch; false where it was logged before, or the call has had enough of them."""
        # Positions in lists do not make a mismatch a new one.
        kind = "\n".join(sorted({_POSITION.sub(".*", f".{it['field']}") + it["msg"] for it in problems}))
        with self._lock:
            reported = self._reported.setdefault(call.label, set())
            if kind in reported or len(reported) == _MAX_LOGGED:
                return False
            reported.add(kind)
            return True


class _Checks:
    """The checks of requests, or of answers: the SDK's, and by operation those that replace or complete them.

    Args:
        load: returns the SDK's schema of a name.
    """

    def __init__(self, load: Callable[[str], marshmallow.Schema]) -> None:
        self._load = load
        self._replaced: dict[str, marshmallow.Schema] = {}
        self._beside: dict[str, list[marshmallow.Schema]] = {}

    def replace(self, operation: str, schema: marshmallow.Schema | type[marshmallow.Schema]) -> None:
        self._replaced[operation] = _made(schema)

    def tighten(self, operation: str, schema: marshmallow.Schema | type[marshmallow.Schema]) -> None:
        from muxi.schemas.lenient import lenient  # marshmallow is loaded: the schema is made with it

        self._beside.setdefault(operation, []).append(lenient(_made(schema)))

    def places(self, operation: str, shipped: str | None, data: Any) -> frozenset[tuple[str, str]] | None:
        """Return where an answer does not fit the SDK's type; None where other schemas decide."""
        if shipped is None or operation in self._replaced or operation in self._beside:
            return None
        return frozenset(misfits(getattr(types, shipped), data))

    def problems(self, operation: str, shipped: str | None, data: Any, *, fitting: bool) -> list[dict[str, str]]:
        """Return each wrong field of a payload with its problem.

        Args:
            operation: the operation that sends or receives it.
            shipped: name of the SDK's schema, if there is one.
            data: the payload.
            fitting: whether it fits the SDK's schema; false where only the schema can decide.
        """
        schemas = list(self._beside.get(operation, ()))
        if operation in self._replaced:
            schemas.insert(0, self._replaced[operation])
        elif shipped is not None and not fitting:
            schemas.insert(0, self._load(shipped))
        return [problem for schema in schemas for problem in _problems(schema, data)]


def _made(schema: marshmallow.Schema | type[marshmallow.Schema]) -> marshmallow.Schema:
    """Return the schema, made from its class where it is one.

    Raises:
        ConfigurationError: it is neither.
    """
    from marshmallow import Schema

    made: object = schema() if isinstance(schema, type) and issubclass(schema, Schema) else schema
    if not isinstance(made, Schema):
        raise ConfigurationError(f"schema= takes a marshmallow schema, or its class, got {type(schema).__name__}")
    return made


@cache
def _request_schema(name: str) -> marshmallow.Schema:
    if name not in _MODULES:
        raise invalid_parameter("accepts", f"takes the name of a schema of the SDK, got {show_value(name)}")
    schema: type[marshmallow.Schema] = getattr(import_module(f"muxi.schemas.{_MODULES[name]}"), f"{name}Schema")
    return schema()


@cache
def _response_schema(name: str) -> marshmallow.Schema:
    from muxi.schemas.responses import response_schema

    return response_schema(name)()


def _request_fits(name: str, body: object) -> bool:
    hint = payload_type(name)
    return hint is not None and type(body) is dict and fits(hint, closed=True)(body)


def _response_fits(name: str, data: object) -> bool:
    record: object = getattr(types, name, None)
    return not is_record(record) or fits(record)(data)


def _summarize(problems: list[dict[str, str]]) -> str:
    named = ", ".join(f"{it['field'] or 'the body'}: {it['msg']}" for it in problems[:_MAX_NAMED])
    return f"{named}, and {len(problems) - _MAX_NAMED} more" if len(problems) > _MAX_NAMED else named


def _problems(schema: marshmallow.Schema, body: Any) -> Iterator[dict[str, str]]:
    if isinstance(body, Mapping) and (unusable := [name for name in body if not isinstance(name, str)]):
        # marshmallow fails on them.
        yield from ({"field": str(name), "msg": "The name of a field must be a text."} for name in unusable)
    else:
        # Without the fallbacks that a result has for missing keys.
        yield from flatten(schema.validate(dict(body) if isinstance(body, Mapping) else body))


def flatten(errors: Mapping[Any, Any] | list[Any], path: str = "") -> Iterator[dict[str, str]]:
    """Yield marshmallow's nested messages one by one, with dotted paths as the wire has them."""
    if isinstance(errors, Mapping):
        for key, value in errors.items():
            # Messages about the whole are under "_schema".
            own = "" if key == "_schema" else str(key)
            yield from flatten(value, f"{path}.{own}" if path and own else path or own)
    else:
        for message in errors:
            yield {"field": path, "msg": str(message)}
