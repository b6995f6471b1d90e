"""Over real HTTP, beside the instrumentations of requests, urllib3 and aiohttp: nothing is recorded twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import requests
from opentelemetry import context
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled, is_instrumentation_enabled
from opentelemetry.trace import SpanKind

from muxi import AsyncFormationClient, Context, FormationClient, NotFoundError, hookimpl
from muxi.transport import BufferedResponse, Request
from muxi_transports.memory import EmbeddedFormation, serve
from muxi_transports.requests import RequestsTransport
from tests.answers import Colour, answer
from tests.plugins.tracing.telemetry import Telemetry, attributes

#: What a chat, a stream and a call that fails have to leave, and nothing else.
RECORDED = sorted(
    [
        *("muxi.health", "GET /v1/health"),
        *("invoke_agent", "POST /v1/chat") * 2,
        *("muxi.get_request_status", "GET /v1/requests/{request_id}"),
    ]
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A formation behind a real port."""
    with serve(EmbeddedFormation()) as served:
        yield served.url


@pytest.fixture
def instrumented(telemetry: Telemetry) -> Iterator[None]:
    """The libraries as a program instruments them, recording to the same place."""
    instrumentors: list[Any] = [RequestsInstrumentor(), URLLib3Instrumentor(), AioHttpClientInstrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider)
    yield
    for instrumentor in instrumentors:
        instrumentor.uninstrument()


def sync_calls(url: str, telemetry: Telemetry, **settings: Any) -> None:
    tracing = telemetry.tracing(suppress_http=settings.pop("suppress_http", True))
    plugins = [*settings.pop("plugins", ()), tracing]
    with FormationClient(url=url, client_key="any", plugins=plugins, **settings) as client:
        before = context.get_current()
        client.health()
        client.chat("hi", user_id="ada")
        for _ in client.chat_stream("hi", user_id="ada"):
            assert context.get_current() is before
        with pytest.raises(NotFoundError):
            client.get_request_status("nobody", user_id="ada")
        assert context.get_current() is before


def sync_calls_in_a_session(url: str, telemetry: Telemetry, **settings: Any) -> None:
    with requests.Session() as session:
        sync_calls(url, telemetry, transport=RequestsTransport(session=session), **settings)


def async_calls(url: str, telemetry: Telemetry, **settings: Any) -> None:
    tracing = telemetry.tracing(suppress_http=settings.pop("suppress_http", True))
    plugins = [*settings.pop("plugins", ()), tracing]

    async def scenario() -> None:
        async with AsyncFormationClient(url=url, client_key="any", plugins=plugins, **settings) as client:
            before = context.get_current()
            await client.health()
            await client.chat("hi", user_id="ada")
            async for _ in client.chat_stream("hi", user_id="ada"):
                assert context.get_current() is before
            with pytest.raises(NotFoundError):
                await client.get_request_status("nobody", user_id="ada")
            assert context.get_current() is before

    asyncio.run(scenario())


CALLS = pytest.mark.parametrize("calls", [sync_calls, sync_calls_in_a_session, async_calls], ids=lambda it: it.__name__)


@CALLS
@pytest.mark.usefixtures("instrumented")
def test_nothing_is_recorded_twice(calls: Callable[..., None], url: str, telemetry: Telemetry) -> None:
    calls(url, telemetry)
    assert sorted(telemetry.names) == RECORDED
    scopes = {span.instrumentation_scope.name for span in telemetry.spans if span.instrumentation_scope}
    assert scopes == {"muxi"}
    assert sum(point.count for point in telemetry.metrics["http.client.request.duration"]) == 4
    assert "http.client.duration" not in telemetry.metrics


@pytest.mark.parametrize("calls", [sync_calls_in_a_session, async_calls])  # the default transport passes them by
@pytest.mark.usefixtures("instrumented")
def test_they_would_be_without_a_word_to_the_others(calls: Callable[..., None], url: str, telemetry: Telemetry) -> None:
    calls(url, telemetry, suppress_http=False)
    others = [
        span for span in telemetry.spans if span.instrumentation_scope and span.instrumentation_scope.name != "muxi"
    ]
    assert len(others) >= 4
    attempts = {span.context.span_id for span in telemetry.spans if span.name in RECORDED and "v1" in span.name}
    assert {span.parent.span_id for span in others if span.parent} >= attempts, "below the attempts"


@CALLS
def test_real_attempts_say_where_they_went(calls: Callable[..., None], url: str, telemetry: Telemetry) -> None:
    calls(url, telemetry)
    attempt = telemetry.span("GET /v1/requests/{request_id}")
    assert attributes(attempt) == {
        "error.type": "404",
        "http.request.method": "GET",
        "http.response.status_code": 404,
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": int(url.rpartition(":")[2]),
        "url.full": f"{url}/v1/requests/nobody",
        "url.template": "/v1/requests/{request_id}",
    }
    assert attempt.start_time is not None
    assert attempt.end_time is not None
    assert attempt.end_time > attempt.start_time


@pytest.mark.parametrize("older", [False, True])
def test_an_older_instrumentation_of_aiohttp_is_kept_quiet_too(
    older: bool, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("opentelemetry.instrumentation.aiohttp_client")
    if not older:
        module.__dict__["is_http_instrumentation_enabled"] = is_http_instrumentation_enabled
    monkeypatch.setitem(sys.modules, module.__name__, module)
    enabled: list[tuple[bool, bool]] = []

    def look(request: Request) -> BufferedResponse:
        enabled.append((is_http_instrumentation_enabled(), is_instrumentation_enabled()))
        return answer()

    Colour().formation(look, plugins=[telemetry.tracing()]).health()
    assert enabled == [(False, not older)]


@pytest.mark.usefixtures("instrumented")
def test_what_another_plugin_asks_for_over_http_is_still_recorded(url: str, telemetry: Telemetry) -> None:
    class Vault:
        @hookimpl
        def muxi_prepare_request(self, request: Request, context: Context) -> None:
            request.headers["X-Token"] = requests.get(f"{url}/v1/health", timeout=10).reason

    sync_calls(url, telemetry, plugins=[Vault()])
    asked = [span for span in telemetry.spans if span.name == "GET" and span.kind is SpanKind.CLIENT]
    assert len(asked) == 4
    whole = telemetry.span("muxi.health")
    assert [span.name for span in telemetry.below(whole)] == ["GET", "GET /v1/health"]
