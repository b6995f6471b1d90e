"""``muxi-client trace``: runs programs with the trace on, and shows traces as pages, live, and as totals."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from muxi.cli import main
from muxi.cli.trace.live import LiveServer, LiveTrace
from muxi.cli.trace.show import totals
from muxi.tracefile.summary import SelectionLimits
from tests.tracefile.examples import Lines, shop_trace, write_trace

PROGRAM = """
import sys
from muxi import FormationClient
with FormationClient(url="http://memory", client_key="k", transport="memory") as client:
    client.chat("some words", user_id="ada")
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("bodies", [False, True])
def test_a_program_is_run_with_the_trace_on_and_its_exit_code_is_the_commands(
    trace: Path, tmp_path: Path, bodies: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "app.py"
    program.write_text(PROGRAM)
    options = ["--to", str(trace), *(["--bodies"] if bodies else [])]
    assert main(["trace", *options, "--", sys.executable, str(program), "7"]) == 7
    assert [line["event"] for line in _lines(trace)] == ["started", "attempt", "head", "finished"]
    assert ("some words" in trace.read_text("utf-8")) is bodies
    assert f"muxi-client trace show {trace}" in capfd.readouterr().err


def test_options_of_the_program_are_its_own(trace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = "import sys; print(sys.argv[1:])"
    assert main(["trace", "--to", str(trace), sys.executable, "-c", code, "--to", "x", "--help", "--"]) == 0
    assert capfd.readouterr().out.strip() == "['--to', 'x', '--help', '--']"


def test_a_program_that_makes_no_calls_or_cannot_be_run_is_said_to(
    trace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", "--to", str(trace), "--", sys.executable, "-c", "0"]) == 0
    assert "made no calls" in capfd.readouterr().err
    assert main(["trace", "--", "there-is-no-such-program"]) == 127
    assert "there-is-no-such-program cannot be run" in capfd.readouterr().err
    assert main(["trace", "--", os.devnull]) == 126
    assert main(["trace"]) == 2


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 5), (signal.SIGKILL, 137)])
def test_signals_reach_the_program(trace: Path, number: signal.Signals, code: int) -> None:
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print(os.getpid(), flush=True)\n"
        "signal.pause()\n"
    )
    command = [sys.executable, "-m", "muxi.cli", "trace", "--to", str(trace), "--", sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        os.kill(process.pid if number is signal.SIGTERM else child, number)
        assert process.wait(20) == code


def test_a_page_is_written_for_its_owner(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trace(trace, shop_trace(20))
    target = tmp_path / "page.html"
    assert main(["trace", "show", str(trace), "--to", str(target)]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    text = target.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    if os.name == "posix":
        assert target.stat().st_mode & 0o777 == 0o600


def test_the_browser_is_given_a_page_in_a_folder_of_its_own(
    trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []

    def refuse(address: str) -> bool:
        opened.append(address)
        return False

    monkeypatch.setattr("webbrowser.open", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    write_trace(trace, shop_trace(5))
    assert main(["trace", "show", str(trace)]) == 0
    output = capsys.readouterr()
    assert [output.out.strip()] == opened
    assert "no browser could be started" in output.err
    page = Path(urlsplit(opened[0]).path)
    assert page.name == "trace.jsonl.html"
    assert page.parent.parent == tmp_path
    assert main(["trace", "show", str(trace), "--no-browser"]) == 0
    assert len(opened) == 1


def test_the_totals_are_json_and_count_rotated_files(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = list(shop_trace(200))
    write_trace(trace.with_name("trace.jsonl.1"), iter(lines[:900]))
    write_trace(trace, iter(lines[900:]))
    assert main(["trace", "show", str(trace), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["totals"]["all"]["calls"] == 200
    assert found["totals"]["all"]["unfinished"] == 0
    assert found["lines"]["lines"] == len(lines)
    assert found == totals(str(trace))


def test_mistakes_are_named(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "show", str(trace)]) == 1
    assert "No such file" in capsys.readouterr().err
    write_trace(trace, shop_trace(1))
    assert main(["trace", "show", str(trace), "--json", "--live"]) == 2
    assert "exclude each other" in capsys.readouterr().err
    assert main(["trace", "show", str(tmp_path), "--live"]) == 1
    assert "is a folder" in capsys.readouterr().err


class Reader:
    """A connection to the page's events."""

    def __init__(self, url: str, query: str = "", headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        self._connection.request("GET", f"{parts.path}events{query}", headers=headers or {})
        self._response = self._connection.getresponse()
        assert self._response.status == 200

    def next(self) -> tuple[int, dict[str, Any]]:
        """The number of the next update, and the update."""
        number = 0
        while line := self._response.readline().decode().rstrip("\n"):
            pass
        while True:
            line = self._response.readline().decode().rstrip("\n")
            if line.startswith("id: "):
                number = int(line[4:])
            if line.startswith("data: "):
                return number, json.loads(line[6:])

    def close(self) -> None:
        self._response.close()
        self._connection.close()


def _append(path: Path, lines: list[dict[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def _call(number: int) -> list[dict[str, Any]]:
    lines = Lines(f"c{number}", 1000.0 + number).add("started", 0, operation="chat", user="ada")
    return lines.add("finished", 1, outcome="ok", status=200, attempts=1).lines


def test_live_updates_come_as_the_file_grows_and_again_after_a_lost_connection(trace: Path) -> None:
    _append(trace, _call(1))
    with LiveServer(str(trace)) as server:
        reader = Reader(server.url, "?since=0")
        _append(trace, _call(2)[:1])
        first, update = reader.next()
        assert [(row[0], row[10]) for row in update["rows"]] == [("c2", "unfinished")]
        _append(trace, _call(2)[1:])
        second, update = reader.next()
        assert [(row[0], row[10]) for row in update["rows"]] == [("c2", "ok")]
        assert update["totals"]["all"]["calls"] == 2
        reader.close()
        again = Reader(server.url, headers={"Last-Event-ID": str(first)})
        assert again.next()[0] == second
        again.close()


def test_a_page_that_is_far_behind_gets_all_calls(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muxi.cli.trace.live._MAX_CHANGES", 3)
    live = LiveTrace(str(trace), SelectionLimits())
    for number in range(6):
        _append(trace, _call(number))
        live.advance()
    found = live.wait(0, 0)
    assert found is not None
    assert [row[0] for row in json.loads(found[1])["rows"]] == [f"c{number}" for number in range(6)]
    recent = live.wait(found[0] - 1, 0)
    assert recent is not None
    assert [row[0] for row in json.loads(recent[1])["rows"]] == ["c5"]
    assert live.wait(found[0], 0) is None
    live.end()


def test_the_live_page_is_for_those_who_know_its_address(trace: Path) -> None:
    write_trace(trace, shop_trace(3))
    with LiveServer(str(trace)) as server:
        parts = urlsplit(server.url)
        assert parts.hostname == "127.0.0.1"

        def get(path: str, **headers: str) -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection(parts.netloc, timeout=20)
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
            connection.close()
            return response

        page = get(parts.path)
        policy = page.headers["Content-Security-Policy"]
        assert page.status == 200
        assert "connect-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert get("/").status == get("/wrong-token/").status == get("/wrong-token/events").status == 404
        assert get(parts.path, Host="evil.example").status == 403


def test_closing_ends_the_connections_of_pages(trace: Path) -> None:
    server = LiveServer(str(trace))
    readers = [Reader(server.url) for _ in range(3)]
    server.close()
    for reader in readers:
        reader._response.read()
        reader.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("muxi-trace")]
