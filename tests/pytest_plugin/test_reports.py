"""The report of a failed test says what its worlds saw: why a turn failed, each thing once."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import ASK, Pytest

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


@pytest.mark.slow  # starts an interpreter with pytest
def test_what_is_said_many_times_is_said_once(run_pytest: Pytest) -> None:
    source = """
def test_it(muxi_formation, muxi_world):
    muxi_world.agent("assistant", lambda turn: {}[turn.user_id])
    for _ in range(30):
        ask(muxi_formation)
    for number in range(25):
        ask(muxi_formation, f"again {number}")
    assert False
"""
    run = run_pytest(ASK + source)
    assert run.output.count("Captured muxi call") == 21, run.output
    assert "30 times: the agent 'assistant'" in run.output
    assert "… and 6 more, which are in the log" in run.output
