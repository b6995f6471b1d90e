"""Every route lets in whom the recorded one let in, and refuses the others in the same way."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from muxi.clock import ManualClock
from muxi.transport import BytesBody, Headers, Request
from muxi_transports.memory import EmbeddedFormation, MemoryTransport
from muxi_transports.memory.formation.routes import ROUTES

CLIENT, ADMIN = "fmc_test", "fma_test"

VARIANTS: dict[str, dict[str, str]] = {
    "none": {},
    "wrong_admin": {"X-Muxi-Admin-Key": "nope"},
    "wrong_client": {"X-Muxi-Client-Key": "nope"},
    "admin": {"X-Muxi-Admin-Key": ADMIN},
    "client": {"X-Muxi-Client-Key": CLIENT},
    "admin+user": {"X-Muxi-Admin-Key": ADMIN, "X-Muxi-User-ID": "alice"},
    "client+user": {"X-Muxi-Client-Key": CLIENT, "X-Muxi-User-ID": "alice"},
    "admin_as_client": {"X-Muxi-Client-Key": ADMIN},
    "client_as_admin": {"X-Muxi-Admin-Key": CLIENT},
    "bearer_client": {"Authorization": f"Bearer {CLIENT}"},
}

#: What a healthy formation answers where the recorded one fell over.
HEALTHY = {
    "DELETE /v1/memory/buffers": "200",
    "GET /v1/agents/{agent_id}/skills": "404/AGENT_NOT_FOUND",
    "GET /v1/events/{session_id}/{request_id}": "200",
    "GET /v1/skills": "200",
    "GET /v1/skills/{skill_name}": "404/RESOURCE_NOT_FOUND",
}

#: What a minimal request needs to be one.
QUERIES = {"GET /v1/logs": "?level=info"}

#: The page of GET /v1/ again, under paths that are no part of the API.
PAGES = {"GET /", "GET /v1"}

REGISTERED = {f"{route.method} {route.path}" for route in ROUTES} - PAGES


@cache
def matrix(wire: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((wire / "auth-matrix.json").read_text("utf-8"))
    return found


def ask(formation: EmbeddedFormation, operation: str, headers: dict[str, str]) -> str:
    method, path = operation.split(" ")
    path = re.sub(r"\{\w+\}", "none", path) + QUERIES.get(operation, "")
    body = BytesBody(b"{}") if method in ("POST", "PUT", "PATCH") else None
    sent = Headers({**headers, **({"Content-Type": "application/json"} if body else {})}.items())
    response = MemoryTransport(formation).send(Request(method, f"http://memory{path}", sent, body))
    try:
        if response.status < 400:
            return str(response.status)
        return f"{response.status}/{json.loads(response.read())['error']['code']}"
    finally:
        response.close()


@pytest.mark.parametrize("operation", sorted(REGISTERED))
def test_keys_open_what_they_opened(operation: str, wire: Path) -> None:
    answers, wanted = {}, {}
    for variant, expected in matrix(wire)[operation].items():
        formation = EmbeddedFormation(client_key=CLIENT, admin_key=ADMIN, clock=ManualClock(), seed=1)
        answers[variant] = ask(formation, operation, VARIANTS[variant])
        wanted[variant] = HEALTHY[operation] if expected.startswith("5") else expected
    assert answers == wanted


def test_every_route_of_the_wire_is_there(wire: Path) -> None:
    documented = {
        " ".join(match)
        for match in re.findall(
            r"(?m)^### (GET|POST|PUT|PATCH|DELETE) (/\S+)", (wire / "formation.md").read_text("utf-8")
        )
    }
    assert documented == matrix(wire).keys()
    assert len(documented) == 105
    assert not sorted(documented - REGISTERED)
    assert not sorted(REGISTERED - documented)


def test_what_a_healthy_formation_answers_is_said_of_failures_alone(wire: Path) -> None:
    failed = {
        operation
        for operation, answers in matrix(wire).items()
        if any(answer.startswith("5") for answer in answers.values())
    }
    assert failed == HEALTHY.keys()
