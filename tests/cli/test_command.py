"""The command line: what it prints, and the exit code it leaves with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from functools import partial

import pytest

import muxi
from muxi import cli
from muxi.cli import demo as demonstration
from muxi.cli import main
from muxi.client import environment
from muxi.version import __version__
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Served, Turn, serve


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MUXI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(demonstration, "PACE", 0.0)


@pytest.fixture
def served() -> Iterator[Served]:
    """A formation of somebody's own, over HTTP."""
    formation = EmbeddedFormation("theirs", client_key="fmc_theirs")
    formation.agent("host", lambda turn: f"{turn.user_id} is welcome.")
    with serve(formation) as served:
        yield served


def test_the_demo_does_the_main_job_without_any_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out, err = capsys.readouterr()
    assert "at http://127.0.0.1:" in out
    assert demonstration._ANSWER in out
    assert "Likes answers that come as they are made" in out
    assert "assistant: I am a scripted agent" in out
    assert "NotFoundError: REQUEST_NOT_FOUND" in out
    assert err == ""


def test_the_demo_streams(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    def agent(turn: Turn) -> Iterator[str]:
        for number in range(3):
            # What was said before is on the terminal when the next piece is made.
            yield f"piece {number} "
            seen.append(f"piece {number} ")

    monkeypatch.setattr(demonstration, "_guide", agent)
    assert main(["demo"]) == 0
    assert "(3 pieces in " in capsys.readouterr().out
    assert len(seen) == 3


def test_the_demo_needs_no_way_around_a_proxy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert main(["demo"]) == 0
    assert "NO_PROXY" not in os.environ
    assert "NotFoundError" in capsys.readouterr().out


def test_the_environment_names_another_formation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], served: Served
) -> None:
    monkeypatch.setenv("MUXI_FORMATION_URL", served.url)
    monkeypatch.setenv("MUXI_CLIENT_KEY", "fmc_theirs")
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert f"Talking to <FormationClient {served.url}/v1>, as the environment says." in out
    assert "muxi-client-demo is welcome." in out


def test_the_environment_names_a_formation_behind_a_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = EmbeddedServer()
    server.add(EmbeddedFormation("theirs", client_key="fmc_theirs"))
    with serve(server) as served:
        monkeypatch.setenv("MUXI_SERVER_URL", served.url)
        monkeypatch.setenv("MUXI_FORMATION_ID", "theirs")
        monkeypatch.setenv("MUXI_CLIENT_KEY", "fmc_theirs")
        assert main(["demo"]) == 0
    assert f"{served.url}/api/theirs/v1" in capsys.readouterr().out


def test_a_formation_without_a_store_of_memories_is_no_reason_to_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise muxi.ServerError("INTERNAL_ERROR", "the store is SQLite", 500)

    monkeypatch.setattr(muxi.FormationClient, "add_memory", refuse)
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "This formation's store keeps no memories: INTERNAL_ERROR: the store is SQLite [HTTP 500]" in out
    assert "NotFoundError" in out


def test_an_error_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], served: Served
) -> None:
    monkeypatch.setenv("MUXI_FORMATION_URL", served.url)
    monkeypatch.setenv("MUXI_CLIENT_KEY", "fmc_wrong")
    assert main(["demo"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("muxi-client: UNAUTHORIZED: Invalid client API key.")
    assert err.count("\n") == 1
    assert "fmc_wrong" not in err


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in [name for name in sys.modules if name.startswith("muxi_transports.memory.listener")]:
        monkeypatch.delitem(sys.modules, name)
    assert main(["demo"]) == 1
    assert "pip install 'muxi-client[cli]'" in capsys.readouterr().err


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"muxi-client {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo", "--loud"]])
def test_wrong_use_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: muxi-client" in capsys.readouterr().err


def test_conflicting_distributions_are_told_at_the_beginning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (environment, sys.modules["muxi.cli.command"]):
        monkeypatch.setattr(module, "conflicts", lambda: ("two of a name",))
    assert main(["demo"]) == 0
    assert capsys.readouterr().err == "muxi-client: warning: two of a name\n"


def test_files_that_are_not_ours_are_reported_before_they_are_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    official = types.ModuleType("muxi")
    official.__file__ = "/somewhere/muxi/__init__.py"
    monkeypatch.setitem(sys.modules, "muxi", official)
    assert main(["demo"]) == 1
    err = capsys.readouterr().err
    assert "/somewhere/muxi/__init__.py is not the one of muxi-client" in err
    assert "pip uninstall -y muxi muxi-client && pip install 'muxi-client[cli]'" in err


def test_files_that_are_gone_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "muxi", types.ModuleType("muxi"))
    assert "files of the package 'muxi' are missing" in (cli.find_damage() or "")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_is_exit_code_130_without_a_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "muxi.cli", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has the signal ignored, and would hand that down.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        while "I am" not in (line := running.stdout.readline()):
            assert line, running.stderr.read()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == 130, (out, err)
    assert err == "\nmuxi-client: interrupted\n"


@pytest.mark.slow
def test_the_reader_of_a_pipe_may_leave() -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "muxi.cli", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has the signal ignored, and would hand that down.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        err = running.stderr.read()
    assert running.returncode == 1
    assert err == ""


@pytest.mark.parametrize("option", ["--client-key", "--admin-key", "--key-id", "--secret-key"])
@pytest.mark.parametrize("key", ["", " "])
def test_serving_with_an_empty_key_is_refused(option: str, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--server", option, key]) == 2
    assert "the key is empty" in capsys.readouterr().err
