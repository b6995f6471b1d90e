"""A test fails for what only the embedded world saw, and its report says why a turn failed."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import Pytest

#: Code under test that survives everything.
ASK = """
import pytest
from muxi import FormationClient

def ask(formation, text="Hi"):
    try:
        return formation.chat({"message": text}, user_id="ada")
    except Exception:
        return None
"""

ASSERTIONS = {
    "an agent": """
def test_it(muxi_formation, muxi_world):
    @muxi_world.agent("assistant")
    def assistant(turn):
        assert turn.user_id == "bob"
        return "Hello"
    ask(muxi_formation)
""",
    "an agent on the way": """
def test_it(muxi_formation, muxi_world):
    @muxi_world.agent("assistant")
    def assistant(turn):
        yield "Hello"
        assert turn.user_id == "bob"
    ask(muxi_formation)
""",
    "an agent of a stream": """
def test_it(muxi_formation, muxi_world):
    @muxi_world.agent("assistant")
    def assistant(turn):
        assert turn.user_id == "bob"
    try:
        list(muxi_formation.chat_stream("Hi", user_id="ada"))
    except Exception:
        pass
""",
    "an agent in the background": """
def test_it(muxi_formation, muxi_world, muxi_clock):
    @muxi_world.agent("assistant")
    def assistant(turn):
        assert turn.user_id == "bob"
    muxi_world.trigger("t", "Hello")
    muxi_formation.fire_trigger("t", {}, user_id="ada", async_mode=True)
    muxi_clock.advance(1)
""",
    "an agent of a deployed formation": """
def test_it(muxi_server, muxi_server_world, muxi_clock):
    from muxi_transports.memory import EmbeddedFormation
    other = muxi_server_world.add(EmbeddedFormation("other", clock=muxi_clock))
    @other.agent("assistant")
    def assistant(turn):
        assert turn.user_id == "bob"
    with muxi_server.formation("other", client_key="any") as formation:
        ask(formation)
""",
    "a receiver of webhooks": """
def test_it(muxi_formation, muxi_world, muxi_clock):
    def receive(delivery):
        ada = delivery.payload["user_id"]
        assert ada == "bob"
    muxi_world.webhooks.default_url = "http://hook.test"
    muxi_world.webhooks.deliver_to(receive)
    muxi_formation.send_notification("ada", "Hi")
""",
    "an answer of a stub": """
def test_it(muxi_formation, muxi_transport):
    def respond(request):
        assert request.user == "bob"
    muxi_transport.stub("POST", "/v1/chat", respond=respond)
    ask(muxi_formation)
""",
    "a condition of a stub": """
def test_it(muxi_formation, muxi_transport):
    def when(request):
        assert request.user == "bob"
    muxi_transport.stub("POST", "/v1/chat", json={}, when=when)
    ask(muxi_formation)
""",
}


@pytest.mark.slow  # starts an interpreter with pytest
@pytest.mark.parametrize("name", ASSERTIONS)
def test_an_assertion_fails_the_test_wherever_it_stands(run_pytest: Pytest, name: str) -> None:
    run = run_pytest(ASK + ASSERTIONS[name])
    assert run.counts == {"failed": 1}, run.output
    assert "'ada' == 'bob'" in run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_an_assertion_that_holds_fails_nothing(run_pytest: Pytest) -> None:
    run = run_pytest(ASK + ASSERTIONS["an agent"].replace('"bob"', '"ada"'))
    assert run.counts == {"passed": 1}, run.output


REASONS = {
    "an agent raises": (
        """
def test_it(muxi_formation, muxi_world):
    @muxi_world.agent("assistant")
    def assistant(turn):
        return {}[turn.user_id]
    assert ask(muxi_formation) is not None
""",
        ("the agent 'assistant' of 'my-assistant', asked 'Hi': KeyError: 'ada'", "return {}[turn.user_id]"),
    ),
    "a script is exhausted": (
        """
def test_it(muxi_formation, muxi_world):
    muxi_world.script(["One."])
    ask(muxi_formation)
    assert ask(muxi_formation, "more") is not None
""",
        ("the agent 'assistant'", "the script has 1 replies, and this is message 2: 'more'"),
    ),
    "an agent is unknown": (
        """
def test_it(muxi_formation, muxi_world):
    muxi_world.agent("guide", lambda turn: "Hi")
    muxi_formation.chat({"message": "Hi", "agent_id": "guid"}, user_id="ada")
""",
        ("the agent 'guid' of 'my-assistant', asked 'Hi': there is no such agent; there are 'guide'",),
    ),
    "a reply is none": (
        """
def test_it(muxi_formation, muxi_world):
    muxi_world.agent("assistant", lambda turn: 5)
    assert ask(muxi_formation) is not None
""",
        ("an agent replied with int",),
    ),
}


@pytest.mark.slow  # starts an interpreter with pytest
@pytest.mark.parametrize("name", REASONS)
def test_the_report_says_why_a_turn_failed(run_pytest: Pytest, name: str) -> None:
    source, texts = REASONS[name]
    run = run_pytest(ASK + source)
    assert run.counts == {"failed": 1}, run.output
    section = run.output.partition("Captured muxi call")[2]
    for text in texts:
        assert text in section, run.output
    assert "WARNING" in run.output.partition("Captured log call")[2]


def test_a_turn_that_is_meant_to_fail_fails_no_test(run_pytest: Pytest) -> None:
    run = run_pytest(
        ASK
        + """
def test_it(muxi_formation, muxi_world):
    muxi_world.script({"boom": RuntimeError("out of order")})
    assert ask(muxi_formation, "boom") is None
"""
    )
    assert run.counts == {"passed": 1}, run.output


UNUSED = """
import pytest

def test_unused(muxi_formation, muxi_transport):
    muxi_transport.stub("GET", "/v1/agents", json={"agents": [], "count": 0})
    muxi_formation.get_sessions("ada")

def test_unused_in_a_block(muxi_transport):
    with muxi_transport.stub("GET", "/v1/agents", json={}):
        pass

def test_used(muxi_formation, muxi_transport):
    muxi_transport.stub("GET", "/v1/sessions", json={"sessions": [], "count": 0})
    muxi_formation.get_sessions("ada")

def test_removed(muxi_transport):
    muxi_transport.stub("GET", "/v1/agents", json={}).remove()

def test_forgotten(muxi_transport):
    muxi_transport.stub("GET", "/v1/agents", json={})
    muxi_transport.forget()

@pytest.mark.muxi(allow_unused_stubs=True)
def test_allowed(muxi_transport):
    muxi_transport.stub("GET", "/v1/agents", json={})
"""


def test_a_stub_that_nobody_used_fails_the_test(run_pytest: Pytest) -> None:
    run = run_pytest(UNUSED)
    assert run.counts == {"failed": 2, "passed": 4}, run.output
    assert "GET /v1/agents was never called" in run.output
    assert "the nearest request is <GET /v1/sessions" in run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_setting_allows_unused_stubs(run_pytest: Pytest) -> None:
    run = run_pytest(UNUSED, "-o", "muxi_allow_unused_stubs=true")
    assert run.counts == {"passed": 6}, run.output
