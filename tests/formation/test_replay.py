"""Every recorded exchange: the method that means it sends the same, and makes of the answer what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from muxi.client.endpoints import stream
from muxi.errors import MuxiError, StreamInterrupted, TurnFailed, ValidationError, map_error
from muxi.schemas import SchemaRegistry
from muxi.transport import BufferedResponse, Request
from tests.answers import Colour, Playback
from tests.formation.methods import calls, endpoints
from tests.formation.replay import (
    DOWNLOAD,
    USERLESS,
    Meant,
    Recorded,
    Unmappable,
    meant,
    method_of,
    recordings,
    same_body,
)
from tests.formation.unsent import UNSENT


def test_every_recording_is_sent_by_a_method_or_has_a_reason_not_to(wire: Path) -> None:
    unmapped = {}
    for recorded in recordings(wire):
        try:
            meant(recorded)
        except Unmappable as why:
            unmapped[recorded.name] = str(why)
    assert {name: why for name, why in unmapped.items() if name not in UNSENT} == {}
    assert UNSENT.keys() - {recorded.name for recorded in recordings(wire)} == set()


def test_few_recordings_are_not_sent(wire: Path) -> None:
    assert len(recordings(wire)) == 449
    assert len(UNSENT) < 50


@pytest.fixture
def replayed(colour: Colour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def replay(recorded: Recorded) -> list[str]:
        meaning = meant(recorded)
        answered = BufferedResponse(recorded.status, recorded.answer_headers, recorded.answer)
        playback = Playback(*_answers_before(recorded, meaning), answered)
        client = colour.formation(
            playback,
            max_retries=0,
            validate_responses="strict",
            client_key=recorded.headers.get("x-muxi-client-key"),
            admin_key=recorded.headers.get("x-muxi-admin-key"),
        )
        outcome: Any
        try:
            if meaning.method in endpoints(stream):
                outcome = colour.collect(getattr(client, meaning.method), **meaning.arguments)
            else:
                outcome = colour.run(getattr(client, meaning.method), **meaning.arguments)
        except MuxiError as error:
            outcome = error
        if not playback.requests:
            return list(_refused(recorded, outcome))
        return [*_sent(recorded, meaning, playback.requests[-1]), *_understood(recorded, meaning, outcome)]

    return replay


def _answers_before(recorded: Recorded, meaning: Meant) -> Iterator[BufferedResponse]:
    """Answers to what a method sends before the recorded request: a job is looked up for its owner."""
    if meaning.method == "update_scheduler_job" and "message" not in meaning.arguments:
        owner = {"id": meaning.arguments["job_id"], "user_id": recorded.headers.get("x-muxi-user-id") or "0"}
        content = json.dumps({"success": True, "data": {**JOB, **owner}}).encode()
        yield BufferedResponse(200, [("Content-Type", "application/json")], content)


#: A job as the runtime lists it, without id and owner.
JOB = {
    "title": "T",
    "original_prompt": "p",
    "execution_prompt": "p",
    "is_recurring": True,
    "cron_expression": "0 9 * * *",
    "scheduled_for": None,
    "exclusion_rules": [],
    "status": "ACTIVE",
    "created_at": "2026-11-22T15:42:30",
    "updated_at": "2026-11-22T15:42:30",
    "last_run_at": None,
    "last_run_status": None,
    "last_run_failure_message": None,
    "total_runs": 0,
    "total_failures": 0,
    "consecutive_failures": 0,
    "job_metadata": {},
}


def test_what_is_sent_and_made_of_the_answer(wire: Path, replayed: Any) -> None:
    problems = {
        recorded.name: found
        for recorded in recordings(wire)
        if recorded.name not in UNSENT and (found := replayed(recorded))
    }
    assert not problems, "\n".join(f"{name}: {found}" for name, found in problems.items())


def test_none_is_listed_that_a_method_could_send(wire: Path, replayed: Any) -> None:
    def sendable(recorded: Recorded) -> bool:
        try:
            return not replayed(recorded)
        except Unmappable:
            return False

    assert [recorded.name for recorded in recordings(wire) if recorded.name in UNSENT and sendable(recorded)] == []


def test_a_schema_finds_the_fields_that_the_runtime_has_found(wire: Path) -> None:
    checked = set()
    for recorded in recordings(wire):
        if recorded.status != 422 or not (recorded.content or "").startswith(('{"', "{}")):
            continue
        told = (recorded.envelope["error"]["data"] or {}).get("validation_errors")
        name = method_of(recorded)
        if not told or recorded.headers.get("content-type") != "application/json":
            continue
        with pytest.raises(ValidationError) as refused:
            SchemaRegistry().check_request(replace(calls()[name], body=recorded.body))
        found = {problem["field"] for problem in refused.value.details["validation_errors"]}
        assert found == {problem["field"] for problem in told}, recorded.name
        checked.add(name)
    assert len(checked) >= 10


def _refused(recorded: Recorded, outcome: object) -> Iterator[str]:
    """What the SDK refuses before sending, the runtime has refused too, for the same fields."""
    if not isinstance(outcome, ValidationError):
        yield f"not sent: {outcome!r}"
        return
    if recorded.status not in (400, 413, 422):
        yield f"refused ({outcome}), and the runtime answered {recorded.status}"
        return
    fields = {problem["field"] for problem in outcome.details["validation_errors"]}
    told = (recorded.envelope["error"]["data"] or {}).get("validation_errors")
    if told and fields != {problem["field"] for problem in told} and recorded.name not in _PARTLY_TOLD:
        yield f"refused for {fields}, and the runtime for {told}"


#: Recordings with several wrong fields, of which a method sets one itself (``stream``).
_PARTLY_TOLD = {"chat_422_types"}


def _sent(recorded: Recorded, meaning: Meant, request: Request) -> Iterator[str]:
    """What differs between the request that was sent and the recorded one."""
    if request.method != recorded.method:
        yield f"method {request.method}"
    url = urlsplit(request.url)
    if [unquote(part) for part in url.path.split("/")[1:]] != recorded.segments:
        yield f"path {url.path}"
    if dict(parse_qsl(url.query, keep_blank_values=True)) != recorded.query:
        yield f"query {url.query}"
    for header in ("X-Muxi-Client-Key", "X-Muxi-Admin-Key", "X-Muxi-User-ID"):
        left_out = header == "X-Muxi-User-ID" and meaning.method in USERLESS
        if (sent := request.headers.get(header)) != (None if left_out else recorded.headers.get(header.lower())):
            yield f"{header}: {sent}"
    for header in ("X-Distillery-ID", "X-Distillery-Signature", "X-Distillery-Timestamp"):
        if request.headers.get(header) != recorded.headers.get(header.lower()):
            yield f"{header}: {request.headers.get(header)}"
    body = None if request.body is None else json.loads(b"".join(request.body.chunks()))
    if not same_body(meaning.method, body, recorded.body):
        yield f"body {body}, recorded {recorded.body}"


def _understood(recorded: Recorded, meaning: Meant, outcome: object) -> Iterator[str]:
    """What differs between the outcome and the recorded answer."""
    if recorded.status >= 300:
        yield from _raised(recorded, meaning, outcome)
    elif meaning.method in endpoints(stream):
        # A recording that was stopped early is a stream that broke off; the tests of streams have the details.
        if isinstance(outcome, MuxiError) and not isinstance(outcome, StreamInterrupted):
            yield f"raised {outcome!r}"
    elif meaning.method == "download_artifact":
        if Path(DOWNLOAD).read_bytes() != recorded.answer:
            yield "another content"
        Path(DOWNLOAD).unlink()
    elif isinstance(outcome, TurnFailed):
        if not recorded.envelope["data"]["message"]["metadata"].get("error_code"):
            yield f"raised {outcome!r}"
    else:
        envelope = recorded.envelope
        data = envelope["data"] if "success" in envelope else envelope
        if outcome != data:
            yield f"result {outcome!r}"


def _raised(recorded: Recorded, meaning: Meant, outcome: object) -> Iterator[str]:
    error = recorded.envelope["error"]
    if meaning.method == "clear_all_buffers" and error["message"] == "MEMORY_BUFFER_CLEARED":
        return
    wanted = map_error(recorded.status, error["code"], error["message"])
    if type(outcome) is not type(wanted):
        yield f"outcome {outcome!r} in place of {wanted!r}"
        return
    assert isinstance(outcome, MuxiError)
    for field in ("code", "message", "status_code"):
        if getattr(outcome, field) != getattr(wanted, field):
            yield f"{field} {getattr(outcome, field)!r}"


def test_answers_to_what_no_method_sends_fit_their_schemas_too(wire: Path) -> None:
    checked = 0
    for recorded in recordings(wire):
        if recorded.name not in UNSENT or recorded.status != 200:
            continue
        try:
            call = calls()[method_of(recorded)]
        except (Unmappable, ValueError):
            continue  # a page, MCP, or a body that is not JSON: no operation answers
        SchemaRegistry().check_response(call, recorded.envelope["data"], strict=True)
        checked += 1
    assert checked > 5
