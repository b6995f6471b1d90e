"""Waiting for work in the background: looks now and then, and errors that tell how it ended."""

from __future__ import annotations

from typing import Any

import pytest

from muxi.errors import JobFailed, NotFoundError, ResultForgotten, TimeoutError, ValidationError
from tests.answers import Colour, Playback, answer, failure, flat

#: A method, what it is called with, the route it looks at, and the status that is not an end.
WAITS: list[tuple[str, tuple[Any, ...], str, str]] = [
    ("wait_for_ingestion", ("ing_1", "ada"), "/v1/memories/ingestion/ing_1", "queued"),
    ("wait_for_distilled", ("dst_1",), "/v1/memories/distilled/dst_1", "processing"),
    ("wait_for_memory_job", ("rebuild_1",), "/v1/memory/rebuild/rebuild_1", "processing"),
    ("wait_for_memory_job", ("forget_1",), "/v1/memory/forget/forget_1", "processing"),
]

every_wait = pytest.mark.parametrize(("method", "arguments", "path", "at_work"), WAITS)


@every_wait
def test_it_looks_until_the_work_is_done(
    colour: Colour, method: str, arguments: tuple[Any, ...], path: str, at_work: str
) -> None:
    playback = Playback(*[answer({"status": at_work})] * 3, answer({"status": "completed", "counts": {"stored": 1}}))
    result = colour.run(getattr(colour.formation(playback), method), *arguments)
    assert result["counts"] == {"stored": 1}
    assert {request.path for request in playback.requests} == {path}
    assert playback.waits == [0.25, 0.375, 0.562]


@pytest.mark.parametrize("looks", [1, 5, 20])
def test_a_fresh_request_need_not_be_known_yet(colour: Colour, looks: int) -> None:
    unknown = failure(404, "REQUEST_NOT_FOUND", "Request not found")
    playback = Playback(*[unknown] * looks, answer({"status": "completed"}))
    assert colour.run(colour.formation(playback).wait_for_request, "req_1", "ada")["status"] == "completed"
    assert playback.waits == [0.25] * looks


def test_a_request_that_stays_unknown_for_five_seconds_is_unknown(colour: Colour) -> None:
    playback = Playback(*[failure(404, "REQUEST_NOT_FOUND", "Request not found")] * 21)
    with pytest.raises(NotFoundError, match="REQUEST_NOT_FOUND"):
        colour.run(colour.formation(playback).wait_for_request, "req_1", "ada")
    assert sum(playback.waits) == 5.0


def test_the_callers_timeout_bounds_that_too(colour: Colour) -> None:
    playback = Playback(*[failure(404, "REQUEST_NOT_FOUND", "Request not found")] * 3)
    with pytest.raises(NotFoundError):
        colour.run(colour.formation(playback).wait_for_request, "req_1", "ada", timeout=0.4)
    assert playback.waits == [0.25, 0.15]


FIRED = {"request_id": "req_1", "status": "processing", "message": "Accepted"}
LOOKS = [
    ("get_request_status", failure(404, "REQUEST_NOT_FOUND", "Request not found")),
    ("cancel_request", failure(404, "NOT_FOUND", "Request not found")),
]


@pytest.mark.parametrize(("method", "unknown"), LOOKS)
def test_a_trigger_just_fired_can_be_looked_at_and_cancelled(colour: Colour, method: str, unknown: Any) -> None:
    playback = Playback(answer(FIRED), unknown, unknown, answer({"status": "processing"}))
    client = colour.formation(playback, max_retries=0)
    colour.run(client.fire_trigger, "t", {}, async_mode=True)
    assert colour.run(getattr(client.with_options(timeout=5), method), "req_1", "ada")["status"] == "processing"
    assert playback.waits[1:] == [0.1, 0.2]


@pytest.mark.parametrize(("method", "unknown"), LOOKS)
def test_not_found_is_the_answer_for_other_requests_and_after_five_seconds(
    colour: Colour, method: str, unknown: Any
) -> None:
    playback = Playback(answer(FIRED), *[unknown] * 20)
    client = colour.formation(playback)
    colour.run(client.fire_trigger, "t", {}, async_mode=True)
    with pytest.raises(NotFoundError):
        colour.run(getattr(client, method), "req_2", "ada")
    assert len(playback.requests) == 2
    with pytest.raises(NotFoundError):
        colour.run(getattr(client, method), "req_1", "ada")
    assert sum(playback.waits) == 5.0
    with pytest.raises(NotFoundError):
        colour.run(getattr(client, method), "req_1", "ada")
    assert sum(playback.waits) == 5.0


