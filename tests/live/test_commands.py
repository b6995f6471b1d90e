"""The command line against the real runtime: each command that talks to a formation, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.live.lab.formations import ADMIN_KEY, CLIENT_KEY, KINDS, Kind
from tests.live.lab.lab import Lab

COMMAND = Path(sys.executable).with_name("muxi-client")


class Shell:
    """A shell whose environment names a formation.

    Args:
        url: the formation.
        home: an empty home folder.
    """

    def __init__(self, url: str, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUXI_")}
        keys = {"MUXI_CLIENT_KEY": CLIENT_KEY, "MUXI_ADMIN_KEY": ADMIN_KEY}
        self.environment = {**kept, "HOME": str(home), "MUXI_FORMATION_URL": url, **keys}
        self.home = home

    def __call__(self, *arguments: str, given: str = "", code: int = 0) -> str:
        """Run a command, and return what it prints to stdout."""
        done = subprocess.run(
            [COMMAND, *arguments], input=given, capture_output=True, text=True, env=self.environment, cwd=self.home
        )
        assert done.returncode == code, done.stderr
        return done.stdout


@pytest.fixture(params=KINDS)
def shell(request: pytest.FixtureRequest, lab: Lab, tmp_path: Path) -> Shell:
    kind: Kind = request.param
    return Shell(lab.formations[kind].url, tmp_path)


def test_ask_prints_the_answer_alone(shell: Shell) -> None:
    assert "what is a plum" in shell("ask", "what is a plum", "-u", "cli").lower()
    assert "of this diff" in shell("ask", "what do you think", "-u", "cli", given="of this diff").lower()
    assert json.loads(shell("ask", "hello", "-u", "cli", "--json"))


def test_call_reaches_routes_of_both_keys(shell: Shell) -> None:
    assert shell("call", "formation.health", "--query", "status", "-o", "name").strip() == "healthy"
    assert "assistant" in shell("call", "get_agents", "-o", "name").split()
    assert json.loads(shell("call", "--raw", "GET", "/v1/agents", "-o", "json"))["agents"]
    shell("call", "get_agent", "agent_id=nobody", code=4)


def test_a_wrong_key_is_refused_with_its_code(shell: Shell) -> None:
    shell.environment["MUXI_CLIENT_KEY"] = "fmc_wrong_key_0123456789"
    shell("ask", "hello", "-u", "cli", code=3)


def test_the_doctor_finds_a_healthy_formation(shell: Shell) -> None:
    found = json.loads(shell("doctor", "--json"))
    assert [check for check in found if check["verdict"] == "failed"] == []


def test_a_batch_gets_an_answer_for_each_prompt(shell: Shell) -> None:
    (shell.home / "prompts.jsonl").write_text('"first plum"\n"second plum"\n')
    shell("batch", "prompts.jsonl", "--to", "answers.jsonl", "--concurrency", "1")
    answers = [json.loads(line)["answer"] for line in (shell.home / "answers.jsonl").read_text().splitlines()]
    assert [("first" in text, "second" in text) for text in answers] == [(True, False), (False, True)]


def test_a_trace_shows_the_calls_of_a_program(shell: Shell) -> None:
    program = "from muxi import FormationClient; FormationClient().ask('hello', user_id='cli')"
    shell.environment["MUXI_TRACE"] = str(shell.home / "trace.jsonl")
    subprocess.run([sys.executable, "-c", program], env=shell.environment, check=True)
    totals = json.loads(shell("trace", "show", "trace.jsonl", "--json"))
    assert "ask" in json.dumps(totals) or "chat" in json.dumps(totals)


def test_a_chat_at_a_terminal_goes_on_in_its_session(shell: Shell) -> None:
    terminal = pexpect.spawn(
        str(COMMAND), ["chat", "-u", "cli"], env={**shell.environment, "TERM": "xterm"}, encoding="utf-8", timeout=60
    )
    try:
        terminal.sendline("tell me about quinces")
        terminal.expect("(?i)reply to: .*quinces")
        terminal.sendline("/session")
        terminal.expect("sess")
        terminal.sendline("/quit")
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close(force=True)
    assert terminal.exitstatus == 0
