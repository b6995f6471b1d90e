"""Beside recorders and caches: answers are kept and given again as by requests itself."""

from __future__ import annotations

import pytest

from tests.beside.conftest import RunProgram

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("caller", ["requests", "urllib3", "aiohttp"])
def test_vcr_records_and_plays(run_program: RunProgram, caller: str, late: bool) -> None:
    run = run_program("tools", "record_vcr", caller, late=late)
    assert [method for method, _ in run.seen("recorded")] == ["GET", "GET", "GET", "POST"]
    assert run.answers("played") == run.answers("recorded")
    assert run.seen("played") == 4
    assert len(set(run.answers("between") + run.answers("after") + run.answers("recorded"))) == 12
    assert len(run.asked()) == (16 if late else 12), "what was played did not reach the server"
    for phase in ("recorded", "played", "exhausted"):
        run.assert_full(phase, "vcr")
    for phase in ("between", "after", *(["before"] if late else [])):
        run.assert_direct(phase)
    assert run.notes() == run_program("tools", "record_vcr", f"plain {caller}", late=late).notes()


def test_vcr_records_and_plays_a_session_of_ones_own(run_program: RunProgram, late: bool) -> None:
    run = run_program("tools", "record_vcr", "session", late=late)
    assert run.answers("played") == run.answers("recorded")
    assert run.notes() == run_program("tools", "record_vcr", "plain requests", late=late).notes()


def test_requests_cache_answers_out_of_its_cache(run_program: RunProgram, late: bool) -> None:
    run = run_program("tools", "cache_requests_cache", "requests", late=late)
    assert len(set(run.answers("during")[:3] + run.answers("again")[:3])) == 1
    assert len(set(run.answers("after"))) == 4
    run.assert_full("during", "requests_cache")
    run.assert_direct("after")
    # The cache is in sessions that are made after its installation, as those of requests.get are.
    assert run.notes() == run_program("tools", "cache_requests_cache", "fresh requests", late=late).notes()
