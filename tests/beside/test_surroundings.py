"""Beside what changes the surroundings of a program: its trust, its clock, its threads."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.beside.conftest import RunProgram, Serve
from tests.beside.loopback import Formation
from tests.transports.raw_server import PATIENCE, Peer, Received

pytestmark = pytest.mark.slow


# -- truststore ----------------------------------------------------------------------------------------------------


@pytest.fixture
def variables(tmp_path: Path, tls: ssl.SSLContext) -> dict[str, str]:
    """The system's authorities are those of SSL_CERT_FILE here; REQUESTS_CA_BUNDLE, which goes before, has others."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "others.pem"))
    return {"SSL_CERT_FILE": str(tmp_path / "system.pem"), "REQUESTS_CA_BUNDLE": str(tmp_path / "others.pem")}


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """What a server of the system's authority needs."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "system.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("caller", ["requests", "session", "urllib3"])
def test_truststore_adds_the_authorities_of_the_system(
    run_program: RunProgram, serve: Serve, tls: ssl.SSLContext, variables: dict[str, str], caller: str, late: bool
) -> None:
    def run(caller: str) -> dict[str, object]:
        # Each request has a connection of its own, so that each is a question of trust.
        formation = Formation(("Connection: close",))
        found = run_program(
            "tools", "trust_truststore", caller, late=late, server=serve(formation, tls=tls), variables=variables
        )
        return {phase: [answer.partition(" ")[0] for answer in found.answers(phase)] for phase in found.phases}

    ours = run(caller)
    assert ours["during"] == ["server"] * 4
    assert ours["after"] == ["failed:"] * 4
    assert ours == run("plain requests")


@pytest.mark.parametrize("caller", ["requests", "urllib3", "aiohttp"])
def test_a_context_of_truststore_serves(
    run_program: RunProgram, serve: Serve, tls: ssl.SSLContext, variables: dict[str, str], caller: str
) -> None:
    run = run_program("tools", "trust_context", caller, server=serve(Formation(), tls=tls), variables=variables)
    assert [answer.partition(" ")[0] for answer in run.answers("during")] == ["server"] * 4
    run.assert_direct("during")


# -- freezegun -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("caller", ["requests", "session", "urllib3", "aiohttp"])
def test_time_may_stand_still_and_jump(run_program: RunProgram, caller: str, late: bool) -> None:
    run = run_program("tools", "freeze_freezegun", caller, late=late)
    for phase in run.phases:
        assert all(answer.startswith("server ") for answer in run.answers(phase)), phase
    plain = "plain aiohttp" if caller == "aiohttp" else "plain requests"
    assert run.notes() == run_program("tools", "freeze_freezegun", plain, late=late).notes()


@dataclass
class Silent(Formation):
    """A formation that takes requests and answers none."""

    def answer(self, peer: Peer, request: Received, number: int) -> None:
        peer.wait_for_end()


@pytest.mark.parametrize("caller", ["requests", "session", "urllib3"])
def test_timeouts_hold_while_time_stands_still(run_program: RunProgram, caller: str) -> None:
    run = run_program("tools", "freeze_freezegun", caller, timeout=0.2, formation=Silent())
    assert run.answers("frozen") == ["failed: timeout"] * 4
    plain = run_program("tools", "freeze_freezegun", "plain requests", timeout=0.2, formation=Silent())
    assert run.notes() == plain.notes()


# -- gevent --------------------------------------------------------------------------------------------------------

#: How long the slow formation thinks about each request, in seconds.
PAUSE = 0.2


@dataclass
class Slow(Formation):
    """A formation that takes its time for each request."""

    def answer(self, peer: Peer, request: Received, number: int) -> None:
        time.sleep(PAUSE)
        super().answer(peer, request, number)


@pytest.mark.parametrize("caller", ["requests", "session", "urllib3"])
def test_greenlets_wait_side_by_side(run_program: RunProgram, caller: str, late: bool) -> None:
    assert PAUSE * 20 < PATIENCE
    run = run_program("gevent", "run_gevent", caller, late=late, pause=PAUSE, formation=Slow())
    answers, at_once = run.seen("during")
    assert (answers, at_once) == (20, True)
    plain = run_program("gevent", "run_gevent", "plain requests", late=late, pause=PAUSE, formation=Slow())
    assert run.notes() == plain.notes()
