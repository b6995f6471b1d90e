"""``muxi-client serve`` as a process of its own."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Sandbox, Served, serve
from tests.cli.terminal import Terminal, make_terminal

SCRIPT = """\
formation: {id: shop, name: The shop, version: 2.0.0}
replies:
  - message: hello
    reply: Hi there, ${{ user_id }}!
  - pattern: "(?i)weather in (?P<city>\\\\w+)"
    reply:
      - "Let me see. "
      - pause: 0.01
      - "Sunny in ${{ groups.city }}."
  - message: boom
    reply: {error: out of order}
  - message: report
    reply:
      - artifact: {filename: report.csv, content: "a,b"}
      - Here it is.
otherwise: Pardon?
triggers:
  alert: "${{ data.host }} is down."
memories:
  - {user_id: ada, content: Likes tea}
history:
  - {user_id: ada, day: 2027-01-01, summary: A day.}
"""


class Running:
    """A server that is being run; its lines are read as they come."""

    def __init__(self, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MUXI_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "muxi.cli", "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            # Whoever runs the tests in the background has the signal ignored, and would hand that down.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.seen: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        first = self.line_with("Serving")
        self.url = first.split(" at ")[1].split(",")[0]

    @property
    def port(self) -> int:
        """Where it is."""
        return int(self.url.rsplit(":", 1)[1])

    def line_with(self, part: str) -> str:
        """The next line that has this in it; fails where none comes."""
        while part not in (line := self.lines.get(timeout=30)):
            assert line, f"it ended: {self.seen} {self.process.stderr and self.process.stderr.read()}"
        return line

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send it a signal; its exit code, and what it has said of errors."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        self._reader.join(timeout=30)
        assert self.process.stderr is not None
        err = self.process.stderr.read()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code, err

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line.rstrip("\n"))
            self.lines.put(line.rstrip("\n") or " ")
        self.lines.put("")


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The shop of the script with its server, on a free port."""
    path: Path = tmp_path_factory.mktemp("shop") / "replies.yaml"
    path.write_text(SCRIPT, encoding="utf-8")
    running = Running("--port", "0", "--server", "--script", str(path), "--client-key", "fmc_secret", "--pace", "0")
    yield running
    code, err = running.end()
    assert (code, err) == (0, "")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without anything in it, an environment without settings, and another working folder."""
    for name in [name for name in os.environ if name.startswith(("MUXI_", "XDG_"))]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(work)
    return folder


@pytest.fixture
def terminal(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Runs commands in this process, through pipes."""
    return make_terminal(monkeypatch, capsys)


@pytest.fixture(scope="package")
def sandbox() -> Iterator[Served]:
    """A server with the formation ``bot`` behind it, over HTTP. Its agent echoes."""
    server = EmbeddedServer(key_id="muxi_pk_cli", secret_key="muxi_sk_cli_secret")
    formation = EmbeddedFormation("bot", client_key="fmc_cli_key_0001", admin_key="fma_cli_key_0001")
    server.add(formation)
    with serve(Sandbox(formation=formation, server=server)) as served:
        server.port = served.port
        yield served


@pytest.fixture
def connected(sandbox: Served, home: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The sandbox, named with its keys by the environment."""
    for name, value in {
        "MUXI_SERVER_URL": sandbox.url,
        "MUXI_FORMATION_ID": "bot",
        "MUXI_CLIENT_KEY": "fmc_cli_key_0001",
        "MUXI_ADMIN_KEY": "fma_cli_key_0001",
        "MUXI_KEY_ID": "muxi_pk_cli",
        "MUXI_SECRET_KEY": "muxi_sk_cli_secret",
    }.items():
        monkeypatch.setenv(name, value)
    return sandbox
