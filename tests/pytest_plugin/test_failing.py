"""A test fails for what only its worlds saw: assertions, stubs that nobody used, in each phase and in any thread."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import ASK, Pytest

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
    "a group of errors": """
def test_it(muxi_formation, muxi_world):
    group = pytest.importorskip("exceptiongroup").ExceptionGroup if sys.version_info < (3, 11) else ExceptionGroup
    @muxi_world.agent("assistant")
    def assistant(turn):
        try:
            assert turn.user_id == "bob"
        except AssertionError as error:
            raise group("many", [ValueError("one"), error])
    ask(muxi_formation)
""",
    "an agent that calls pytest.fail, in a thread": """
def test_it(muxi_formation, muxi_world):
    muxi_world.agent("assistant", lambda turn: pytest.fail(f"{turn.user_id!r} == 'bob'"))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(muxi_formation.chat, "Hi", user_id="ada")
""",
    "the end of an agent that is left early": """
def test_it(muxi_formation, muxi_world):
    @muxi_world.agent("assistant")
    def assistant(turn):
        try:
            yield "One "
            yield "two"
        finally:
            assert turn.user_id == "bob"
    try:
        with muxi_formation.chat_stream("Hi", user_id="ada") as stream:
            next(iter(stream.text()))
    except AssertionError:
        pass
""",
    "an agent before a hundred other errors": """
def test_it(muxi_formation, muxi_world):
    def broken(turn):
        if turn.message != "more":
            assert turn.user_id == "bob"
        raise ValueError(turn.message)
    muxi_world.agent("assistant", broken)
    ask(muxi_formation)
    for _ in range(101):
        ask(muxi_formation, "more")
""",
    "an agent of a formation that is gone": """
def test_it(muxi_server, muxi_world):
    def assistant(turn):
        assert turn.user_id == "bob"
    muxi_world.agent("assistant", assistant)
    with FormationClient() as formation:
        ask(formation)
    muxi_server.delete_formation("my-assistant")
""",
    "an agent of a world that the test made": """
def test_it():
    world = EmbeddedFormation()
    @world.agent("assistant")
    def assistant(turn):
        assert turn.user_id == "bob"
    with FormationClient(transport=MemoryTransport(world), url="http://memory", client_key="fmc_x") as formation:
        ask(formation)
""",
    "a world of a fixture taken late": """
def test_it(request):
    @request.getfixturevalue("muxi_world").agent("assistant")
    def assistant(turn):
        assert turn.user_id == "bob"
    ask(request.getfixturevalue("muxi_formation"))
""",
    "an application behind the transport of webhooks": """
def test_it(muxi_formation, muxi_world, muxi_clock):
    def application(environ, start_response):
        user = "ada"
        assert user == "bob"
    muxi_world.webhooks.deliver_to(WsgiTransport(application))
    muxi_world.agent("assistant", lambda turn: Later("Done."))
    muxi_formation.chat({"message": "Hi", "webhook_url": "http://localhost/done"}, user_id="ada")
    muxi_clock.advance(60)
    assert muxi_world.webhooks.settle()
""",
    "the tuner, in a thread": """
def test_it(muxi_formation, muxi_world):
    ask(muxi_formation)
    muxi_world.state.tuning.tuner = lambda texts: pytest.fail("'ada' == 'bob'")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(muxi_formation.run_tuning)
""",
}


@pytest.mark.slow  # starts an interpreter with pytest
@pytest.mark.parametrize("name", ASSERTIONS)
def test_an_assertion_fails_the_test_wherever_it_stands(run_pytest: Pytest, name: str) -> None:
    run = run_pytest(ASK + ASSERTIONS[name])
    assert run.counts == {"failed": 1}, run.output
    assert "'ada' == 'bob'" in run.output


PHASES = """
@pytest.fixture
def early(muxi_formation, muxi_world):
    muxi_world.agent("assistant", lambda turn: {}[turn.user_id])
    muxi_formation.chat("Hi", user_id="ada")

def test_a_setup_that_fails(early):
    pass

@pytest.fixture
def late(muxi_formation, muxi_world):
    yield
    def assistant(turn):
        assert turn.user_id == "bob"
    muxi_world.agent("assistant", assistant)
    ask(muxi_formation)

def test_a_teardown_with_an_assertion(late):
    pass

@pytest.fixture(scope="module")
def shared():
    world = EmbeddedFormation()
    world.agent("assistant", lambda turn: pytest.fail("wrong") if turn.message == "wrong" else "Hi")
    with FormationClient(transport=MemoryTransport(world), url="http://memory", client_key="fmc_x") as formation:
        yield formation

