"""What ``server.md`` says of a formation in each state: which actions are refused, how, plainly and step by step."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from muxi.transport import BytesBody, Headers, Request, Timeouts
from tests.memory.conformance.shape import frames
from tests.server.bench import archive
from tests.server.desk import AFS, BOT, SERVER_MD, SIGNED, Answered, Desk

#: The paths of the actions, by name; the others are below the formation's own.
ACTIONS = {
    "get": ("GET", ""),
    "delete": ("DELETE", ""),
    "update": ("PUT", ""),
    "stop": ("POST", "/stop"),
    "start": ("POST", "/start"),
    "restart": ("POST", "/restart"),
    "rollback": ("POST", "/rollback"),
    "cancel-update": ("POST", "/cancel-update"),
    "logs": ("GET", "/logs"),
    "follow": ("GET", "/logs?follow=1"),
    "download": ("GET", "/download"),
}


def running(desk: Desk) -> None:
    desk.deploy()


def stopped(desk: Desk) -> None:
    desk.deploy()
    desk.send("POST", f"{BOT}/stop")


def crashed(desk: Desk) -> None:
    desk.deploy()
    desk.server.crash("my-bot")


def updated(desk: Desk) -> None:
    desk.deploy()
    desk.update()


def updating(desk: Desk) -> None:
    """Begin an update, and leave: it goes on."""
    desk.deploy()
    desk.server.startup_seconds = 5
    sent = Headers({"Authorization": SIGNED, "X-Formation-Version": "2.0.0"})
    content = archive({"bot/formation.afs": AFS.format("2.0.0")})
    with pytest.raises(TimeoutError):
        desk.transport.send(Request("PUT", f"http://memory{BOT}", sent, BytesBody(content), Timeouts(total=1)))


def without_ports(desk: Desk) -> None:
    updated(desk)
    desk.server.ports.total = 0


def without_runtimes(desk: Desk) -> None:
    updated(desk)
    desk.server.runtimes = ()


def dying(desk: Desk) -> None:
    updated(desk)
    desk.server.fail_starts("my-bot", "no key")


def nowhere(desk: Desk) -> None:
    """There is no such formation."""


class Refused(NamedTuple):
    """An action that is refused; without a code it is so before any step, as plain JSON."""

    action: str
    state: Callable[[Desk], None]
    status: int
    message: str
    code: str = ""
    stage: str = ""


_CRASH = "Formation crashed during startup:\nno key"
_NO_LATEST = "Failed to download runtime: failed to resolve 'latest' version: no runtime versions found"
REFUSED = [
    *(
        Refused(action, nowhere, 404, "Formation not found")
        for action in ("get", "delete", "update", "cancel-update", "logs", "follow", "download")
    ),
    Refused("stop", nowhere, 404, "Formation not found"),
    Refused("start", nowhere, 404, "Formation not found", "NotFound", "validating"),
    Refused("restart", nowhere, 404, "Formation not found", "NotFound", "stopping"),
    Refused("rollback", nowhere, 404, "Formation not found", "NotFound", "validating"),
    Refused("stop", stopped, 409, "Formation is already stopped"),
    Refused("stop", crashed, 500, "Failed to stop formation"),
    Refused("start", running, 409, "Formation is already running", "AlreadyRunning", "validating"),
    Refused("rollback", running, 400, "No previous version available for rollback", "NoPreviousVersion", "validating"),
    Refused("cancel-update", running, 400, "No update in progress for this formation"),
    Refused("cancel-update", updated, 400, "No update in progress for this formation"),
    Refused("update", updating, 409, "Formation is already being updated"),
    Refused(
        "update", without_ports, 507, "No available ports for staging deployment", "PortAllocationError", "validating"
    ),
    Refused("rollback", without_ports, 507, "No available ports for rollback", "PortAllocationError", "validating"),
    Refused("update", without_runtimes, 500, _NO_LATEST, "DownloadError", "downloading_sif"),
    Refused("restart", without_runtimes, 500, _NO_LATEST, "DownloadError", "downloading_sif"),
    Refused("restart", dying, 500, _CRASH, "HealthCheckFailed", "health_check"),
    Refused(
        "update",
        dying,
        400,
        f"New version failed health check: {_CRASH}. Old version still running - zero downtime maintained.",
        "HealthCheckFailed",
        "health_check",
    ),
    Refused(
        "rollback",
        dying,
        500,
        f"Previous version failed health check: {_CRASH}. Current version still running.",
        "HealthCheckFailed",
        "health_check",
    ),
]


def _act(desk: Desk, action: str, **headers: str) -> Answered:
    method, path = ACTIONS[action]
    if action == "update":
        return desk.update("3.0.0", **headers)
    return desk.send(method, f"{BOT}{path}", None, **headers)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda one: f"{one.action} {one.state.__name__}")
def test_an_action_is_refused(refused: Refused) -> None:
    desk = Desk()
    refused.state(desk)
    answer = _act(desk, refused.action)
    assert (answer.status, answer.json["message"]) == (refused.status, refused.message)
    assert list(answer.json) == ["error", "message", "code"]
    assert answer.headers["content-type"] == "application/json"
    assert answer.text.endswith("}\n")


@pytest.mark.parametrize("refused", REFUSED, ids=lambda one: f"{one.action} {one.state.__name__}")
def test_an_action_is_refused_step_by_step(refused: Refused) -> None:
    desk = Desk()
    refused.state(desk)
    answer = _act(desk, refused.action, Accept="application/json, text/event-stream")
    if not refused.code:
        assert (answer.status, answer.json["message"]) == (refused.status, refused.message)
        return
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
    event, data = list(frames(answer.text))[-1]
    assert (event, data) == (
        "error",
        {"error": refused.code, "message": refused.message, "stage": refused.stage},
    )


def test_the_texts_are_those_of_the_document() -> None:
    for refused in REFUSED:
        text = refused.message.replace(f": {_CRASH}.", ": ...").partition(_CRASH)[0].partition(_NO_LATEST)[0]
        assert text in SERVER_MD or refused.status == 507
        assert not refused.code or f"`{refused.code}`" in SERVER_MD


@pytest.mark.parametrize("action", ["get", "delete", "stop", "cancel-update", "logs", "download"])
@pytest.mark.parametrize("formation_id", ["NO", "x", "a%20b", "%FF", "api", "a" * 60])
def test_a_malformed_id_is_an_unknown_one(action: str, formation_id: str) -> None:
    method, path = ACTIONS[action]
    answer = Desk().send(method, f"/rpc/formations/{formation_id}{path}")
    assert (answer.status, answer.json["message"]) == (404, "Formation not found")


@pytest.mark.parametrize("action", ["get", "delete", "stop", "logs", "download"])
def test_routes_without_steps_answer_plainly_whatever_is_accepted(action: str) -> None:
    desk = Desk()
    desk.deploy()
    answer = _act(desk, action, Accept="text/event-stream")
    assert (answer.status, answer.headers["content-type"] == "text/event-stream") == (200, False)


@pytest.mark.parametrize("route", ["deploy", "update", "start", "restart", "rollback", "draft, new", "draft, live"])
def test_the_headers_of_a_stream_of_steps(route: str) -> None:
    headers = Desk().stream(route).headers
    wanted = {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
        "connection": "keep-alive",
        "x-accel-buffering": "no",
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
        "access-control-allow-headers": "Content-Type, Authorization",
    }
    assert headers.items() >= wanted.items()
    assert "content-length" not in headers


#: The data of ``complete``, key by key, and of the plain answer beside it.
COMPLETE = {
    "deploy": (
        ["formation_id", "port", "status", "url", "health_url", "pid"],
        ["formation_id", "port", "status", "url", "health_url", "pid"],
    ),
    "update": (
        ["formation_id", "port", "status", "url", "previous_version", "new_version"],
        ["deployment_type", "id", "message", "pid", "port", "previous_version", "status", "version"],
    ),
    "start": (["formation_id", "port", "status"], ["id", "message", "port", "status"]),
    "restart": (
        ["formation_id", "port", "status", "restart_count"],
        ["id", "message", "port", "restart_count", "status"],
    ),
    "rollback": (
        ["formation_id", "port", "status", "url", "previous_version", "new_version"],
        ["id", "message", "pid", "previous_version", "status", "version"],
    ),
}


@pytest.mark.parametrize("route", COMPLETE)
def test_what_a_good_end_says(route: str) -> None:
    streamed, plain = COMPLETE[route]
    event, data = list(frames(Desk().stream(route).text))[-1]
    assert (event, list(data)) == ("complete", streamed)
    assert all(isinstance(data[name], str) for name in data if "version" in name)
    desk = Desk()
    if route == "deploy":
        answer = desk.deploy()
    else:
        (updated if route == "rollback" else stopped if route == "start" else running)(desk)
        answer = _act(desk, route)
    assert list(answer.json) == ["success", "data"]
    assert list(answer.json["data"]) == plain
    assert all(isinstance(answer.json["data"][name], int) for name in plain if "version" in name)
    assert json.dumps(answer.json, separators=(",", ":")) + "\n" == answer.text


def test_of_the_draft_the_envelope_is_that_of_a_deployment_or_an_update() -> None:
    desk = Desk()
    for version, mode, plain in (("1.0.0", "new", COMPLETE["deploy"][1]), ("2.0.0", "clone", COMPLETE["update"][1])):
        desk.edit(version, mode)
        answer = desk.draft({"action": "deploy"})
        assert (answer.status, list(answer.json["data"])) == (201 if mode == "new" else 200, plain)


@pytest.mark.parametrize(
    ("query", "stdout", "stderr"),
    [
        ("", 100, 100),
        ("?lines=7", 7, 7),
        ("?lines=7&stream=stdout", 7, None),
        ("?stream=stderr", None, 100),
        ("?stream=both", None, None),
        ("?lines=0", 100, 100),
        ("?lines=-3", 100, 100),
        ("?lines=many", 100, 100),
        ("?lines=99999", 10_000, 120),
        ("?follow=yes", 100, 100),
    ],
)
def test_the_lines_of_the_logs(query: str, stdout: int | None, stderr: int | None) -> None:
    desk = Desk()
    desk.deploy()
    desk.server.print("my-bot", "\n".join(map(str, range(10_050))))
    desk.server.print("my-bot", "\n".join(map(str, range(120))), stream="stderr")
    found = desk.send("GET", f"{BOT}/logs{query}").json["data"]
    assert {name: len(lines) for name, lines in found["logs"].items()} == {
        name: count for name, count in (("stdout", stdout), ("stderr", stderr)) if count is not None
    }
    assert found["total_lines"] == {"stderr": 120 if stderr else 0, "stdout": 10_050 if stdout else 0}
    assert not stdout or found["logs"]["stdout"][-1] == "10049"


def test_logs_without_lines_are_null() -> None:
    desk = Desk()
    desk.deploy()
    assert '"logs":{"stdout":null,"stderr":null}' in desk.send("GET", f"{BOT}/logs").text
