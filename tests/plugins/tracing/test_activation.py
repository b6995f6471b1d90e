"""Who is traced: a program that has imported OpenTelemetry, one that asks for it, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from muxi import ConfigurationError
from muxi.plugins import Tracing
from tests.answers import Colour, Playback, answer
from tests.plugins.tracing.telemetry import Telemetry

CALLS = """
import asyncio, sys
from muxi import AsyncFormationClient, FormationClient

SETTINGS = dict(transport="memory", url="http://memory", client_key="any")

def calls(**more):
    with FormationClient(**SETTINGS, **more) as client:
        client.health()
        client.chat_stream("hi", user_id="ada").result()

async def async_calls():
    async with AsyncFormationClient(**SETTINGS) as client:
        await client.health()
        await client.chat_stream("hi", user_id="ada").result()
"""

RECORDING = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()

def record():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)

def names():
    return [span.name for span in exporter.get_finished_spans()]
"""


def program(code: str, **variables: str) -> str:
    """What a program of its own prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MUXI_", "OTEL_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=environment | variables,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_a_program_without_opentelemetry_loads_none_of_it() -> None:
    code = f"{CALLS}\ncalls()\nasyncio.run(async_calls())\n"
    loaded = "print([name for name in sys.modules if name.startswith('opentelemetry') or 'plugins.tracing' in name])"
    assert program(code + loaded) == "[]"


@pytest.mark.slow  # each case starts an interpreter
def test_the_name_alone_loads_nothing() -> None:
    code = "import sys; from muxi.plugins import Tracing; print('opentelemetry' in sys.modules)"
    assert program(code) == "False"


def test_a_program_that_has_imported_it_is_traced_without_asking() -> None:
    code = f"{RECORDING}{CALLS}\nrecord()\ncalls()\nasyncio.run(async_calls())\nprint(*names(), sep=';')"
    once = "GET /v1/health;muxi.health;POST /v1/chat;invoke_agent"
    assert program(code) == f"{once};{once}"


@pytest.mark.slow  # each case starts an interpreter
def test_a_provider_may_come_after_the_client() -> None:
    code = f"""{RECORDING}{CALLS}
client = FormationClient(**SETTINGS)
client.health()
record()
client.health()
client.close()
print(*names(), sep=";")
"""
    assert program(code) == "GET /v1/health;muxi.health"


@pytest.mark.slow  # each case starts an interpreter
@pytest.mark.parametrize(
    ("variables", "more"),
    [({"MUXI_TRACING": "0"}, ""), ({"MUXI_TRACING": "off"}, ""), ({}, "disable_plugins=['muxi.tracing']")],
)
def test_it_can_be_switched_off(variables: dict[str, str], more: str) -> None:
    assert program(f"{RECORDING}{CALLS}\nrecord()\ncalls({more})\nprint(names())", **variables) == "[]"


@pytest.mark.slow  # each case starts an interpreter
def test_an_api_that_cannot_be_loaded_is_no_reason_to_fail() -> None:
    # As a namespace it may be there with something else in it; and its settings may name what is not installed.
    bare = "import sys, types; sys.modules['opentelemetry'] = types.ModuleType('opentelemetry')"
    assert program(f"{bare}\n{CALLS}\ncalls()\nprint('done')") == "done"
    wrong = "import logging; logging.disable()\nimport opentelemetry\n"
    assert program(f"{wrong}{CALLS}\ncalls()\nprint('done')", OTEL_PROPAGATORS="nobody-has-this") == "done"


@pytest.mark.slow  # each case starts an interpreter
def test_asking_for_it_where_it_is_missing_names_the_extra() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
from muxi import ConfigurationError
from muxi.plugins import Tracing
try:
    Tracing()
except ConfigurationError as error:
    print(error.message)
"""
    assert program(code) == "tracing needs OpenTelemetry: pip install 'muxi-client[tracing]'"


def test_ones_own_takes_the_place_of_the_built_in(telemetry: Telemetry, colour: Colour) -> None:
    play = Playback(answer())
    client: Any = colour.formation(play, plugins=[telemetry.tracing()])
    colour.run(client.health)
    assert len(telemetry.spans) == 2
    assert len(play.request.headers.get_all("traceparent")) == 1


def test_the_variable_switches_ones_own_off_too(
    telemetry: Telemetry, colour: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUXI_TRACING", "0")
    colour.run(colour.formation(answer(), plugins=[telemetry.tracing()]).health)
    assert telemetry.spans == ()


def test_providers_of_the_wrong_kind_are_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="tracer_provider= takes an opentelemetry TracerProvider, got str"):
        Tracing("http://collector:4318")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ConfigurationError, match="meter_provider="):
        Tracing(meter_provider=object())  # type: ignore[arg-type]  # likewise