def test_good(shared):
    assert ask(shared) is not None

def test_wrong(shared):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask, shared, "wrong")

def test_good_again(shared):
    assert ask(shared) is not None
"""


@pytest.mark.slow  # starts an interpreter with pytest
def test_the_test_that_it_belongs_to_fails_in_the_phase_that_it_belongs_to(run_pytest: Pytest) -> None:
    run = run_pytest(ASK + PHASES, "-rA")
    assert run.counts == {"failed": 1, "passed": 3, "error": 2}, run.output
    assert "FAILED test_it.py::test_wrong" in run.output
    assert "ERROR test_it.py::test_a_teardown_with_an_assertion" in run.output
    assert "asked 'Hi': KeyError: 'ada'" in run.output.partition("Captured muxi setup")[2]


OUTCOMES = """
def test_skipped(muxi_formation, muxi_world):
    muxi_world.agent("assistant", lambda turn: pytest.skip("not here"))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(muxi_formation.chat, "Hi", user_id="ada")

def test_expected_to_fail(muxi_formation, muxi_world):
    muxi_world.agent("assistant", lambda turn: pytest.xfail("not yet"))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(muxi_formation.chat, "Hi", user_id="ada")

@pytest.mark.xfail(strict=True)
def test_marked(muxi_formation, muxi_world):
    def assistant(turn):
        assert turn.user_id == "bob"
    muxi_world.agent("assistant", assistant)
    ask(muxi_formation)

def test_skipped_by_a_case_of_unittest(muxi_formation, muxi_world):
    def assistant(turn):
        raise unittest.SkipTest("not here")
    muxi_world.agent("assistant", assistant)
    ask(muxi_formation)
"""


@pytest.mark.slow  # starts an interpreter with pytest
def test_what_an_agent_says_of_its_test_holds(run_pytest: Pytest) -> None:
    run = run_pytest("import unittest" + ASK + OUTCOMES)
    assert run.counts == {"skipped": 2, "xfailed": 2}, run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_to_skip_a_test_excuses_no_assertion(run_pytest: Pytest) -> None:
    source = """
from dataclasses import dataclass

@dataclass
class Unlike(AssertionError):
    text: str = "compared by value, and so without a hash"

def test_it(muxi_formation, muxi_world):
    def assistant(turn):
        raise Unlike
    muxi_world.agent("assistant", assistant)
    ask(muxi_formation)
    pytest.skip("enough")
"""
    run = run_pytest(ASK + source)
    assert run.counts == {"skipped": 1, "error": 1}, run.output
    assert "ERROR test_it.py::test_it - test_it.Unlike" in run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_run_of_pytest_inside_a_test_keeps_its_own(run_pytest: Pytest) -> None:
    source = """
import os

def wrong(muxi_formation, muxi_world):
    muxi_world.agent("assistant", lambda turn: pytest.fail("wrong"))
    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask, muxi_formation)

def test_inside(pytester):
    pytester.makepyfile("from test_it import wrong as test_wrong")
    pytester.syspathinsert(os.path.dirname(__file__))
    found = pytester.inline_run("-p", "muxi.testing.pytest_plugin")
    (failure,) = found.getfailures()
    assert "Failed: wrong" in failure.longreprtext
"""
    run = run_pytest(ASK + source, "-p", "pytester")
    assert run.counts == {"passed": 1}, run.output


UNITTEST = """
import unittest

class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def take(self, muxi_formation, muxi_world):
        self.formation, self.world = muxi_formation, muxi_world

    def test_reason(self):
        self.world.agent("assistant", lambda turn: {}[turn.user_id])
        self.assertIsNotNone(ask(self.formation))

    def test_assertion(self):
        self.world.agent("assistant", lambda turn: self.assertEqual(turn.user_id, "bob"))
        ask(self.formation)
"""


@pytest.mark.slow  # starts an interpreter with pytest
def test_it_holds_for_tests_of_unittest(run_pytest: Pytest) -> None:
    run = run_pytest(ASK + UNITTEST)
    assert run.counts == {"failed": 2}, run.output
    assert "asked 'Hi': KeyError: 'ada'" in run.output
    assert "'ada' != 'bob'" in run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_an_assertion_that_holds_fails_nothing(run_pytest: Pytest) -> None:
    run = run_pytest(ASK + ASSERTIONS["an agent"].replace('"bob"', '"ada"'))
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
