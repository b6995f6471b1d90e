"""The journal: what is done is not done again, what was in flight only where that is safe, and nothing is lost."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from muxi import ConfigurationError, FormationClient, batch, meta
from muxi.batch import Journal, JournalBusy, JournalError, JournalMismatch, OutcomeUnknown
from muxi.batch.identity import digest_of, key_of
from muxi.batch.journal import JournalFile
from muxi.batch.records import JournalHeader, begun_line, header_line
from muxi.call import Call, Repeat
from tests.answers import failure
from tests.batch.support import Caller, Formation, chats, text_of, unsafe

ID = "0123456789abcdef" * 2


def killed(path: Path, *calls: Call[Any]) -> None:
    """Write the journal of a run that was killed while these calls were in flight."""
    lines = [begun_line(position, digest_of(call)) for position, call in enumerate(calls)]
    path.write_bytes(header_line(JournalHeader(ID, "formation under test")) + b"".join(lines))


def test_what_is_done_is_not_done_again(caller: Caller, formation: Formation, path: Path) -> None:
    calls = chats(30)
    part = caller.collect(calls, caller.recipe(formation), journal=path, most=11, concurrency=4)
    assert len(part) == 11
    whole = caller.collect(calls, caller.recipe(formation), journal=path)
    again = caller.collect(calls, caller.recipe(formation), journal=path)
    assert sorted(result.position for result in whole) == list(range(30))
    assert all(text_of(result) == f"MESSAGE {result.position}" for result in again)
    assert all(result.replayed for result in again)
    assert set(formation.work.values()) == {1}
    assert formation.requests == 30


def test_a_result_is_on_disk_before_it_is_yielded(caller: Caller, formation: Formation, path: Path) -> None:
    for result in caller.results(chats(20), caller.recipe(formation), journal=path, concurrency=3):
        done = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert result.position in [record.get("done") for record in done]


def test_a_result_comes_back_whole(caller: Caller, formation: Formation, path: Path) -> None:
    first = caller.collect(chats(1), caller.recipe(formation), journal=path)[0]
    second = caller.collect(chats(1), caller.recipe(formation), journal=path)[0]
    assert second.value == first.value
    assert meta(second.value) == meta(first.value)
    assert second.attempts == first.attempts
    assert second.elapsed == pytest.approx(first.elapsed, abs=1e-5)


def test_an_error_comes_back_whole(caller: Caller, path: Path) -> None:
    formation = Formation(lambda message: failure(500, "BROKEN", "No.", **{"Retry-After": "900"}))
    first = caller.collect(chats(1), caller.recipe(formation), journal=path)[0].error
    second = caller.collect(chats(1), caller.recipe(formation), journal=path)[0].error
    assert first is not None
    assert type(second) is type(first)
    assert str(second) == str(first)
    assert (second.retry_after, second.attempts, second.call) == (900, 1, first.call)
    assert formation.requests == 1


def test_a_failure_after_which_the_call_may_be_repeated_is_repeated_by_the_next_run(caller: Caller, path: Path) -> None:
    formation = Formation()
    calls = [*chats(4), unsafe(0), unsafe(1)]
    answers = {
        "message 0": failure(401, "UNAUTHORIZED"),
        "message 1": failure(503, "STARTING", **{"Retry-After": "900"}),
        "message 2": failure(502, "BAD_GATEWAY"),
        "message 3": failure(400, "WRONG"),
        "notify 0": failure(502, "BAD_GATEWAY"),
        "notify 1": failure(401, "UNAUTHORIZED"),
    }
    formation.refuse = answers.get
    recipe = caller.recipe(formation, max_retries=0)
    first = caller.collect(calls, recipe, journal=path, ordered=True)
    assert not any(result.ok for result in first)
    keys = dict(formation.keys)
    formation.refuse = lambda message: None
    second = caller.collect(calls, recipe, journal=path, ordered=True)
    # An answer of the platform is final, and a call that may have run and must not run twice.
    assert [result.ok for result in second] == [True, True, True, False, False, True]
    assert [result.replayed for result in second] == [not result.ok for result in second]
    assert keys.keys() <= formation.keys.keys()


def test_a_batch_is_opened_by_its_block(caller: Caller, formation: Formation, path: Path) -> None:
    if caller.colour == "sync":
        with batch.run(chats(1), caller.recipe(formation), journal=path):
            assert path.exists()
    else:
        asyncio.run(_enter(batch.run_async(chats(1), caller.recipe(formation), journal=path)))
        assert path.exists()
    assert formation.requests == 0
    assert len(caller.collect(chats(1), caller.recipe(formation), journal=path)) == 1


async def _enter(running: batch.AsyncBatch[Any]) -> None:
    async with running:
        pass


def test_a_keyed_call_in_flight_is_sent_again_with_the_key_of_its_place(
    caller: Caller, formation: Formation, path: Path
) -> None:
    calls = chats(3)
    killed(path, *calls)
    results = caller.collect(calls, caller.recipe(formation), journal=path, ordered=True)
    assert all(result.ok for result in results)
    assert set(formation.keys) == {key_of(ID, position) for position in range(3)}


def test_a_call_that_must_not_run_twice_is_not_sent_again(caller: Caller, formation: Formation, path: Path) -> None:
    calls = [unsafe(0), unsafe(1), *chats(1), unsafe(3)]
    killed(path, *calls[:3])
    results = caller.collect(calls, caller.recipe(formation), journal=path, ordered=True)
    assert [result.ok for result in results] == [False, False, True, True]
    for result in results[:2]:
        assert isinstance(result.error, OutcomeUnknown)
        assert (result.error.code, result.attempts) == ("INTERRUPTED", 0)
        assert "may have run" in str(result.error)
        assert "POST /notifications" in str(result.error)
    assert dict(formation.work) == {"message 0": 1, "notify 3": 1}
    again = caller.collect(calls, caller.recipe(formation), journal=path, ordered=True)
    assert [type(result.error) for result in again] == [type(result.error) for result in results]
    assert formation.requests == 2


def test_a_removal_in_flight_that_finds_nothing_was_done(caller: Caller, path: Path) -> None:
    formation = Formation(lambda message: failure(404, "MEMORY_NOT_FOUND", "There is none."))
    call = FormationClient.delete_memory.call("m1", "ada")
    killed(path, call)
    other = FormationClient.delete_memory.call("m2", "ada")
    done, failed = caller.collect([call, other], caller.recipe(formation), journal=path, ordered=True)
    assert (done.ok, done.value) == (True, {})
    assert not failed.ok


def test_a_call_taken_back_is_sent_by_the_next_run(formation: Formation, path: Path) -> None:
    calls = [unsafe(0)]
    killed(path, *calls)
    with path.open("ab") as file:
        file.write(b'{"unsent":0}\n')
    assert Caller("sync").collect(calls, Caller("sync").recipe(formation), journal=path)[0].ok


def test_without_an_earlier_run_it_simply_starts(caller: Caller, formation: Formation, path: Path) -> None:
    path.touch()
    assert len(caller.collect(chats(2), caller.recipe(formation), journal=path)) == 2
    assert path.stat().st_mode & 0o777 == 0o644 or os.name == "nt"
    fresh = path.with_name("fresh.jsonl")
    assert len(caller.collect(chats(2), caller.recipe(formation), journal=str(fresh))) == 2
    assert fresh.stat().st_mode & 0o077 == 0 or os.name == "nt"


# -- it belongs to its input and its client ----------------------------------------------------------------------------


def test_another_input_is_refused_before_anything_is_sent(caller: Caller, formation: Formation, path: Path) -> None:
    caller.collect(chats(5), caller.recipe(formation), journal=path)
    sent = formation.requests
    others = [*chats(4), *chats(1, "another")]
    with pytest.raises(JournalMismatch, match="its call 4 is not this one"):
        caller.collect(others, caller.recipe(formation), journal=path)
    with pytest.raises(JournalMismatch, match="it has 5 calls, and these are 4"):
        caller.collect(chats(4), caller.recipe(formation), journal=path)
    assert formation.requests == sent


def test_another_input_that_comes_piece_by_piece_is_refused_where_it_differs(
    caller: Caller, formation: Formation, path: Path
) -> None:
    caller.collect(chats(5), caller.recipe(formation), journal=path)
    with pytest.raises(JournalMismatch, match="its call 0"):
        caller.collect(iter(chats(5, "another")), caller.recipe(formation), journal=path)
    with pytest.raises(JournalMismatch, match="these are 2"):
        caller.collect(iter(chats(2)), caller.recipe(formation), journal=path)
    assert formation.requests == 5


def test_a_longer_input_goes_on_where_the_shorter_one_ended(caller: Caller, formation: Formation, path: Path) -> None:
    caller.collect(chats(5), caller.recipe(formation), journal=path)
    assert len(caller.collect(chats(8), caller.recipe(formation), journal=path)) == 8
    assert set(formation.work.values()) == {1}


def test_another_client_is_refused(caller: Caller, formation: Formation, path: Path) -> None:
    caller.collect(chats(2), caller.recipe(formation), journal=path)
    before = path.read_bytes()
    other = batch.ClientRecipe(caller.recipe(formation), name="another formation")
    with pytest.raises(JournalMismatch, match="belongs to the client 'formation under test'"):
        caller.collect(chats(2), other, journal=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/other"},
        {"params": {"a": "b"}},
        {"query": {"a": 1}},
        {"body": {"message": "other"}},
        {"headers": {"X-Other": "1"}},
        {"user_id": "bob"},
        {"content": b"abc", "body": None},
        {"content": Path("file"), "body": None},
        {"into": "file"},
    ],
)
def test_calls_differ_in_everything_that_they_send(change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"method": "POST", "path": "/x", "body": {"message": "x"}, "user_id": "ada"}
    assert digest_of(Call(**given)) == digest_of(Call(**given))
    assert digest_of(Call(**given)) != digest_of(Call(**{**given, **change}))


def test_secrets_are_not_part_of_a_digest() -> None:
    def call(secret: str) -> Call[Any]:
        return Call("POST", "/secrets", body={"key": "NAME", "value": secret}, headers={"Authorization": secret})

    assert digest_of(call("hushhush1")) == digest_of(call('"quoted" hush\u00e9'))


def test_content_that_is_read_once_cannot_be_in_a_journal(caller: Caller, formation: Formation, path: Path) -> None:
    call: Call[Any] = Call("PUT", "/x", content=iter([b"x"]))
    result = caller.collect([call], caller.recipe(formation), journal=path)[0]
    assert isinstance(result.error, ConfigurationError)
    assert "cannot be in a journal" in str(result.error)
    assert formation.requests == 0


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_a_journal_holds_no_secret(caller: Caller, path: Path) -> None:
    secret = "muxi_sk_verysecret1"
    formation = Formation(lambda message: failure(400, "BAD", f"no {secret}") if message == "message 1" else None)
    calls = [
        *chats(2),
        FormationClient.create_secret.call("NAME", "topsecret99"),
        Call[Any]("POST", "/x", headers={"Authorization": "Bearer topsecret98"}, repeat=Repeat.SAFE),
    ]
    recipe = caller.recipe(formation, admin_key="fma_hushhush2")
    caller.collect(calls, recipe, journal=path)
    text = path.read_text()
    for word in ("verysecret1", "topsecret", "hushhush"):
        assert word not in text


def test_secret_fields_of_a_result_are_masked(path: Path) -> None:
    from muxi.batch.records import done_line
    from muxi.batch.values import CallReply

    line = done_line(0, ID, CallReply(value={"list": [{"api_key": "topsecret"}], "total_tokens": 7, "text": "kept"}))
    assert json.loads(line)["value"] == {"list": [{"api_key": "[redacted]"}], "total_tokens": 7, "text": "kept"}


# -- locks, forks and disks --------------------------------------------------------------------------------------------


def test_two_batches_do_not_share_a_journal(caller: Caller, formation: Formation, path: Path) -> None:
    results = caller.results(chats(5), caller.recipe(formation), journal=path)
    next(results)
    with pytest.raises(JournalBusy, match="another batch"):
        caller.collect(chats(5), caller.recipe(formation), journal=path)
    results.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(caller.collect(chats(5), caller.recipe(formation), journal=path)) == 5


def test_two_processes_do_not_share_a_journal(path: Path) -> None:
    held = JournalFile(Journal(path), "client")
    code = (
        "import sys\nfrom muxi.batch.journal import Journal, JournalFile\nfrom muxi.batch import JournalBusy\n"
        "try:\n    JournalFile(Journal(sys.argv[1]), 'client')\nexcept JournalBusy:\n    print('busy')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    held.close()
    assert done.stdout.strip() == "busy"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_the_child_of_a_fork_neither_writes_nor_keeps_the_lock(path: Path) -> None:
    held = JournalFile(Journal(path), "client")
    tried, told = os.pipe()
    ends, end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            held.write([b"x\n"], sync=True)
        except JournalError:
            status = 0
        os.write(told, b"x")
        os.close(end)
        os.read(ends, 1)  # until the parent has tried
        os._exit(status)
    os.read(tried, 1)
    held.close()
    JournalFile(Journal(path), "client").close()  # the child is alive
    os.close(end)
    assert os.waitpid(child, 0)[1] == 0
    for descriptor in (tried, told, ends):
        os.close(descriptor)


def test_a_full_disk_ends_the_batch_and_gives_the_results_that_could_not_be_written(
    caller: Caller, formation: Formation, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = os.write
    left = 2500

    def fill(descriptor: int, data: Any) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = written(descriptor, bytes(data)[:left])
        left -= count
        return count

    results: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fill)
        with pytest.raises(JournalError, match="No space left") as caught:
            results.extend(caller.results(chats(50), caller.recipe(formation), journal=path, concurrency=4))
    assert caught.value.code == "JOURNAL_UNWRITABLE"
    assert path.read_bytes().endswith(b"\n")
    # Each call that was carried out is a result, on disk or in the error.
    lost = caught.value.results
    on_disk = {record["done"] for line in path.read_bytes().splitlines() if "done" in (record := json.loads(line))}
    assert len(on_disk | {result.position for result in lost}) == formation.requests
    assert {result.position for result in results} <= on_disk
    caller.collect(chats(50), caller.recipe(formation), journal=path)
    assert set(formation.work.values()) == {1}


def test_results_that_are_no_json_are_reported_by_the_next_run(path: Path) -> None:
    from muxi.batch.records import DoneRecord, done_line, parse
    from muxi.batch.values import CallReply

    nested: list[Any] = []
    for _ in range(500):
        nested = [nested]
    for value in ({1, 2}, object(), nested):
        record = parse(done_line(0, ID, CallReply(value=value)), 1)
        assert isinstance(record, DoneRecord)
        assert record.reply.error is not None
        assert record.reply.error.code == "NOT_STORED"


@pytest.mark.parametrize("kind", ["folder", "missing folder", "device"])
def test_a_path_that_cannot_be_a_journal_is_refused(kind: str, tmp_path: Path, formation: Formation) -> None:
    paths = {"folder": str(tmp_path), "missing folder": str(tmp_path / "a" / "b"), "device": os.devnull}
    caller = Caller("sync")
    with pytest.raises(JournalError, match="the journal"):
        caller.collect(chats(1), caller.recipe(formation), journal=paths[kind])
    assert formation.requests == 0


def test_a_text_that_is_no_path_is_no_journal(formation: Formation) -> None:
    caller = Caller("sync")
    with pytest.raises(ConfigurationError, match="journal= takes"):
        caller.collect(chats(1), caller.recipe(formation), journal="a\0b")
    assert formation.requests == 0
