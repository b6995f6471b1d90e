"""The command line: what it prints, and the exit code it leaves with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import muxi
from muxi import cli, hookspecs
from muxi.cli import main, plugged
from muxi.cli.commands import COMMANDS
from muxi.cli.commands import demo as demonstration
from muxi.cli.lazy import LazyGroup
from muxi.client import environment
from muxi.errors import MissingExtraError
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


def test_a_refused_key_is_one_line_and_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], served: Served
) -> None:
    monkeypatch.setenv("MUXI_FORMATION_URL", served.url)
    monkeypatch.setenv("MUXI_CLIENT_KEY", "fmc_wrong")
    assert main(["demo"]) == 3
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


def test_without_click_it_names_the_extra() -> None:
    code = "import sys; sys.modules['click'] = None; from muxi.cli import main; sys.exit(main(['demo']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "muxi-client: the command line needs click: pip install 'muxi-client[cli]'\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no times of child processes")
def test_help_takes_less_than_150_ms_of_a_processor() -> None:
    import resource

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "muxi.cli", "--help"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # The least of some: what else the machine does costs processor time too.
    assert min(seconds() for _ in range(7)) < 0.150


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"muxi-client {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["dance"], ["demo", "--loud"], ["audit"], ["audit", "dance"]])
def test_wrong_use_is_exit_code_2_with_all_of_it_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: muxi-client" in err


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["dmo"], "no command 'dmo'; did you mean 'demo'?"),
        (["audit", "verfy"], "no command 'verfy'; did you mean 'verify'?"),
        (["serve", "--prot", "1"], "--port"),
    ],
)
def test_a_misspelt_name_gets_the_nearest(
    arguments: list[str], nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert nearest in capsys.readouterr().err


def test_help_loads_no_command_and_no_client() -> None:
    loaded = "import sys; from muxi.cli import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    heavy = {"muxi.formation", "muxi.config", "muxi.hooks", "muxi_transports", "rich", "yaml", "requests", "asyncio"}
    heavy.add("importlib.metadata")
    commands = {f"muxi.cli.commands.{name}" for name, _, _ in COMMANDS}
    assert not (heavy | commands) & set(done.stdout.split())


@pytest.mark.parametrize("name", [name for name, _, _ in COMMANDS])
def test_the_help_of_each_command_is_ascii_and_begins_as_the_list_says(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.startswith(f"Usage: muxi-client {name} ")


def test_the_group_of_plugins_is_the_one_that_clients_use() -> None:
    assert plugged.GROUP == hookspecs.PROJECT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "muxi.cli", "--help"], stdout=full, stderr=-1, text=True)
    assert done.returncode == 1
    assert done.stderr == "muxi-client: the output cannot be written: No space left on device\n"


def test_an_output_in_ascii_is_one_line() -> None:
    code = "from muxi.cli import lazy, app; lazy.LazyGroup.invoke = lambda *_: print('caf\\xe9'); app.run(['demo'])"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stderr == "muxi-client: the output is ascii, and cannot have '\\xe9'; set PYTHONIOENCODING=utf-8\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (muxi.MuxiError("X", "failed"), 1),
        (muxi.ConfigurationError("no such thing"), 2),
        (muxi.ValidationError("INVALID_PAYLOAD", "not sent", details={"validation_errors": []}), 2),
        (muxi.ValidationError("INVALID", "sent and refused", 422), 1),
        (muxi.AuthenticationError("UNAUTHORIZED", "no", 401), 3),
        (muxi.AuthorizationError("FORBIDDEN", "no", 403), 3),
        (muxi.NotFoundError("NOT_FOUND", "no", 404), 4),
        (MissingExtraError("pip install it"), 1),
        (FileNotFoundError(2, "No such file", "x"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(LazyGroup, "invoke", fail)
    assert main(["demo"]) == code
    assert capsys.readouterr().err.strip().startswith("muxi-client: ")


def test_conflicting_distributions_are_told_at_the_beginning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "conflicts", lambda: ("two of a name",))
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


@pytest.mark.parametrize("option", ["--uds", "--host", "--script"])
def test_serving_with_an_empty_option_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", option, ""]) == 2
    assert f"'{option}': it is empty" in capsys.readouterr().err
