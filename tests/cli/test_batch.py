"""``muxi-client batch``: prompts in, one whole line for each out, after any kill too."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from muxi.batch import BatchProgress
from muxi.cli.app import run
from muxi.cli.commands.batch.files import LineFile
from muxi.cli.commands.batch.prompts import PromptTemplate
from muxi.cli.commands.batch.watching import describe
from muxi.cli.exits import CommandFailure
from tests.answers import failure
from tests.batch.support import Formation, serving


@pytest.fixture
def formation() -> Formation:
    return Formation()


@pytest.fixture
def url(formation: Formation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A formation over loopback, in an empty folder with a key in the environment."""
    monkeypatch.setenv("MUXI_CLIENT_KEY", "fmc_hushhush1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with serving(formation) as url:
        yield url


def batch(url: str, *arguments: str) -> int:
    return run(["batch", "--url", url, "-u", "ada", *arguments])


def write(name: str, *records: Any) -> str:
    Path(name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return name


def lines(name: str) -> list[Any]:
    text = Path(name).read_text(encoding="utf-8")
    assert text.endswith("\n") or not text
    return sorted((json.loads(line) for line in text.splitlines()), key=lambda line: int(line["position"]))


def test_each_prompt_has_one_line(url: str, formation: Formation, capsys: pytest.CaptureFixture[str]) -> None:
    write("prompts.jsonl", "one", {"message": "two", "id": "row 2", "user_id": "bob", "extra": 7}, {"message": "three"})
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl", "--concurrency", "2") == 0
    found = lines("answers.jsonl")
    assert [(line["position"], line["answer"]) for line in found] == [(0, "ONE"), (1, "TWO"), (2, "THREE")]
    assert found[1]["id"] == "row 2"
    out, err = capsys.readouterr()
    assert out == ""
    assert "3 of 3 prompts answered, in " in err
    assert err.endswith(": answers.jsonl\n")
    assert not Path("answers.failed.jsonl").exists()
    assert "hush" not in Path("answers.jsonl.journal").read_text()


def test_a_template_makes_messages_of_columns(url: str) -> None:
    text = '\ufeffid,text,user_id\n7,"Good, and\nlong {x}",bob\n8,Bad,\n'
    Path("reviews.csv").write_text(text, encoding="utf-8", newline="")
    assert batch(url, "reviews.csv", "--template", "Kind? {{}} {text}", "--to", "a.jsonl", "--ordered", "--whole") == 0
    found = lines("a.jsonl")
    assert [(line["id"], line["answer"]) for line in found] == [
        ("7", "KIND? {} GOOD, AND\nLONG {X}"),
        ("8", "KIND? {} BAD"),
    ]
    assert found[0]["result"]["message"]["role"] == "assistant"


def test_failures_have_a_file_that_can_be_fed_again(
    url: str, formation: Formation, capsys: pytest.CaptureFixture[str]
) -> None:
    formation.refuse = lambda message: failure(403, "FORBIDDEN") if message == "m 3" else None
    write("prompts.jsonl", *({"message": f"m {number}", "tag": number} for number in range(6)))
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl") == 1
    found = lines("answers.jsonl")
    assert len(found) == 6
    assert found[3]["error"]["code"] == "FORBIDDEN"
    (failed,) = lines("answers.failed.jsonl")
    assert (failed["message"], failed["tag"], failed["error"]["status"]) == ("m 3", 3, 403)
    assert "1 failed: answers.failed.jsonl" in capsys.readouterr().err
    formation.refuse = lambda message: None
    assert batch(url, "answers.failed.jsonl", "--to", "again.jsonl") == 0
    assert [line["answer"] for line in lines("again.jsonl")] == ["M 3"]


def test_a_refused_key_ends_the_run_early_and_resuming_sends_all_again(
    url: str, formation: Formation, capsys: pytest.CaptureFixture[str]
) -> None:
    formation.refuse = lambda message: failure(401, "UNAUTHORIZED")
    write("prompts.jsonl", *(f"m {number}" for number in range(200)))
    arguments = ("prompts.jsonl", "--to", "answers.jsonl", "--concurrency", "4")
    assert batch(url, *arguments) == 3
    assert "UNAUTHORIZED" in capsys.readouterr().err
    assert formation.requests < 40
    formation.refuse = lambda message: None
    assert batch(url, *arguments, "--resume", "-q") == 0
    assert [line["answer"] for line in lines("answers.jsonl")] == [f"M {number}" for number in range(200)]
    assert capsys.readouterr().err == ""


def test_few_prompts_that_are_all_refused_end_likewise(url: str, formation: Formation) -> None:
    formation.refuse = lambda message: failure(401, "UNAUTHORIZED")
    write("prompts.jsonl", "one", "two")
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl") == 3


def test_an_earlier_run_is_not_overwritten(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("prompts.jsonl", "one")
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl") == 0
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl") == 2
    assert "--resume goes on" in capsys.readouterr().err
    Path("answers.jsonl.journal").unlink()
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl", "--resume") == 2
    assert "cannot be told from those of another run" in capsys.readouterr().err


def test_resuming_without_an_earlier_run_starts_and_a_second_time_changes_nothing(
    url: str, formation: Formation, capsys: pytest.CaptureFixture[str]
) -> None:
    write("prompts.jsonl", "one", "two")
    for _ in range(2):
        assert batch(url, "prompts.jsonl", "--to", "answers.jsonl", "--resume") == 0
        assert [line["answer"] for line in lines("answers.jsonl")] == ["ONE", "TWO"]
    assert formation.requests == 2
    assert "2 of them by an earlier run" in capsys.readouterr().err


def test_another_input_is_refused(url: str, formation: Formation, capsys: pytest.CaptureFixture[str]) -> None:
    write("prompts.jsonl", "one", "two")
    batch(url, "prompts.jsonl", "--to", "answers.jsonl")
    write("prompts.jsonl", "one", "other")
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl", "--resume") == 1
    assert "belongs to another input: its call 1" in capsys.readouterr().err
    assert [line["answer"] for line in lines("answers.jsonl")] == ["ONE", "TWO"]
    assert formation.requests == 2


def test_what_the_file_of_answers_lost_is_written_again_from_the_journal(url: str, formation: Formation) -> None:
    write("prompts.jsonl", "one", "two", "three")
    batch(url, "prompts.jsonl", "--to", "answers.jsonl", "--ordered")
    whole = Path("answers.jsonl").read_bytes()
    for cut in (0, 1, whole.index(b"\n"), whole.index(b"\n") + 1, len(whole) - 1):
        Path("answers.jsonl").write_bytes(whole[:cut])
        assert batch(url, "prompts.jsonl", "--to", "answers.jsonl", "--resume", "-q") == 0
        assert [line["answer"] for line in lines("answers.jsonl")] == ["ONE", "TWO", "THREE"]
    assert formation.requests == 3


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("{\n", "prompts.jsonl, line 1: it is not JSON"),
        ('"ok"\n7\n', "line 2: a text or an object"),
        ('"ok"\n\n{"text": "x"}\n', "line 3: there is no text in the field 'message'"),
        ("[" * 100_000, "line 1: it is not JSON"),
    ],
)
def test_an_invalid_prompt_is_named_before_anything_is_sent(
    url: str, formation: Formation, content: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("prompts.jsonl").write_text(content)
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl") == 2
    assert word in capsys.readouterr().err
    assert formation.requests == 0
    assert not Path("answers.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("a,a\n1,2\n", "two columns have the same name"),
        ("a,b\n1\n", "line 2: it has 1 fields, and the header has 2"),
        ('a\n"open', "line 2: "),
    ],
)
def test_an_invalid_table_is_named(url: str, content: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("prompts.csv").write_text(content)
    assert batch(url, "prompts.csv", "--template", "{a}", "--to", "answers.jsonl") == 2
    assert word in capsys.readouterr().err


def test_bytes_that_are_no_text_are_refused(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("prompts.jsonl").write_bytes(b'"\xff"\n')
    assert batch(url, "prompts.jsonl", "--to", "answers.jsonl") == 2
    assert "not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{}", "{0}", "{a.__class__}", "{a[b]}", "{a!r}", "{a:>9}", "{", "}"])
def test_a_template_has_names_only(text: str) -> None:
    with pytest.raises(CommandFailure, match="--template"):
        PromptTemplate(text)


def test_a_template_takes_values_as_they_are() -> None:
    assert PromptTemplate("a {b}{c} {{d}}").fill({"b": "ü", "c": {"x": [1]}}) == 'a ü{"x": [1]} {d}'


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.jsonl", "--to", "a"],
        ["prompts.jsonl"],
        ["prompts.jsonl", "--to", "prompts.jsonl"],
        ["prompts.jsonl", "--to", "a", "--failures", "a"],
        ["prompts.jsonl", "--to", "a", "--executor", "dask"],
        ["prompts.jsonl", "--to", "a", "--scheduler", "tcp://localhost:1"],
        ["prompts.jsonl", "--to", "a", "--concurrency", "0"],
        ["prompts.jsonl", "--to", "a", "--rate", "0"],
    ],
)
def test_wrong_use_sends_nothing(url: str, formation: Formation, arguments: list[str]) -> None:
    write("prompts.jsonl", "one")
    assert batch(url, *arguments) == 2
    assert formation.requests == 0


