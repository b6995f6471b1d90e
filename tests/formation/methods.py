"""Every method of a formation client that has a route of its own, and the calls that they make."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from marshmallow import Schema

from muxi.call import Call
from muxi.client.endpoints import AnyEndpoint, Endpoint, operation, pages, procedure, stream
from muxi.formation import FormationOperations

#: What a method is given where a text will not do.
SAMPLES: Mapping[str, Any] = {
    "batch": {"batch_id": "b", "events": [{}]},
    "data": {},
    "identifiers": ["a"],
    "items": [{"content": "c", "source": "s"}],
    "messages": [{"role": "user", "content": "c", "timestamp": "t"}],
    "schema": Schema,
    "payload": {"message": "m", "files": []},
    "sign": lambda message: b"signature",
}


@cache
def endpoints(kind: type[AnyEndpoint] = Endpoint) -> dict[str, AnyEndpoint]:
    """The methods by name."""
    found = {
        name: inspect.getattr_static(FormationOperations, name)
        for name in dir(FormationOperations)
        if name != "request"
    }
    return {name: endpoint for name, endpoint in found.items() if isinstance(endpoint, kind)}


def sample(endpoint: AnyEndpoint, **chosen: Any) -> dict[str, Any]:
    """Arguments for all that a method requires, and a user if it takes one."""
    parameters = list(inspect.signature(endpoint._describe).parameters.values())[1:]
    required = {
        parameter.name: SAMPLES.get(parameter.name, "x")
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }
    if any(parameter.name == "user_id" for parameter in parameters):
        required["user_id"] = "ada"
    return {**required, **chosen}


@cache
def calls() -> dict[str, Call[Any]]:
    """The calls that methods make by themselves, by name: no calls of other methods."""
    made: dict[str, Call[Any]] = {}
    for name, endpoint in endpoints().items():
        if isinstance(endpoint, operation | stream):
            made[name] = endpoint._call(**sample(endpoint))
        elif isinstance(endpoint, procedure | pages):
            steps = endpoint._describe(None, **sample(endpoint, **_FIRST_STEP.get(name, {})))
            first = next(steps)
            steps.close()
            if isinstance(first, Call) and first.operation == name:
                made[name] = first
    return made


#: What makes the first call of a procedure the one of its own.
_FIRST_STEP: Mapping[str, Mapping[str, Any]] = {
    "update_scheduler_job": {"message": "x"},
    "wait_for_memory_job": {"job_id": "rebuild_x"},
}
