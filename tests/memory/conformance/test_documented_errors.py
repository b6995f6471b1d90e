"""Every error that ``formation.md`` names of a route is answered: by a replayed capture, or by a request made here.

The document names more errors than there are captures of. A new one fails the last test until it has a request.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from muxi.clock import ManualClock
from muxi_transports.memory import Defect, EmbeddedFormation
from tests.memory.conformance.document import RULES, Rule, section
from tests.memory.conformance.replay import ADMIN, CLIENT, Prepare, Setup, ask, load, make, nothing, replay
from tests.memory.conformance.test_conformance import ANSWERS


class DocumentedError(NamedTuple):
    """An error that the document names, with the beginning of its message."""

    route: str
    status: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.route} {self.code} {self.message[:40]}"

    def is_in(self, answer: dict[str, Any], status: int) -> bool:
        """Whether an answer has it."""
        error = answer.get("error") or {}
        message = " ".join(str(error.get("message")).split())
        return (status, error.get("code")) == (self.status, self.code) and message.startswith(self.message)


def _documented(rule: Rule) -> list[DocumentedError]:
    line = re.search(r"- errors captured: (.*)", section(rule))
    found = re.findall(r"(\d{3}) ([A-Z_]+) — ([\"'])(.*?)\3(?=;|$)", line[1] if line else "")
    return [DocumentedError(str(rule), int(status), code, _beginning(text)) for status, code, _, text in found]


def _beginning(text: str) -> str:
    """A message up to where the document cuts it, its lines joined."""
    return " ".join(text.replace("\\n", " ").removesuffix("…").split())


ERRORS = [error for rule in RULES for error in _documented(rule)]


class Cause(NamedTuple):
    """A request that gets an error."""

    path: str
    body: object = None
    admin: bool = False
    user: str | None = "alice"
    prepare: Prepare | Setup = nothing


_SQLITE = Setup(nothing, frozenset({Defect.NO_MEMORIES_WITH_SQLITE}))
_SKILLS = Setup(nothing, frozenset({Defect.SKILLS_FAIL}))


def _another_s_job(formation: EmbeddedFormation) -> str:
    job = ask(formation, "POST", "/v1/memories", {"content": "x", "source": "crm"}, user="bob")
    return f"/v1/memories/ingestion/{job['processing_id']}"


def _without_channels(formation: EmbeddedFormation) -> None:
    formation.definition.proactive = None


#: By route and code, where no capture has the error.
CAUSES: dict[str, Cause] = {
    "GET /v1/agents/{agent_id} AGENT_NOT_FOUND": Cause("/v1/agents/none", admin=True),
    "GET /v1/agents/{agent_id}/skills INTERNAL_ERROR": Cause("/v1/agents/assistant/skills", prepare=_SKILLS),
    "POST /v1/secrets INVALID_PARAMS": Cause("/v1/secrets", {"key": "NEW_ONE"}, admin=True),
    "POST /v1/memory/rebuild INVALID_PARAMS": Cause(
        "/v1/memory/rebuild", {"user_id": "alice", "projection": "zzz"}, admin=True
    ),
    "GET /v1/requests INVALID_REQUEST": Cause("/v1/requests", user=None),
    "GET /v1/sessions/{session_id} RESOURCE_NOT_FOUND": Cause("/v1/sessions/ss-0"),
    "GET /v1/memories INTERNAL_ERROR": Cause("/v1/memories", prepare=_SQLITE),
    "DELETE /v1/memories/{memory_id} INTERNAL_ERROR": Cause("/v1/memories/m", prepare=_SQLITE),
    "GET /v1/memories/provenance NOT_FOUND": Cause("/v1/memories/provenance?entity=Nowhere"),
    "GET /v1/artifacts INVALID_PARAMS": Cause("/v1/artifacts?limit=0"),
    "POST /v1/credentials INVALID_PARAMS": Cause("/v1/credentials", {"service": "github"}),
    "PUT /v1/users/{user_id}/channels INVALID_PARAMS": Cause("/v1/users/bob/channels", {"channels": 5}),
    "POST /v1/users/identifiers RESOURCE_NOT_FOUND": Cause(
        "/v1/users/identifiers", {"muxi_user_id": "usr_none", "identifiers": ["U1"]}
    ),
    "DELETE /v1/users/identifiers/{identifier} RESOURCE_NOT_FOUND": Cause("/v1/users/identifiers/U123"),
    "GET /v1/users/{identifier} RESOURCE_NOT_FOUND": Cause("/v1/users/none"),
    "POST /v1/notifications SERVICE_UNAVAILABLE": Cause(
        "/v1/notifications", {"user_id": "bob", "message": "x"}, prepare=_without_channels
    ),
    "GET /v1/sops/{sop_name} SOP_NOT_FOUND": Cause("/v1/sops/none"),
    "POST /v1/scheduler/jobs VALIDATION_ERROR": Cause(
        "/v1/scheduler/jobs", {"type": "hourly", "schedule": "0 9 * * 1", "message": "x"}, admin=True
    ),
}
#: Errors of captures whose texts the document has in another form.
SPELT_OTHERWISE = {
    "POST /v1/triggers/{trigger_name} RESOURCE_NOT_FOUND": "a path was replaced in the capture",
}


def _key(error: DocumentedError) -> str:
    return f"{error.route} {error.code}"


def _captured(wire: Path, error: DocumentedError) -> bool:
    """Whether a capture that is replayed has an error."""
    method, _, path = error.route.partition(" ")
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    for name in ANSWERS:
        capture = load(wire, name)
        request, response = capture["request"], capture["response"]
        if request["method"] == method and re.fullmatch(pattern, request["path"].split("?")[0]):
            try:
                answer = json.loads(response["body"])
            except ValueError:
                continue
            if error.is_in(answer, response["status"]):
                return True
    return False


@pytest.mark.parametrize("error", [error for error in ERRORS if _key(error) in CAUSES], ids=str)
def test_an_error_without_a_capture_is_answered(error: DocumentedError, wire: Path, clock: ManualClock) -> None:
    if _captured(wire, error):
        return  # another error of this route and code
    cause = CAUSES[_key(error)]
    answer, status = _send(make(cause.prepare, clock), error.route.partition(" ")[0], cause)
    assert error.is_in(answer, status), answer


def test_a_job_of_another_user_is_forbidden(clock: ManualClock) -> None:
    formation = make(nothing, clock)
    [error] = [one for one in ERRORS if one.code == "FORBIDDEN" and one.route.endswith("ingestion/{processing_id}")]
    answer, status = _send(formation, "GET", Cause(_another_s_job(formation)))
    assert error.is_in(answer, status), answer


def _send(formation: EmbeddedFormation, method: str, cause: Cause) -> tuple[dict[str, Any], int]:
    headers = {"X-Muxi-Admin-Key": ADMIN} if cause.admin else {"X-Muxi-Client-Key": CLIENT}
    if cause.user is not None:
        headers["X-Muxi-User-ID"] = cause.user
    body = None if cause.body is None else json.dumps(cause.body)
    response = replay(formation, {"method": method, "path": cause.path, "headers": headers, "body": body})
    return json.loads(response.read()), response.status


def test_every_documented_error_has_its_place(wire: Path) -> None:
    assert len(ERRORS) > 80
    apart = {"GET /v1/memories/ingestion/{processing_id} FORBIDDEN"}
    covered = CAUSES.keys() | SPELT_OTHERWISE.keys() | apart
    assert covered <= {_key(error) for error in ERRORS}, "no such errors"
    assert [str(error) for error in ERRORS if _key(error) not in covered and not _captured(wire, error)] == []
