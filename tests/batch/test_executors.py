"""Executors: threads, processes and those of others, which lose workers and bring nothing back."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from muxi import ConfigurationError, FormationClient, FormationConfig, NotFoundError, batch, hookimpl
from muxi.batch import BatchError, ExecutorBroken, OutcomeUnknown
from muxi.batch.values import BatchJob, CallReply
from muxi.batch.work import pack, perform_packed, unpack
from muxi.call import Call
from tests.answers import failure
from tests.batch.executors import Foreign, make_client, recipe_of, serve_by_name
from tests.batch.support import Caller, Formation, chats, serving, text_of, unsafe


@pytest.fixture(autouse=True)
def _known(formation: Formation) -> None:
    serve_by_name(formation)


def collect(calls: Any, executor: Any, into: list[Any] | None = None, **settings: Any) -> list[Any]:
    found = [] if into is None else into
    for result in batch.run(calls, settings.pop("recipe", None) or recipe_of(), executor=executor, **settings):
        found.append(result)
    return found


def test_threads_of_the_caller_are_used_and_left_open(formation: Formation) -> None:
    with ThreadPoolExecutor(3) as pool:
        results = collect(chats(20), pool, recipe=Caller("sync").recipe(formation))
        assert all(result.ok for result in results)
        assert pool.submit(int).result() == 0


def test_a_foreign_executor_gets_bytes_and_brings_results(formation: Formation) -> None:
    formation.refuse = lambda message: failure(404, "NONE") if message == "message 3" else None
    results = collect(chats(10), Foreign(), ordered=True)
    assert [text_of(result) for result in results if result.ok] == [f"MESSAGE {n}" for n in range(10) if n != 3]
    assert isinstance(results[3].error, NotFoundError)


def test_a_worker_keeps_its_client(formation: Formation, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[FormationClient] = []

    def with_options(self: FormationClient, **changes: Any) -> FormationClient:
        made.append(self)
        return self

    monkeypatch.setattr(FormationClient, "with_options", with_options)
    collect(chats(10), Foreign())
    assert len(made) == 1


def test_a_lost_executor_ends_the_batch_after_everything_was_reported(formation: Formation, path: Path) -> None:
    results: list[Any] = []
    with pytest.raises(ExecutorBroken, match="takes no more calls"):
        collect(chats(100), Foreign(lose=(4,)), results, concurrency=3, journal=path)
    assert sorted(result.position for result in results) == list(range(len(results)))
    codes = {result.position: result.error.code for result in results if not result.ok}
    assert codes.pop(4) == "WORKER_LOST"
    assert set(codes.values()) <= {"NOT_SENT"}
    # The same batch over another executor has everything, and each call ran once.
    again = collect(chats(100), Foreign(), journal=path)
    assert len(again) == 100
    assert all(result.ok for result in again)
    assert set(formation.work.values()) == {1}


def test_a_call_that_must_not_run_twice_is_not_sent_again_after_a_loss(formation: Formation, path: Path) -> None:
    calls = [unsafe(0), unsafe(1)]
    results: list[Any] = []
    with pytest.raises(ExecutorBroken):
        collect(calls, Foreign(lose=(0,)), results, journal=path, concurrency=1, runs_once=True)
    assert [(type(result.error), result.error.code) for result in results] == [(OutcomeUnknown, "WORKER_LOST")]
    again = collect(calls, Foreign(), journal=path, ordered=True, runs_once=True)
    assert isinstance(again[0].error, OutcomeUnknown)
    assert again[1].ok
    assert dict(formation.work) == {"notify 0": 1, "notify 1": 1}


def test_an_executor_that_may_run_a_task_twice_gets_no_call_that_must_not(formation: Formation) -> None:
    refused, chat = collect([unsafe(), *chats(1)], Foreign(), ordered=True)
    assert (refused.error.code, refused.attempts) == ("MAY_RUN_TWICE", 0)
    assert "runs_once=True" in str(refused.error)
    assert chat.ok
    assert "notify 0" not in formation.work


def test_an_executor_that_loses_a_task_and_goes_on_loses_one_result(formation: Formation) -> None:
    results = collect(chats(10), Foreign(lose=(2,), error=RuntimeError, broken=False), ordered=True)
    assert [result.ok for result in results] == [position != 2 for position in range(10)]
    assert isinstance(results[2].error, OutcomeUnknown)
    assert "a worker was lost" in str(results[2].error)


def test_an_executor_that_was_shut_down_has_sent_nothing(formation: Formation) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    results: list[Any] = []
    with pytest.raises(ExecutorBroken):
        collect(chats(5), pool, results, concurrency=2, recipe=Caller("sync").recipe(formation))
    assert {result.error.code for result in results} == {"NOT_SENT"}
    assert formation.requests == 0


# -- what does not pickle ----------------------------------------------------------------------------------------------


def test_a_call_that_does_not_pickle_is_an_error_and_nothing_is_sent(formation: Formation) -> None:
    call: Call[Any] = Call("GET", "/x", into="file", progress=lambda done, total: None)
    odd, fine = collect([call, *chats(1)], Foreign(), ordered=True)
    assert (type(odd.error), odd.error.code) == (BatchError, "CALL_NOT_PICKLED")
    assert fine.ok


class Unpicklable(Exception):
    """An exception that pickles and cannot be made anew."""

    def __init__(self, one: object, two: object) -> None:
        super().__init__(one)


class Raising:
    """A plugin whose exception does not pickle."""

    name = "raising"

    @hookimpl
    def muxi_prepare_request(self) -> None:
        raise Unpicklable(lambda: None, open)


def make_raising() -> FormationClient:
    return FormationClient(url="https://formation", client_key="k", plugins=[Raising()])


def make_nothing() -> FormationClient:
    raise Unpicklable(lambda: None, open)


@pytest.mark.parametrize("make", [make_raising, make_nothing])
def test_an_exception_that_does_not_pickle_comes_back_typed(make: Any) -> None:
    (result,) = collect(chats(1), Foreign(), recipe=recipe_of(make))
    assert "Unpicklable" in str(result.error) or "Unpicklable" in str(result.error.__cause__)
    assert pickle.loads(pickle.dumps(result.error)).code == result.error.code  # noqa: S301  our own


class Holding:
    """A plugin that puts something into results which does not pickle."""

    name = "holding"

    @hookimpl
    def muxi_call_finished(self, outcome: Any) -> None:
        outcome.result["handle"] = lambda: None


def make_holding() -> FormationClient:
    return make_client(plugins=[Holding()])


def test_an_answer_that_cannot_travel_back_is_said_to_be_lost() -> None:
    (result,) = collect(chats(1), Foreign(), recipe=recipe_of(make_holding))
    assert (type(result.error), result.error.code) == (OutcomeUnknown, "ANSWER_LOST")
    assert "the call has run" in str(result.error)


def test_a_worker_without_the_recipes_module_says_so() -> None:
    reply = unpack(perform_packed(pickle.dumps(("token", b"no pickle", pickle.dumps(BatchJob(0, chats(1)[0]))))))
    assert isinstance(reply, CallReply)
    assert reply.error is not None
    assert reply.error.code == "CALL_RAISED"
    assert b"token" in pack("token", b"", BatchJob(0, chats(1)[0]))


@pytest.mark.parametrize("executor", ["processes", Foreign()])
def test_a_recipe_with_keys_does_not_travel(executor: Any) -> None:
    config = FormationConfig(url="http://localhost:1", client_key="fmc_hushhush1")
    with pytest.raises(ConfigurationError, match="keys from the environment") as caught:
        collect(chats(1), executor, recipe=config)
    assert "hush" not in str(caught.value)


# -- processes of the batch's own --------------------------------------------------------------------------------------

ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[2]), "MUXI_TRACING": "0", "MUXI_CLIENT_KEY": "fmc_hushhush1"}


HEAD = "import sys\nfrom muxi import FormationClient, FormationConfig, batch\n"


def program(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that has a batch in it."""
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + code, *arguments],
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has the signal ignored, and would hand that down.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
    )


