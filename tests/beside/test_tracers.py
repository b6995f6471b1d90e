"""Beside tracers in the same process: a call has the span, breadcrumb and headers that one of requests has."""

from __future__ import annotations

import pytest

from tests.beside.conftest import RunProgram

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("caller", ["requests", "session", "urllib3", "aiohttp"])
def test_sentry_has_a_span_and_a_breadcrumb_of_each_call(run_program: RunProgram, caller: str, late: bool) -> None:
    run = run_program("tools", "trace_sentry", caller, late=late)
    plain = run_program("tools", "trace_sentry", PLAIN[caller], late=late)
    assert run.notes() == plain.notes()
    assert run.asked() == plain.asked()
    if caller == "aiohttp" and late:
        return  # it traces the sessions that are made after its start
    spans, breadcrumbs = run.seen("during")
    assert [(op, status) for op, _, status in spans] == [("http.client", 200)] * 4
    assert [(category, status) for category, *_, status in breadcrumbs] == [("httplib", 200)] * 4
    assert all("sentry-trace" in headers for _, headers in run.asked()[-4:])
    if caller != "session":
        run.assert_full("during", "sentry_sdk")
        if late:
            run.assert_direct("before")


#: The library by itself that a caller is compared with.
PLAIN = {
    "requests": "plain requests",
    "session": "plain requests",
    "urllib3": "plain urllib3",
    "aiohttp": "plain aiohttp",
}


@pytest.mark.parametrize("libraries", [["requests", "urllib3", "aiohttp"], ["urllib3"]], ids=["all", "urllib3 alone"])
@pytest.mark.parametrize("caller", ["requests", "session", "urllib3", "aiohttp"])
def test_opentelemetry_has_one_span_of_each_call(
    run_program: RunProgram, caller: str, libraries: list[str], late: bool
) -> None:
    options = {"late": late, "libraries": libraries}
    run = run_program("opentelemetry", "trace_opentelemetry", caller, **options)
    plain = run_program("opentelemetry", "trace_opentelemetry", PLAIN[caller], **options)
    assert run.notes() == plain.notes()
    assert run.asked() == plain.asked()
    if caller == "aiohttp":
        return  # it traces the sessions that are made after its start, and goes on with those
    scope = "urllib3" if libraries == ["urllib3"] or caller == "urllib3" else "requests"
    expected = [[scope, method, "200"] for method in ("GET", "GET", "GET", "POST")]
    assert run.seen("during") == expected
    assert run.seen("after") == []
    assert run.connections <= 3, "a lane keeps its connection"
    if caller != "session":
        run.assert_full("during", "opentelemetry.instrumentation")
        run.assert_direct("after")


@pytest.mark.parametrize("caller", ["requests", "session", "urllib3", "aiohttp"])
def test_the_tracing_of_the_sdk_doubles_no_span_of_opentelemetry(run_program: RunProgram, caller: str) -> None:
    options = {"libraries": ["requests", "urllib3", "aiohttp"], "variables": {"MUXI_TRACING": "1"}}
    run = run_program("opentelemetry", "trace_opentelemetry", caller, **options)
    spans = run.seen("during")
    assert {scope for scope, _, _ in spans} == {"muxi"}
    assert sorted(name for _, name, _ in spans) == sorted(
        ["muxi.health", "GET /v1/health"] * 3 + ["invoke_agent", "POST /v1/chat"]
    )
    assert all("traceparent" in headers for _, headers in run.asked()[:4])
