"""A batch that is killed at any moment and started again has every result, and each keyed call ran once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from muxi.transport import BufferedResponse
from tests.batch.support import Formation, serving

PROGRAM = Path(__file__).parent / "programs" / "run_until_killed.py"
COUNT = 60


class Watched(Formation):
    """A formation that sets an event when so many requests have come since the last time."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self._at = 0

    def wait_for(self, more: int) -> None:
        self._at = self.requests + more
        self.reached.clear()

    def handle(self, method: str, path: str, key: str | None, body: bytes) -> BufferedResponse:
        if self.requests + 1 >= self._at:
            self.reached.set()
        return super().handle(method, path, key, body)


def start(url: str, folder: Path, colour: str) -> subprocess.Popen[str]:
    """Start the program, and return once it runs."""
    arguments = [url, str(folder / "run.jsonl"), str(folder / "output"), str(COUNT), colour]
    root = str(Path(__file__).parents[2])
    running = subprocess.Popen(
        [sys.executable, str(PROGRAM), *arguments],
        env={"PYTHONPATH": root, "MUXI_TRACING": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "started\n"
    return running


def set_at_end(running: subprocess.Popen[str], event: threading.Event) -> None:
    """Set an event when a program has ended."""
    running.wait()
    event.set()


def run_with_kills(folder: Path, colour: str, kills: int, choose: Callable[[], tuple[int, float]]) -> int:
    """Run a batch to its end, killed that often at the most on the way, and check everything; the number of kills."""
    formation = Watched()
    done = 0
    with serving(formation, delay=0.003) as url:
        while True:
            requests, wait = choose()
            formation.wait_for(requests)
            running = start(url, folder, colour)
            assert running.stdout is not None
            # A batch that is through sends no more requests.
            threading.Thread(target=set_at_end, args=(running, formation.reached), daemon=True).start()
            if done < kills:
                # So many requests, and a moment more: in the middle of whatever the batch does then.
                formation.reached.wait(30 if requests < COUNT else 0.3)
                threading.Event().wait(wait)
                running.kill()
            ended = running.wait(60) == 0
            running.stdout.close()
            if ended:
                break
            done += 1
    check(formation, folder)
    return done


def check(formation: Watched, folder: Path) -> None:
    lines = (folder / "output").read_text().splitlines()
    outcomes = dict(line.split() for line in lines)
    assert len(lines) == COUNT
    assert sorted(outcomes, key=int) == [str(number) for number in range(COUNT)]
    for number in range(COUNT):
        ran = formation.work[f"message {number}"]
        if number % 7 == 6:
            # Never twice; and what is not known to have run says so.
            assert (outcomes[str(number)], ran) in (("ok", 1), ("INTERRUPTED", 1), ("INTERRUPTED", 0)), number
        else:
            assert (outcomes[str(number)], ran) == ("ok", 1), number
    # One key for each keyed call, however often it was sent, and never one key for two calls.
    assert len(formation.by_key) == COUNT - COUNT // 7 - (COUNT % 7 > 6)
    assert Counter(len(messages) for messages in formation.by_key.values()).keys() == {1}


@pytest.mark.slow  # starts interpreters and kills them
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_killed_batch_goes_on_where_it_was(tmp_path: Path, colour: str) -> None:
    moments = iter([(1, 0.0), (17, 0.001), (0, 0.0), (0, 0.0)])
    assert run_with_kills(tmp_path, colour, 2, lambda: next(moments)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_batch_killed_at_a_hundred_moments_loses_nothing(tmp_path: Path, colour: str) -> None:
    source = random.Random(7)
    kills = batches = 0
    while kills < 100:
        folder = tmp_path / str(batches)
        folder.mkdir()
        # Few requests between two kills, so that one batch is killed many times.
        kills += run_with_kills(
            folder, colour, 100 - kills, lambda: (source.randint(0, 12), source.choice([0.0, source.uniform(0, 0.02)]))
        )
        batches += 1
    assert kills == 100
