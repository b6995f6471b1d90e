"""With what belongs to sessions of requests: adapters of others, authentication, a cache."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.beside.conftest import Run, RunProgram
from tests.beside.loopback import Formation
from tests.transports.raw_server import Peer, Received

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("caller", ["adapters", "session"])
@pytest.mark.parametrize("adapter", ["source", "socket options", "keep-alive"])
def test_an_adapter_of_requests_toolbelt_serves(run_program: RunProgram, adapter: str, caller: str) -> None:
    run = run_program("tools", "adapt_toolbelt", caller, adapter=adapter)
    plain = run_program("tools", "adapt_toolbelt", "plain requests", adapter=adapter)
    assert run.notes() == plain.notes()
    assert set(run.formation.peers) == set(plain.formation.peers)
    if adapter == "source":
        assert set(run.formation.peers) == {"127.0.0.2"}


@pytest.mark.parametrize("by", ["session", "adapter"])
def test_cachecontrol_answers_out_of_its_cache(run_program: RunProgram, by: str) -> None:
    headers = ("Cache-Control: max-age=600", "Date: Thu, 01 Jan 2099 00:00:00 GMT")
    caller = "session" if by == "session" else "adapters"
    run = run_program("tools", "adapt_cachecontrol", caller, by=by, formation=Formation(headers))
    plain = run_program("tools", "adapt_cachecontrol", "plain requests", by=by, formation=Formation(headers))
    assert plain.answers("first")[:3] + plain.answers("second")[:3] == ["server 1"] * 6
    assert run.notes() == plain.notes()


@dataclass
class Guarded(Formation):
    """A formation behind a gateway that asks for credentials (RFC 7617, RFC 7616)."""

    is_authorized: Callable[[Received], bool] = lambda request: False
    challenge: str = ""

    def answer(self, peer: Peer, request: Received, number: int) -> None:
        if self.is_authorized(request):
            super().answer(peer, request, number)
        else:
            peer.answer(b"{}", "401 Unauthorized", f"WWW-Authenticate: {self.challenge}")


def _is_basic(request: Received) -> bool:
    return request.values("authorization") == [b"Basic YWRhOnNlY3JldA=="]


def _is_digest(request: Received) -> bool:
    (text,) = request.values("authorization") or [b""]
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', text.decode()))
    if not fields:
        return False

    def digest(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()

    who, what = digest("ada", "gateway", "secret"), digest(request.method, request.target)
    expected = digest(who, "nonce", fields["nc"], fields["cnonce"], "auth", what)
    return bool(fields["response"] == expected)


@pytest.mark.parametrize(
    ("scheme", "is_authorized", "challenge"),
    [
        ("basic", _is_basic, 'Basic realm="gateway"'),
        ("digest", _is_digest, 'Digest realm="gateway", nonce="nonce", qop="auth"'),
    ],
    ids=["basic", "digest"],
)
def test_authentication_of_a_session_serves(
    run_program: RunProgram, scheme: str, is_authorized: Callable[[Received], bool], challenge: str
) -> None:
    def run(caller: str) -> Run:
        formation = Guarded(is_authorized=is_authorized, challenge=challenge)
        return run_program("tools", "authenticate", caller, scheme=scheme, formation=formation)

    ours, plain = run("session"), run("plain requests")
    assert all(answer.startswith("server ") for answer in plain.answers("first") + plain.answers("second"))
    assert ours.notes() == plain.notes()
    assert ours.asked() == plain.asked()
