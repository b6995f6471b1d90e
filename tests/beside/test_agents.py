"""Beside the agents of monitoring services, each in an environment of its own, reporting to a loopback server."""

from __future__ import annotations

import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.beside.conftest import Run, RunProgram, Serve
from tests.beside.environments import provide_environment
from tests.beside.loopback import Reports
from tests.transports.raw_server import PATIENCE

pytestmark = pytest.mark.slow

CALLERS = pytest.mark.parametrize("caller", ["requests", "session", "urllib3", "aiohttp"])

#: The library by itself that a caller is compared with.
PLAIN = {
    "requests": "plain requests",
    "session": "plain requests",
    "urllib3": "plain urllib3",
    "aiohttp": "plain aiohttp",
}


def assert_watched(run: Run, caller: str, late: bool, reason: str) -> None:
    """The agent was the reason for the full lane, from its start on."""
    if caller != "session":
        run.assert_full("during", reason)
        if late:
            run.assert_direct("before")


# -- AWS X-Ray -----------------------------------------------------------------------------------------------------


@CALLERS
def test_xray_has_a_subsegment_of_each_call(run_program: RunProgram, caller: str, late: bool) -> None:
    run, found = _with_xray(run_program, caller, late)
    plain, expected = _with_xray(run_program, PLAIN[caller], late)
    assert found == expected
    assert run.notes() == plain.notes()
    assert run.asked() == plain.asked()
    if caller == "aiohttp":
        assert found == [], "X-Ray wants a trace configuration in the sessions of aiohttp"
        return
    assert_watched(run, caller, late, "aws_xray_sdk")
    if caller == "urllib3":
        assert found == [], "X-Ray knows requests and http.client, and not what urllib3 does with the latter"
        return
    remote = [(method, status) for method, _, status in found]
    assert remote[:: len(found) // 4] == [("GET", 200), ("GET", 200), ("GET", 200), ("POST", 200)]


def _with_xray(run_program: RunProgram, caller: str, late: bool) -> tuple[Run, list[tuple[str, str, int]]]:
    """Run the program; method, path and status of the subsegments that the daemon got."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(PATIENCE)
        run = run_program("xray", "trace_xray", caller, late=late, daemon=f"127.0.0.1:{daemon.getsockname()[1]}")
        found: list[tuple[str, str, int]] = []
        segment = json.loads(daemon.recv(65536).partition(b"\n")[2])
        found.extend(_subsegments(segment))
    return run, found


def _subsegments(segment: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    for below in segment.get("subsegments", ()):
        if http := below.get("http"):
            path = "/" + http["request"]["url"].split("/", 3)[3]
            yield http["request"]["method"], path, http["response"]["status"]
        yield from _subsegments(below)


# -- Elastic -------------------------------------------------------------------------------------------------------


@CALLERS
def test_elastic_has_a_span_of_each_call(run_program: RunProgram, serve: Serve, caller: str, late: bool) -> None:
    run, found = _with_elastic(run_program, serve, caller, late)
    plain, expected = _with_elastic(run_program, serve, PLAIN[caller], late)
    assert found == expected
    assert [name for name, _ in found] == ["GET formation"] * 3 + ["POST formation"]
    assert {status for _, status in found} == {200}
    assert run.notes() == plain.notes()
    assert run.asked() == plain.asked()
    assert_watched(run, caller, late, "elasticapm")
    if caller in ("requests", "urllib3"):
        run.assert_direct("after")


def _with_elastic(
    run_program: RunProgram, serve: Serve, caller: str, late: bool
) -> tuple[Run, list[tuple[str, int | None]]]:
    """Run the program; name and status of the spans that the intake got."""
    reports = Reports()
    formation_port = re.compile(r"127\.0\.0\.1:\d+")
    run = run_program("elastic", "trace_elastic", caller, late=late, intake=serve(reports).url)
    lines = [json.loads(line) for body in reports.bodies("/intake") for line in body.splitlines()]
    spans = sorted((line["span"] for line in lines if "span" in line), key=lambda span: span["timestamp"])
    return run, [
        (formation_port.sub("formation", span["name"]), span["context"]["http"].get("status_code")) for span in spans
    ]


# -- Datadog -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auto", [False, True], ids=["patched", "automatic"])
@CALLERS
def test_datadog_has_the_spans_of_each_call(
    run_program: RunProgram, serve: Serve, caller: str, auto: bool, late: bool
) -> None:
    run, found = _with_datadog(run_program, serve, caller, auto, late)
    # A connection that was made before keeps its span of http.client away; the SDK makes new ones when a tool starts.
    fresh = {"requests": "fresh requests", "urllib3": "fresh urllib3"} if late else {}
    plain, expected = _with_datadog(run_program, serve, fresh.get(caller, PLAIN[caller]), auto, late)
    assert found == expected
    assert run.notes() == plain.notes()
    assert run.asked() == plain.asked()
    if auto and caller == "urllib3":
        # Its tracing of urllib3 is off by default; its application security exchanges the code of functions.
        assert_watched(run, caller, late, "ddtrace")
        return
    assert found
    if caller in ("requests", "session"):
        assert [span for span in found if span[0] == "requests.request"] == [
            ("requests.request", "GET", "200"),
            ("requests.request", "GET", "200"),
            ("requests.request", "GET", "200"),
            ("requests.request", "POST", "200"),
        ]
    assert_watched(run, caller, late, "ddtrace")


def _with_datadog(
    run_program: RunProgram, serve: Serve, caller: str, auto: bool, late: bool
) -> tuple[Run, list[tuple[str, str, str]]]:
    """Run the program; name, method and status of the spans that the agent got."""
    reports = Reports()
    variables = {
        "DD_TRACE_AGENT_URL": serve(reports).url,
        "DD_TRACE_API_VERSION": "v0.4",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    }
    run = run_program("datadog", "trace_datadog", caller, late=late, auto=auto, variables=variables)
    spans = [span for body in reports.bodies("/traces") for trace in _unpack(body) for span in trace]
    return run, [
        (span["name"], span["meta"].get("http.method", ""), span["meta"].get("http.status_code", ""))
        for span in sorted(spans, key=lambda span: span["start"])
        if span["name"] != "program"
    ]


def _unpack(body: bytes) -> list[list[dict[str, Any]]]:
    """Traces out of MessagePack, by the library of the agent's environment."""
    code = "import json, msgpack, sys; json.dump(msgpack.unpackb(sys.stdin.buffer.read()), sys.stdout, default=repr)"
    python = str(provide_environment("datadog"))
    done = subprocess.run([python, "-c", code], input=body, capture_output=True, check=True)
    traces: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return traces


# -- New Relic -----------------------------------------------------------------------------------------------------

#: What a collector answers to an agent that connects.
CONNECTED = {
    "agent_run_id": "1",
    "account_id": "1",
    "trusted_account_key": "1",
    "primary_application_id": "2",
    "data_report_period": 60,
    "collect_span_events": True,
    "span_event_harvest_config": {"report_period_ms": 60000, "harvest_limit": 100},
    "request_headers_map": {},
    "messages": [],
}


@CALLERS
def test_newrelic_has_a_span_of_each_call(
    run_program: RunProgram, serve: Serve, tmp_path: Path, caller: str, late: bool
) -> None:
    run, found = _with_newrelic(run_program, serve, tmp_path, caller, late)
    plain, expected = _with_newrelic(run_program, serve, tmp_path, PLAIN[caller], late)
    assert found == expected
    assert len(found) >= 4
    assert run.notes() == plain.notes()
    assert run.asked() == plain.asked()
    assert_watched(run, caller, late, "newrelic")


def _with_newrelic(
    run_program: RunProgram, serve: Serve, tmp_path: Path, caller: str, late: bool
) -> tuple[Run, list[tuple[str, str]]]:
    """Run the program; component and name of the spans of HTTP that the collector got."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    reports = Reports(
        {
            "method=preconnect": json.dumps({"return_value": {"redirect_host": "127.0.0.1"}}).encode(),
            "method=connect": json.dumps({"return_value": CONNECTED}).encode(),
            "method=": b'{"return_value": null}',
        }
    )
    clouds = ("AWS", "AZURE", "AZURE_FUNCTION", "DOCKER", "ECS", "GCP", "KUBERNETES", "PCF")
    variables = {
        "NEW_RELIC_APP_NAME": "program",
        "NEW_RELIC_CA_BUNDLE_PATH": str(tmp_path / "authority.pem"),
        "NEW_RELIC_HOST": "127.0.0.1",
        "NEW_RELIC_LICENSE_KEY": "0" * 40,
        "NEW_RELIC_PORT": str(serve(reports, tls=tls).port),
        **{f"NEW_RELIC_UTILIZATION_DETECT_{cloud}": "false" for cloud in clouds},
    }
    run = run_program("newrelic", "trace_newrelic", caller, late=late, variables=variables)
    events = [event for body in reports.bodies("method=span_event_data") for event in json.loads(body)[2]]
    spans = sorted((event[0] for event in events if event[0]["category"] == "http"), key=lambda it: it["timestamp"])
    return run, [(span["component"], re.sub(r"127\.0\.0\.1:\d+", "formation", span["name"])) for span in spans]
