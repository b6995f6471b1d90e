"""Beside mocks: a registered answer is given as to requests itself, and the server is reached again when they stop."""

from __future__ import annotations

import pytest

from tests.beside.conftest import RunProgram

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("caller", ["requests", "session"])
def test_responses_answers_in_the_servers_place(run_program: RunProgram, caller: str, late: bool) -> None:
    run = run_program("tools", "mock_responses", caller, late=late)
    assert run.answers("during") == ["mock"] * 4
    assert [method for method, *_ in run.seen("during")] == ["GET", "GET", "GET", "POST"]
    assert run.answers("unregistered") == ["failed: connection"] * 3 + ["mock"]
    assert all(answer.startswith("server ") for answer in run.answers("after"))
    assert len(run.formation.asked) == (8 if late else 4), "nothing else reached the server"

    assert run.notes() == run_program("tools", "mock_responses", "plain requests", late=late).notes()
