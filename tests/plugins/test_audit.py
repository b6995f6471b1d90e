"""The audit trail: what is in it, that nothing is missing from it, and that every change to it shows."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muxi import ConfigurationError, MuxiError, PluginError, hookimpl
from muxi.cli import main
from muxi.plugins import AuditTrail, Redaction
from muxi.plugins.audit import verify
from muxi.plugins.chain import START, Chain
from tests.answers import (
    ADMIN_KEY,
    CLIENT_KEY,
    AsyncColour,
    Colour,
    Playback,
    answer,
    chat_answer,
    failure,
    refused,
)
from tests.hello import HELLO
from tests.plugins.gate import AsyncGate
from tests.scripted import HOLD, Script, Side


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _filled(path: Path, calls: int = 3, **arguments: Any) -> list[bytes]:
    client = Colour().formation(*[answer({})] * calls, plugins=[AuditTrail(path, **arguments)])
    for _ in range(calls):
        client.get_memories("ada")
    return path.read_bytes().splitlines(keepends=True)


def test_a_call_has_a_line_before_it_is_sent_and_one_at_its_end(colour: Colour, path: Path) -> None:
    def sent(_: Any) -> Any:
        assert [line["event"] for line in _lines(path)] == ["started"]
        return failure(429, retry_after="2")

    client = colour.formation(Playback(sent, chat_answer()), plugins=[AuditTrail(path)])
    colour.run(client.with_options(idempotency_key="mine").chat, "a secret word", user_id="ada")
    started, finished = _lines(path)
    common = {
        "user": "ada",
        "operation": "chat",
        "method": "POST",
        "route": "/chat",
        "key": started["key"],
        "address": "http://localhost:8001/v1",
        "call": started["call"],
    }
    assert started == {
        **started,
        **common,
        "event": "started",
        "seq": 1,
        "time": "2027-01-15T08:00:00.000Z",
        "prev": START,
    }
    assert finished == {
        **finished,
        **common,
        "event": "finished",
        "seq": 2,
        "time": "2027-01-15T08:00:02.000Z",
        "outcome": "ok",
        "status": 200,
        "code": None,
        "request_id": "req_wire",
        "attempts": 2,
        "seconds": 2.0,
        "prev": started["hash"],
    }
    text = path.read_text("utf-8")
    assert not [word for word in ("secret", CLIENT_KEY, ADMIN_KEY, "Hello", "mine") if word in text]


def test_an_error_has_its_class_code_and_status_and_not_its_message(colour: Colour, path: Path) -> None:
    client = colour.formation(failure(404, "REQUEST_NOT_FOUND", "ada wants a cat"), plugins=[AuditTrail(path)])
    with pytest.raises(MuxiError):
        colour.run(client.get_request_status, "req_of_ada", user_id="ada")
    finished = _lines(path)[-1]
    assert (finished["outcome"], finished["code"], finished["status"]) == ("NotFoundError", "REQUEST_NOT_FOUND", 404)
    assert (finished["route"], finished["request_id"]) == ("/requests/{request_id}", "req_wire")
    assert "cat" not in path.read_text("utf-8")
    assert "req_of_ada" not in path.read_text("utf-8")


def test_a_stream_ends_when_it_ends(side: Side, path: Path) -> None:
    held = side.open(Script(HELLO, HOLD), plugins=[AuditTrail(path)])
    held.next()
    assert [line["event"] for line in _lines(path)] == ["started"]
    assert verify(path).unfinished == 1
    held.close()
    assert [line["event"] for line in _lines(path)] == ["started", "finished"]
    assert verify(path).unfinished == 0


def test_a_call_that_another_plugin_fails_has_both_lines(colour: Colour, path: Path) -> None:
    def fails(text: str) -> str:
        raise LookupError("no")

    client = colour.formation(plugins=[AuditTrail(path), Redaction(fails)])
    with pytest.raises(PluginError):
        colour.run(client.chat, "hi", user_id="ada")
    assert [line["event"] for line in _lines(path)] == ["started", "finished"]
    assert _lines(path)[1]["outcome"] == "PluginError"


def test_the_chain_goes_on_after_a_restart(colour: Colour, path: Path) -> None:
    for _ in range(3):
        trail = AuditTrail(path)
        colour.run(colour.formation(answer({}), plugins=[trail]).get_memories, "ada")
    found = verify(path)
    assert (found.ok, found.lines, found.unfinished, found.head) == (True, 6, 0, trail.head)
    assert [line["seq"] for line in _lines(path)] == list(range(1, 7))


def test_a_file_that_is_moved_away_is_followed_by_a_chain_of_its_own(colour: Colour, path: Path) -> None:
    client = colour.formation(answer({}), answer({}), plugins=[AuditTrail(path)])
    colour.run(client.get_memories, "ada")
    old = path.rename(path.with_suffix(".1"))
    colour.run(client.get_memories, "ada")
    assert (verify(old).lines, verify(path).lines) == (2, 2)
    assert _lines(path)[0]["prev"] == START


def test_the_file_is_for_its_owner(path: Path) -> None:
    _filled(path)
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def _without(lines: list[bytes], at: int) -> list[bytes]:
    return lines[:at] + lines[at + 1 :]


def _swapped(lines: list[bytes], at: int) -> list[bytes]:
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


@pytest.mark.parametrize(
    ("change", "bad", "problem"),
    [
        (lambda lines: _without(lines, 0), 1, "it does not follow line 0"),
        (lambda lines: _without(lines, 3), 4, "it does not follow line 3 of the trail: one is missing"),
        (lambda lines: _swapped(lines, 2), 3, "missing, added or out of order"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4, "it does not follow line 3"),
        (lambda lines: [lines[0].replace(b"ada", b"bob"), *lines[1:]], 1, "altered"),
        (lambda lines: [lines[0], lines[1].replace(b'"ok"', b'"no"'), *lines[2:]], 2, "altered"),
        (lambda lines: [lines[0], lines[1].replace(b":", b": ", 1), *lines[2:]], 2, "its spelling has been altered"),
        (lambda lines: [lines[0], b'{"user":"x",' + lines[1][1:], *lines[2:]], 2, "its spelling has been altered"),
        (lambda lines: [*lines[:2], b"\n", *lines[2:]], 3, "not a whole line"),
        (lambda lines: [*lines[:2], b"rubbish\n", *lines[2:]], 3, "not a whole line"),
        (lambda lines: [*lines[:2], b"[" * 100_000 + b"\n", *lines[2:]], 3, "not a whole line"),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], 6, "not a whole line"),
        (lambda lines: [*lines, b"\xff\xfe\n"], 7, "not a whole line"),
    ],
)
def test_every_change_shows_and_names_the_first_bad_line(
    path: Path, change: Callable[[list[bytes]], list[bytes]], bad: int, problem: str
) -> None:
    path.write_bytes(b"".join(change(_filled(path))))
    found = verify(path)
    assert (found.ok, found.bad_line) == (False, bad)
    assert problem in found.problem


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=200, deadline=None
)
@given(st.data())
def test_no_single_byte_can_be_changed(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "trail"
    if not path.exists():
        _filled(path, 2)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    changed = tmp_path / "changed"
    changed.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
    assert not verify(changed).ok
    assert verify(path).ok


def test_lines_missing_at_the_end_show_by_a_head_kept_elsewhere(path: Path) -> None:
    lines = _filled(path)
    head = verify(path).head
    path.write_bytes(b"".join(lines[:-2]))
    assert verify(path).ok
    found = verify(path, head=head)
    assert (found.ok, found.bad_line) == (False, 5)
    assert f"lines are missing at the end: there is none with the hash {head}" in found.problem
    path.write_bytes(b"")
    assert verify(path, head=head).bad_line == 1


def test_a_head_from_before_is_good_for_a_trail_that_has_grown(path: Path) -> None:
    trail = AuditTrail(path)
    client = Colour().formation(answer({}), answer({}), plugins=[trail])
    client.get_memories("ada")
    head = trail.head
    client.get_memories("ada")
    assert verify(path, head=head).ok


def test_with_a_key_nobody_else_can_make_lines_that_hold(path: Path) -> None:
    _filled(path, key="pepper")
    assert verify(path, key="pepper").ok
    assert verify(path, key=b"pepper").ok
    for key in (None, "salt"):
        assert verify(path, key=key).bad_line == 1
    Chain(str(path), key=b"salt").append({"event": "started"})
    assert verify(path, key="pepper").bad_line == 7
    assert "pepper" not in repr(AuditTrail(path, key="pepper"))


def test_a_line_that_a_crash_cut_off_is_accounted_for_by_the_next(path: Path) -> None:
    lines = _filled(path)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    assert verify(path).bad_line == 6
    Colour().formation(answer({}), plugins=[AuditTrail(path)]).get_memories("ada")
    found = verify(path)
    assert (found.ok, found.lines, found.unfinished) == (True, 8, 1)
    content = path.read_bytes().splitlines(keepends=True)
    assert json.loads(content[6])["event"] == "torn"
    path.write_bytes(b"".join([*content[:5], b"other\n", *content[6:]]))
    assert verify(path).bad_line == 6
    path.write_bytes(b"".join(_without(content, 5)))
    assert verify(path).bad_line == 6
    assert "the torn line that it accounts for is missing" in verify(path).problem


@pytest.mark.parametrize("reason", ["folder", "rubbish"])
def test_where_it_cannot_be_written_calls_are_refused_before_anything_is_sent(
    colour: Colour, tmp_path: Path, reason: str
) -> None:
    path = tmp_path / "missing" / "audit.jsonl" if reason == "folder" else tmp_path / "audit.jsonl"
    if reason == "rubbish":
        path.write_text("a log of something else\n")
    playback = Playback()
    client = colour.formation(playback, plugins=[AuditTrail(path)])
    with pytest.raises(PluginError, match=r"the audit trail .* cannot be written: .*; nothing has been sent") as caught:
        colour.run(client.get_memories, "ada")
    assert (caught.value.plugin, playback.requests) == ("muxi.audit", [])


def test_or_they_are_logged_and_go_on(colour: Colour, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    client = colour.formation(answer({}), plugins=[AuditTrail(tmp_path / "no" / "audit", on_failure="log")])
    colour.run(client.get_memories, "ada")
    assert caplog.text.count("cannot be written") == 2
    assert "the line is lost: {" in caplog.text


def test_an_end_that_cannot_be_written_is_logged_and_the_call_is_done(
    colour: Colour, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def replace(_: Any) -> Any:
        path.unlink()
        path.mkdir()
        return answer({"done": True})

    assert colour.run(colour.formation(replace, plugins=[AuditTrail(path)]).get_memories, "ada")["done"] is True
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize("written", [0, 10])
def test_nothing_is_left_of_a_line_that_does_not_fit_on_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    lines = _filled(path)
    write = os.write
    calls: list[int] = []

    def full(file: int, data: Any) -> int:
        calls.append(len(data))
        if written and len(calls) == 1:
            return write(file, bytes(data)[:written])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as changes:
        changes.setattr(os, "write", full)
        with pytest.raises(PluginError, match="No space left on device"):
            Colour().formation(plugins=[AuditTrail(path)]).get_memories("ada")
    assert path.read_bytes() == b"".join(lines)
    assert verify(path).ok


def test_threads_and_clients_share_a_trail(path: Path) -> None:
    trails = [AuditTrail(path), AuditTrail(path)]
    clients = [Colour().formation(*[answer({})] * 40, plugins=[trail]) for trail in trails for _ in range(2)]

    def work(client: Any) -> None:
        for _ in range(20):
            client.get_memories("ada")

    threads = [threading.Thread(target=work, args=(client,)) for client in clients for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verify(path)
    assert (found.ok, found.lines, found.unfinished) == (True, 320, 0)


def test_tasks_share_a_trail_and_a_cancelled_one_has_an_end(path: Path) -> None:
    async def scenario() -> None:
        gate, trail = AsyncGate(), AuditTrail(path, fsync=True)
        from muxi import AsyncFormationClient

        client = AsyncFormationClient(transport=gate, plugins=[trail], url="http://localhost:8001", client_key="k")
        tasks = [asyncio.create_task(client.get_memories(f"user{number}")) for number in range(10)]
        await gate.until_inside(10)
        tasks[3].cancel()
        await asyncio.gather(tasks[3], return_exceptions=True)
        gate.open(9)
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(scenario())
    found = verify(path)
    assert (found.ok, found.lines, found.unfinished) == (True, 20, 0)
    outcomes = [line["outcome"] for line in _lines(path) if line["event"] == "finished"]
    assert sorted(outcomes) == ["CancelledError", *["ok"] * 9]


def test_processes_share_a_trail(path: Path) -> None:
    code = (
        "import sys; from muxi.plugins.chain import Chain\n"
        "chain = Chain(sys.argv[1])\n"
        "for number in range(50): chain.append({'event': 'started', 'call': f'{sys.argv[2]}-{number}'})\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), str(number)]) for number in range(3)]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    found = verify(path)
    assert (found.ok, found.lines, found.unfinished) == (True, 150, 150)


def test_a_long_last_line_is_found(path: Path) -> None:
    for size in (1, 4095, 4096, 20_000, 3):
        Chain(str(path)).append({"text": "x" * size})
    assert verify(path).lines == 5


def test_the_line_comes_before_other_plugins_do_anything(colour: Colour, path: Path) -> None:
    seen: list[int] = []

    class Vault:
        @hookimpl
        def muxi_prepare_request(self) -> None:
            seen.append(len(_lines(path)))

    client = colour.formation(refused(), answer({}), plugins=[AuditTrail(path), Vault()])
    colour.run(client.get_memories, "ada")
    assert seen == [1, 1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"path": ""}, "path= takes the path of a file"),
        ({"path": 5}, "path="),
        ({"path": "."}, "'.' is a folder"),
        ({"key": ""}, "key= takes a text or bytes that are not empty"),
        ({"key": 5}, "key="),
        ({"on_failure": "ignore"}, "on_failure= is 'raise' or 'log', got 'ignore'"),
        ({"name": ""}, "name="),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        AuditTrail(**{"path": "audit.jsonl", **arguments})


def test_the_command_says_whether_a_trail_holds(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = _filled(path)
    head = verify(path).head
    assert main(["audit", "verify", str(path), "--head", head]) == 0
    assert capsys.readouterr().out == f"{path}: 6 lines are unaltered; head {head}\n"
    path.write_bytes(b"".join(_without(lines, 3)))
    assert main(["audit", "verify", str(path)]) == 1
    assert f"{path}: line 4: it does not follow line 3" in capsys.readouterr().out
    path.write_bytes(b"".join(lines[:5]))
    assert main(["audit", "verify", str(path)]) == 0
    assert "5 lines are unaltered, 1 calls have no end" in capsys.readouterr().out


def test_the_command_takes_the_key_from_a_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _filled(path, key="pepper")
    key = path.with_name("key")
    key.write_text("pepper\n")
    assert main(["audit", "verify", str(path), "--key-file", str(key)]) == 0
    assert main(["audit", "verify", str(path)]) == 1
    assert main(["audit", "verify", str(path.with_name("none"))]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main(["audit"]) == 2


def test_a_trail_is_written_at_the_end_of_a_loop_too(path: Path) -> None:
    colour = AsyncColour()
    colour.run(colour.formation(answer({}), plugins=[AuditTrail(path)]).get_memories, "ada")
    colour.loop.run_until_complete(colour.loop.shutdown_default_executor())
    colour.run(colour.formation(answer({}), plugins=[AuditTrail(path)]).get_memories, "ada")
    colour.end()
    assert verify(path).lines == 4
