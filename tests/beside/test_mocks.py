"""Beside mocks: a registered answer is given as to requests itself, and the server is reached again when they stop."""

from __future__ import annotations

import pytest

from tests.beside.conftest import Run, RunProgram

pytestmark = pytest.mark.slow


def assert_mocked(run: Run, late: bool, reason: str) -> None:
    """The mock answered in the server's place from its start to its stop, and neither before nor afterwards."""
    assert run.answers("during") == ["mock"] * 4
    assert all(answer.startswith("server ") for answer in run.answers("after"))
    assert len(run.asked()) == (8 if late else 4), "nothing of it reached the server"
    run.assert_full("during", reason)
    run.assert_direct("after")
    if late:
        run.assert_direct("before")


@pytest.mark.parametrize("program", ["mock_responses", "mock_requests_mock"])
def test_mocks_of_requests_answer_in_the_servers_place(run_program: RunProgram, program: str, late: bool) -> None:
    run = run_program("tools", program, "requests", late=late)
    assert_mocked(run, late, program.removeprefix("mock_"))
    assert [method for method, *_ in run.seen("during")] == ["GET", "GET", "GET", "POST"]
    assert run.notes() == run_program("tools", program, "plain requests", late=late).notes()


@pytest.mark.parametrize("program", ["mock_responses", "mock_requests_mock"])
def test_mocks_of_requests_answer_in_a_session_of_ones_own(run_program: RunProgram, program: str, late: bool) -> None:
    run = run_program("tools", program, "session", late=late)
    assert run.notes() == run_program("tools", program, "plain requests", late=late).notes()


@pytest.mark.parametrize("program", ["mock_responses", "mock_requests_mock"])
def test_mocks_of_requests_do_not_reach_urllib3(run_program: RunProgram, program: str, late: bool) -> None:
    run = run_program("tools", program, "urllib3", late=late)
    assert all(answer.startswith("server ") for answer in run.answers("during"))
    run.assert_direct("during")


@pytest.mark.parametrize("caller", ["requests", "urllib3"])
def test_pook_answers_in_the_servers_place(run_program: RunProgram, caller: str, late: bool) -> None:
    run = run_program("tools", "mock_pook", caller, late=late)
    assert_mocked(run, late, "pook")
    assert run.notes() == run_program("tools", "mock_pook", f"plain {caller}", late=late).notes()


def test_pook_does_to_aiohttp_what_it_does_without_us(run_program: RunProgram, late: bool) -> None:
    """With the present aiohttp it fails for want of an argument, and so it does here."""
    run = run_program("tools", "mock_pook", "aiohttp", late=late)
    assert run.notes() == run_program("tools", "mock_pook", "plain aiohttp", late=late).notes()


@pytest.mark.parametrize("caller", ["requests", "urllib3"])
def test_httpretty_answers_in_the_servers_place(run_program: RunProgram, caller: str, late: bool) -> None:
    run = run_program("tools", "mock_httpretty", caller, late=late)
    assert_mocked(run, late, "httpretty")
    # A session that keeps a connection goes on with it; hence compared with those of requests.get.
    assert run.notes() == run_program("tools", "mock_httpretty", "fresh requests", late=late).notes()
