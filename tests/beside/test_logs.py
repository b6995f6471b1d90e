"""Beside the debug output of http.client and urllib3: what they print of a request, they print of one of the SDK."""

from __future__ import annotations

import pytest

from tests.beside.conftest import RunProgram

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("caller", ["requests", "urllib3"])
@pytest.mark.parametrize(
    ("program", "reason"), [("log_http_client", "debuglevel"), ("log_urllib3", "log of urllib3")], ids=lambda it: it
)
def test_debug_output_shows_each_request(
    run_program: RunProgram, program: str, reason: str, caller: str, late: bool
) -> None:
    run = run_program("tools", program, caller, late=late)
    shown = run.seen("during")
    assert sum("GET /v1/health HTTP/1.1" in line for line in shown) == 3
    assert sum("POST /v1/chat HTTP/1.1" in line for line in shown) == 1
    assert run.seen("after") == []
    run.assert_full("during", reason)
    run.assert_direct("after")
    # The SDK reads answers as streams, as a session does; urllib3 by itself would have read them before it logs.
    assert run.notes() == run_program("tools", program, "plain requests", late=late).notes()