PROCESSES = """
import multiprocessing
import os

def main():
    calls = (FormationClient.chat.call(f"message {n}", user_id="ada") for n in range(24))
    killed = False
    for result in batch.run(calls, FormationConfig(url=sys.argv[1]), executor="processes", concurrency=3):
        print(result.position, result.ok, result.error, flush=True)
        if not killed and result.position > 5:
            os.kill(multiprocessing.active_children()[0].pid, 9)
            killed = True

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_a_lost_process_is_replaced_and_its_calls_join_the_first(formation: Formation, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(HEAD + PROCESSES)
    with serving(formation, delay=0.05) as url:
        done = subprocess.run(
            [sys.executable, str(script), url],
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    lines = sorted((line.split(" ", 2) for line in done.stdout.splitlines()), key=lambda line: int(line[0]))
    assert [line[:2] for line in lines] == [[str(n), "True"] for n in range(24)]
    assert set(formation.work.values()) == {1}


INTERRUPTED = """
import threading
calls = (FormationClient.chat.call(f"message {n}", user_id="ada") for n in range(10_000))
settings = {"journal": sys.argv[2], "concurrency": 4}
try:
    if sys.argv[3] == "with":
        with batch.run(calls, FormationConfig(url=sys.argv[1]), **settings) as results:
            for result in results:
                print(result.position, flush=True)
    else:
        for result in batch.run(calls, FormationConfig(url=sys.argv[1]), **settings):
            print(result.position, flush=True)
except KeyboardInterrupt:
    print("interrupted", threading.active_count(), flush=True)
"""


@pytest.mark.parametrize("form", ["with", "for"])
def test_ctrl_c_ends_a_batch_cleanly(formation: Formation, path: Path, form: str) -> None:
    with serving(formation, delay=0.02) as url:
        with program(INTERRUPTED, url, str(path), form) as running:
            assert running.stdout is not None
            for _ in range(6):
                running.stdout.readline()
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=30)
        assert ("interrupted 1\n" if form == "with" else "interrupted") in out, err
        assert (running.returncode, err) == (0, "")
        # Whatever was carried out is written down, at the latest when the process ends.
        assert path.read_bytes().count(b'"done"') == sum(formation.work.values())
        assert formation.under_way == 0


KEPT_WAITING = """
if __name__ == "__main__":
    calls = (FormationClient.chat.call(f"message {n}", user_id="ada") for n in range(100))
    for result in batch.run(calls, FormationConfig(url=sys.argv[1]), executor="processes", concurrency=2):
        print(result.position, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_processes_end_with_a_parent_that_is_killed(formation: Formation, tmp_path: Path) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(HEAD + KEPT_WAITING)
    with serving(formation, delay=0.05) as url:
        running = subprocess.Popen(
            [sys.executable, str(script), url],
            env={**os.environ, **ENVIRONMENT},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert running.stdout is not None
        assert running.stdout.readline().strip().isdigit()
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        assert len(children) >= 2
        running.kill()
        running.wait()
        running.stdout.close()
        until = time.monotonic() + 20
        while any(_runs(child) for child in children):
            assert time.monotonic() < until, children
            time.sleep(0.02)


def _runs(child: str) -> bool:
    try:
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