def test_a_file_of_others_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine\n")
    with pytest.raises(CommandFailure, match="not of an earlier run"):
        LineFile(str(path), resume=True)
    assert path.read_text() == "mine\n"
    assert list(tmp_path.iterdir()) == [path]


def test_progress_is_one_line() -> None:
    counts = BatchProgress(done=1200, failed=3, replayed=200, total=10_000, elapsed=10.0)
    assert describe(counts) == "1,200 of 10,000, 100/s, 1 min 28 s left, 3 failed"
    assert describe(BatchProgress(done=5, elapsed=1.0)) == "5, 5/s"


# -- as a process ------------------------------------------------------------------------------------------------------


def start(folder: Path, url: str, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUXI_")}
    return subprocess.Popen(
        [sys.executable, "-m", "muxi.cli", "batch", "prompts.jsonl", "--to", "answers.jsonl", "--url", url, *arguments],
        cwd=folder,
        env={**environment, "MUXI_CLIENT_KEY": "fmc_hushhush1", "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        # Whoever runs the tests in the background has the signal ignored, and would hand that down.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


class Counting(Formation):
    """A formation that sets an event at a request by its number."""

    def __init__(self, at: int) -> None:
        super().__init__(self._count)
        self.at = at
        self.reached = threading.Event()

    def _count(self, message: str) -> None:
        if self.requests >= self.at:
            self.reached.set()


@pytest.mark.slow  # starts a process and a terminal
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals here")
def test_a_terminal_sees_a_bar_and_a_pipe_does_not(tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text("".join(f'"m {number}"\n' for number in range(12)))
    ours, theirs = os.openpty()
    shown: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # the terminal is gone
            while piece := os.read(ours, 4096):
                shown.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    with serving(Formation(), delay=0.01) as url:
        with start(tmp_path, url, "--concurrency", "2", stderr=theirs) as running:
            os.close(theirs)
            out, _ = running.communicate(timeout=60)
        reader.join(10)
        os.close(ours)
        assert (running.returncode, out) == (0, "")
        assert b"12/12" in b"".join(shown)
        with start(tmp_path, url, "--resume") as running:
            _, err = running.communicate(timeout=60)
    assert "\x1b" not in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_processes_find_the_key_in_their_environment(tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text('"one"\n"two"\n')
    with serving(Formation()) as url:
        with start(tmp_path, url, "--executor", "processes", "--concurrency", "2") as running:
            _, err = running.communicate(timeout=120)
        assert running.returncode == 0, err
    assert (tmp_path / "answers.jsonl").read_text().count("\n") == 2


@pytest.mark.slow  # starts a process and a terminal
def test_ctrl_c_ends_the_command_and_resuming_finishes_it(tmp_path: Path) -> None:
    formation = Counting(6)
    (tmp_path / "prompts.jsonl").write_text("".join(f'"m {number}"\n' for number in range(60)))
    with serving(formation, delay=0.02) as url:
        with start(tmp_path, url, "--concurrency", "3") as running:
            assert formation.reached.wait(30)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=30)
        assert running.returncode == 130, err
        assert "--resume goes on" in err
        assert "Traceback" not in err
        with start(tmp_path, url, "--resume", "--concurrency", "30") as running:
            _, err = running.communicate(timeout=30)
        assert running.returncode == 0, err
    found = sorted(json.loads(line)["position"] for line in (tmp_path / "answers.jsonl").read_text().splitlines())
    assert found == list(range(60))
    assert set(formation.work.values()) == {1}


@pytest.mark.slow
def test_the_command_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    source = random.Random(3)
    formation = Counting(0)
    (tmp_path / "prompts.jsonl").write_text("".join(f'"m {number}"\n' for number in range(400)))
    with serving(formation, delay=0.005) as url:
        for _ in range(20):
            formation.at = formation.requests + source.randint(1, 15)
            formation.reached.clear()
            with start(tmp_path, url, "--resume", "--concurrency", "8") as running:
                formation.reached.wait(10)
                threading.Event().wait(source.uniform(0, 0.01))
                running.kill()
        with start(tmp_path, url, "--resume", "--concurrency", "32") as running:
            _, err = running.communicate(timeout=60)
        assert running.returncode == 0, err
    found = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert sorted(line["position"] for line in found) == list(range(400))
    assert all(line["answer"] == f"M {line['position']}" for line in found)
    assert set(formation.work.values()) == {1}
