"""Trace files: written by several threads and processes, rotated, cut by a crash; read whatever is in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.tracefile import MAX_LINE
from muxi.tracefile.reading import LineParser, TraceFollower, read_trace
from muxi.tracefile.writing import TraceWriter, rotated_files
from tests.tracefile.examples import Lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


def _writer(path: Path, max_bytes: int = 10**9, backups: int = 3) -> TraceWriter:
    return TraceWriter(str(path), max_bytes=max_bytes, backups=backups)


def _line(call: str = "c1", event: str = "started", **fields: Any) -> bytes:
    return json.dumps(Lines(call, 1000.0).add(event, 0.0, **fields).lines[0]).encode() + b"\n"


def _read(path: Path) -> tuple[list[dict[str, Any]], LineParser]:
    parser = LineParser()
    return list(read_trace(str(path), parser)), parser


def test_threads_do_not_mix_their_lines(path: Path) -> None:
    writers = [_writer(path) for _ in range(4)]

    def work(number: int) -> None:
        for count in range(100):
            writers[number].write(_line(f"{number}-{count}", text="x" * (count * 37 % 3000)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records, parser = _read(path)
    assert {record["call"] for record in records} == {f"{a}-{b}" for a in range(4) for b in range(100)}
    assert parser.tally.junk == 0


def test_processes_share_a_file_and_its_rotation_and_lose_no_line(path: Path) -> None:
    code = (
        "import sys; from muxi.tracefile.writing import TraceWriter\n"
        "writer = TraceWriter(sys.argv[1], max_bytes=20_000, backups=50)\n"
        'line = \'{"v":1,"t":1,"at":0,"event":"x","call":"%s-%d","pad":"\' + \'x\' * 150 + \'"}\\n\'\n'
        "for number in range(200): writer.write((line % (sys.argv[2], number)).encode())\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), str(number)]) for number in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    records, parser = _read(path)
    assert {record["call"] for record in records} == {f"{a}-{b}" for a in range(3) for b in range(200)}
    assert (len(records), parser.tally.junk) == (600, 0)
    assert len(rotated_files(str(path))) > 3


def test_a_full_file_is_renamed_and_the_oldest_dropped(path: Path) -> None:
    writer = _writer(path, max_bytes=3 * len(_line("c00")), backups=2)
    for number in range(12):
        writer.write(_line(f"c{number:02}"))
    assert [Path(name).name for name in rotated_files(str(path))] == ["trace.jsonl.2", "trace.jsonl.1", "trace.jsonl"]
    records, _ = _read(path)
    assert [record["call"] for record in records] == [f"c{number:02}" for number in range(3, 12)]


def test_a_file_without_backups_begins_anew(path: Path) -> None:
    writer = _writer(path, max_bytes=2 * len(_line("c0")), backups=0)
    for number in range(5):
        writer.write(_line(f"c{number}"))
    assert [record["call"] for record in _read(path)[0]] == ["c4"]


def test_a_line_after_one_that_a_crash_has_cut_stands_on_a_line_of_its_own(path: Path) -> None:
    path.write_bytes(_line("c1") + _line("c2")[:40])
    _writer(path).write(_line("c3"))
    records, parser = _read(path)
    assert [record["call"] for record in records] == ["c1", "c3"]
    assert parser.tally.junk == 1


def test_a_disk_that_is_full_is_an_error_and_the_next_line_is_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with monkeypatch.context() as changes:
        changes.setattr(os, "write", lambda file, data: write(file, bytes(data)[:10]))
        with pytest.raises(OSError, match="only 10 of"):
            _writer(path).write(_line("c1"))
    _writer(path).write(_line("c2"))
    assert [record["call"] for record in _read(path)[0]] == ["c2"]


def test_a_file_that_was_moved_away_is_begun_anew(path: Path) -> None:
    writer = _writer(path)
    writer.write(_line("c1"))
    path.rename(path.with_name("old"))
    writer.write(_line("c2"))
    assert [record["call"] for record in _read(path)[0]] == ["c2"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_the_file_is_for_its_owner(path: Path) -> None:
    _writer(path).write(_line())
    assert path.stat().st_mode & 0o777 == 0o600


JUNK = [
    b"rubbish\n",
    b"[1, 2]\n",
    b"{}\n",
    b"\xff\xfe\x00\n",
    b"[" * 100_000 + b"\n",
    b'{"v":1,"t":NaN,"at":0,"call":"c","event":"e"}\n',
    b'{"v":1,"t":1e999,"at":0,"call":"c","event":"e"}\n',
    b'{"v":1,"t":0,"at":"0","call":"c","event":"e"}\n',
    b'{"v":1,"t":0,"at":0,"call":"' + b"c" * 65 + b'","event":"e"}\n',
    b'{"v":true,"t":0,"at":0,"call":"c","event":"e"}\n',
    b'{"v":1,"t":' + b"9" * 5000 + b',"at":0,"call":"c","event":"e"}\n',
]


def test_lines_that_are_none_are_counted_and_the_others_read(path: Path) -> None:
    path.write_bytes(b"".join((_line("c1"), *JUNK, b"\n  \n", _line("c2"))))
    records, parser = _read(path)
    assert [record["call"] for record in records] == ["c1", "c2"]
    assert (parser.tally.junk, parser.tally.lines) == (len(JUNK), len(JUNK) + 2)


def test_a_line_that_is_too_long_is_skipped_in_bounded_memory(path: Path) -> None:
    with path.open("wb") as file:
        file.write(_line("c1"))
        for _ in range(12):
            file.write(b"x" * 1024 * 1024)
        file.write(b"\n" + _line("c2"))
    records, parser = _read(path)
    assert [record["call"] for record in records] == ["c1", "c2"]
    assert (parser.tally.long, parser.tally.junk) == (1, 0)
    rest = LineParser()
    for _ in range(40):
        assert not list(rest.feed(b"y" * 1024 * 1024))
        assert len(rest._rest) <= MAX_LINE


def test_a_later_version_is_counted_and_not_misread(path: Path) -> None:
    path.write_bytes(_line("c1") + _line("c2").replace(b'"v": 1', b'"v": 2'))
    records, parser = _read(path)
    assert ([record["call"] for record in records], parser.tally.newer) == (["c1"], 1)


def test_a_last_line_that_is_cut_is_counted_apart_and_a_whole_one_read(path: Path) -> None:
    path.write_bytes(_line("c1") + _line("c2")[:-1])
    assert [record["call"] for record in _read(path)[0]] == ["c1", "c2"]
    path.write_bytes(_line("c1") + _line("c2")[:-20])
    records, parser = _read(path)
    assert ([record["call"] for record in records], parser.tally.cut, parser.tally.junk) == (["c1"], 1, 0)


@given(st.data())
def test_the_records_are_the_same_however_the_file_is_cut_into_chunks(data: st.DataObject) -> None:
    whole = b"".join((_line("c1", text="é\u2028"), b"rubbish\n", b"\n", _line("c2"), _line("c3")[:-1]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    parser = LineParser()
    records: list[dict[str, Any]] = []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        records += parser.feed(whole[start:end])
    records += parser.finish()
    assert [record["call"] for record in records] == ["c1", "c2", "c3"]
    assert (parser.tally.junk, parser.tally.bytes) == (1, len(whole))


def test_a_follower_reads_what_is_new_across_rotation_and_replacement(path: Path) -> None:
    writer = _writer(path, max_bytes=2 * len(_line("c0")))
    follower = TraceFollower(str(path), LineParser())

    def new() -> list[str]:
        return [record["call"] for record in follower.read()]

    assert new() == []
    writer.write(_line("c0"))
    assert new() == ["c0"]
    assert new() == []
    writer.write(_line("c1"))
    writer.write(_line("c2"))  # in a new file
    assert new() == ["c1", "c2"]
    with path.open("ab") as file:
        file.write(_line("c3")[:30])
    assert new() == []
    with path.open("ab") as file:
        file.write(_line("c3")[30:])
    assert new() == ["c3"]
    path.unlink()
    assert new() == []
    writer.write(_line("c4"))
    assert new() == ["c4"]
    follower.close()


def test_a_follower_begins_with_the_files_that_were_renamed_before(path: Path) -> None:
    writer = _writer(path, max_bytes=2 * len(_line("c0")))
    for number in range(5):
        writer.write(_line(f"c{number}"))
    follower = TraceFollower(str(path), LineParser())
    assert [record["call"] for record in follower.read()] == [f"c{number}" for number in range(5)]
    follower.close()
