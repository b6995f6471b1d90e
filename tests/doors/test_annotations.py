"""The annotations of everything public can be evaluated, as tools for documentation and injection do."""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

#: The modules that users import from.
DOORS = (
    "muxi",
    "muxi.answers",
    "muxi.batch",
    "muxi.bundles",
    "muxi.call",
    "muxi.clock",
    "muxi.config",
    "muxi.context",
    "muxi.errors",
    "muxi.formation",
    "muxi.hookspecs",
    "muxi.plugins",
    "muxi.registry",
    "muxi.result",
    "muxi.schemas",
    "muxi.server",
    "muxi.streaming.call",
    "muxi.streaming.streams",
    "muxi.testing.transport_suite",
    "muxi.transport",
    "muxi.types",
    "muxi.webhook",
    "muxi.widgets",
    "muxi_transports.aiohttp",
    "muxi_transports.around",
    "muxi_transports.asgi",
    "muxi_transports.failover",
    "muxi_transports.faulty",
    "muxi_transports.memory",
    "muxi_transports.recorded",
    "muxi_transports.requests",
    "muxi_transports.routing",
    "muxi_transports.urllib3",
    "muxi_transports.wsgi",
)

#: Names of libraries that are loaded only by what uses them, so that an annotation cannot be evaluated without them.
LOADED_LATER = {"TracerProvider": "OpenTelemetry is an extra"}


def public_callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    for door in DOORS:
        module = importlib.import_module(door)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield f"{door}.{name}", value
            elif inspect.isclass(value):
                yield f"{door}.{name}", value
                yield from methods(f"{door}.{name}", value)


def methods(label: str, cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, value in inspect.getmembers(cls):
        if (name == "__init__" or not name.startswith("_")) and inspect.isfunction(value):
            yield f"{label}.{name}", value
        elif isinstance(value, property) and value.fget:
            yield f"{label}.{name}", value.fget


FOUND = dict(public_callables())


def test_there_is_much_to_look_at() -> None:
    assert len(FOUND) > 1000
    assert {"muxi.FormationClient.__init__", "muxi.AsyncServerClient.with_options", "muxi.Context"} <= FOUND.keys()


@pytest.mark.parametrize("evaluate", [typing.get_type_hints, partial(inspect.signature, eval_str=True)])
def test_hints_and_signatures_can_be_evaluated(evaluate: Callable[[object], object]) -> None:
    wrong = []
    for label, value in FOUND.items():
        try:
            evaluate(value)
        except NameError as error:
            if error.name not in LOADED_LATER:
                wrong.append(f"{label}: {error}")
        except TypeError as error:
            wrong.append(f"{label}: {error}")
        except ValueError as error:
            if "no signature found" not in str(error):  # that of a class written in C
                raise
    assert not wrong