@pytest.mark.parametrize("timeout", [-1, "1", float("nan"), True])
@pytest.mark.parametrize(("method", "arguments"), [("wait_for_request", ("req_1", "ada")), *(it[:2] for it in WAITS)])
def test_what_is_no_time_is_refused_before_looking(
    colour: Colour, method: str, arguments: tuple[Any, ...], timeout: Any
) -> None:
    with pytest.raises(ValidationError, match=r"timeout takes a number of seconds .*wait_for_"):
        colour.run(getattr(colour.formation(Playback()), method), *arguments, timeout=timeout)


@every_wait
def test_a_bad_end_is_an_error_with_its_reason(
    colour: Colour, method: str, arguments: tuple[Any, ...], path: str, at_work: str
) -> None:
    playback = Playback(answer({"status": at_work}), answer({"status": "failed", "error": "no space"}))
    with pytest.raises(JobFailed, match="no space") as failed:
        colour.run(getattr(colour.formation(playback), method), *arguments)
    assert failed.value.code == "JOB_FAILED"
    assert failed.value.details["error"] == "no space"


@every_wait
def test_a_job_that_was_seen_and_is_gone_has_been_forgotten(
    colour: Colour, method: str, arguments: tuple[Any, ...], path: str, at_work: str
) -> None:
    playback = Playback(answer({"status": at_work}), failure(404, "NOT_FOUND", "Unknown or expired"))
    with pytest.raises(ResultForgotten, match=f"was {at_work} when last seen") as forgotten:
        colour.run(getattr(colour.formation(playback), method), *arguments)
    assert forgotten.value.details["last_status"] == at_work


@every_wait
def test_a_job_that_was_never_there_is_not_found(
    colour: Colour, method: str, arguments: tuple[Any, ...], path: str, at_work: str
) -> None:
    with pytest.raises(NotFoundError) as missing:
        colour.run(getattr(colour.formation(failure(404, "NOT_FOUND")), method), *arguments)
    assert type(missing.value) is NotFoundError


def test_a_proxy_that_knows_no_formation_says_nothing_about_the_job(colour: Colour) -> None:
    playback = Playback(answer({"status": "queued"}), flat(404, "Not Found", "Formation not found"))
    client = colour.formation(playback, server_url="http://localhost:7890", formation_id="bot")
    with pytest.raises(NotFoundError):
        colour.run(client.wait_for_ingestion, "ing_1", "ada")


def test_a_cancelled_job_is_a_bad_end(colour: Colour) -> None:
    with pytest.raises(JobFailed, match="has been cancelled") as failed:
        colour.run(colour.formation(answer({"status": "cancelled"})).wait_for_memory_job, "rebuild_1")
    assert failed.value.code == "JOB_CANCELLED"


def test_the_wait_is_bounded(colour: Colour) -> None:
    playback = Playback(*[answer({"status": "queued"})] * 5)
    with pytest.raises(TimeoutError, match=r"still queued after 1 s; wait longer with timeout=") as late:
        colour.run(colour.formation(playback).wait_for_ingestion, "ing_1", "ada", timeout=1.0)
    assert late.value.code == "WAIT_TIMEOUT"
    assert playback.times[-1] - playback.times[0] == pytest.approx(1.0)


def test_the_wait_need_not_be_bounded_and_the_looks_become_rare(colour: Colour) -> None:
    playback = Playback(*[answer({"status": "queued"})] * 200, answer({"status": "completed"}))
    colour.run(colour.formation(playback).wait_for_ingestion, "ing_1", "ada", timeout=None)
    assert playback.waits[-1] == 5.0
    assert playback.times[-1] - playback.times[0] > 900


def test_an_id_that_is_of_no_such_job_is_refused(colour: Colour) -> None:
    playback = Playback()
    with pytest.raises(ValidationError, match="neither a rebuild_"):
        colour.run(colour.formation(playback).wait_for_memory_job, "ing_1")
    assert playback.requests == []


def test_the_sender_of_a_batch_is_named_at_each_look(colour: Colour) -> None:
    playback = Playback(answer({"status": "queued"}), answer({"status": "completed"}))
    colour.run(colour.formation(playback).wait_for_distilled, "dst_1", distillery_id="d")
    assert playback.header("X-Distillery-ID") == ["d", "d"]
