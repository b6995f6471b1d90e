"""Journals are hostile input: cut anywhere they are repaired, anything foreign is refused and left as it was."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muxi import errors
from muxi.batch import Journal, JournalError, records
from muxi.batch.errors import BatchError
from muxi.batch.journal import JournalFile
from muxi.batch.records import (
    BegunRecord,
    DoneRecord,
    JournalHeader,
    UnsentRecord,
    begun_line,
    done_line,
    header_line,
    parse,
    unsent_line,
)
from muxi.batch.values import CallReply
from muxi.errors import MuxiError
from muxi.result import Meta, Result
from tests.batch.support import Caller, Formation, chats

ID = "0123456789abcdef" * 2
HEADER = header_line(JournalHeader(ID, "client"))

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)


def opened(path: Path) -> JournalFile:
    return JournalFile(Journal(path, fsync=False), "client")


def test_a_journal_cut_at_any_byte_is_repaired(tmp_path: Path, formation: Formation) -> None:
    caller = Caller("sync")
    path = tmp_path / "run.jsonl"
    caller.collect(chats(2), caller.recipe(formation), journal=path, concurrency=2)
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        file = JournalFile(Journal(path, fsync=False), "formation under test")
        kept = path.read_bytes()
        assert kept.endswith(b"\n")
        assert cut < whole.index(b"\n") + 1 or kept == whole[: whole.rfind(b"\n", 0, cut) + 1]
        assert len(file.done) == kept.count(b'"done"')
        assert len(file.begun) + len(file.done) == kept.count(b'"begun"')
        file.close()


@pytest.mark.parametrize(
    "content",
    [
        b"notes of mine",
        b"notes of mine\n",
        b"{}\n",
        b"[]\n",
        b"\n",
        b"\xff\xfe\n",
        b'{"muxi-batch":2,"id":"' + ID.encode() + b'","client":"client"}\n',
        b'{"muxi-batch":true,"id":"' + ID.encode() + b'","client":"client"}\n',
        b'{"muxi-batch":1,"id":"../../x","client":"client"}\n',
        b'{"muxi-batch":1,"id":"' + ID.encode() + b'","client":7}\n',
        b"[" * 100_000 + b"\n",
        HEADER + b"garbage\n" + begun_line(0, ID),
        HEADER + HEADER,
        begun_line(0, ID),
        HEADER + done_line(0, ID, CallReply(value=1)),
        HEADER + begun_line(0, ID) + done_line(0, "f" * 32, CallReply(value=1)),
        HEADER + begun_line(0, ID) + begun_line(0, ID),
        HEADER + unsent_line(3),
        HEADER + b'{"begun":-1,"call":"' + ID.encode() + b'"}\n',
        HEADER + b'{"begun":1e3,"call":"' + ID.encode() + b'"}\n',
        HEADER + b'{"begun":' + b"9" * 5000 + b',"call":"' + ID.encode() + b'"}\n',
    ],
)
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_was(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="nothing has been sent") as caught:
        opened(path)
    assert path.read_bytes() == content
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_lines_are_bounded(end: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muxi.batch.journal.MAX_LINE", 500)
    path = tmp_path / "run.jsonl"
    path.write_bytes(HEADER + b"x" * 10_000 + end)
    with pytest.raises(JournalError, match="longer than 500 bytes"):
        opened(path)


def test_a_result_longer_than_a_line_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_LINE", 500)
    record = parse(done_line(0, ID, CallReply(value="x" * 600)), 1)
    assert isinstance(record, DoneRecord)
    assert record.reply.error is not None
    assert "longer than 500 bytes" in str(record.reply.error)


def test_a_file_that_changes_while_it_is_used_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(HEADER + begun_line(0, ID) + done_line(0, ID, CallReply(value=1)))
    file = opened(path)
    path.write_bytes(HEADER + b"x" * 500 + b"\n")
    with pytest.raises(JournalError):
        file.look_up(0)
    file.close()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_journal_or_an_error_of_ours(data: bytes) -> None:
    with suppress(JournalError):
        parse(data, 1)


@settings(max_examples=40)
@given(JSON)
def test_any_json_is_a_record_or_an_error_of_ours(value: Any) -> None:
    for record in (
        value,
        {"done": 0, "call": ID, "attempts": 1, "elapsed": 1, "value": {}, "meta": value},
        {"done": 0, "call": ID, "attempts": 1, "elapsed": 1, "error": value},
        {"done": 0, "call": ID, "attempts": value, "elapsed": value, "value": 1},
        {"begun": value, "call": value},
        {"unsent": value},
    ):
        with suppress(JournalError):
            found = parse(json.dumps(record).encode(), 1)
            assert isinstance(found, JournalHeader | BegunRecord | DoneRecord | UnsentRecord)


ERROR: dict[str, Any] = {
    "type": "MuxiError",
    "args": ["C", "m"],
    "call": None,
    "retry_after": None,
    "details": {},
    "partial": {},
}


@given(st.sampled_from(list(ERROR)), JSON)
def test_any_error_in_a_file_is_an_error_that_can_be_shown(field: str, value: Any) -> None:
    record = {"done": 0, "call": ID, "attempts": 1, "elapsed": 1, "error": {**ERROR, field: value}}
    try:
        found = parse(json.dumps(record).encode(), 1)
    except JournalError:
        return
    assert isinstance(found, DoneRecord)
    assert str(found.reply.error)


@given(JSON, st.integers(0, 10))
def test_values_come_back_as_they_were(value: Any, attempts: int) -> None:
    if "[redacted]" in json.dumps(records._without_secrets(value, 100)):
        return
    found = parse(done_line(3, ID, CallReply(value=value, attempts=attempts, elapsed=0.5)), 1)
    assert found == DoneRecord(3, ID, CallReply(value=value, attempts=attempts, elapsed=0.5))


def test_a_result_keeps_its_envelope() -> None:
    value = Result({"a": 1}, meta=Meta(request_id="req_1", status=200, attempts=2))
    found = parse(done_line(0, ID, CallReply(value=value, attempts=2)), 1)
    assert isinstance(found, DoneRecord)
    assert isinstance(found.reply.value, Result)
    assert found.reply.value.meta == value.meta


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name[0].isupper()])
def test_every_error_of_the_sdk_comes_back(name: str) -> None:
    kind = getattr(errors, name)
    if not (isinstance(kind, type) and issubclass(kind, MuxiError)):
        return
    texts = {"PluginError": ("m", "plugin", "hook"), "RateLimitError": ("m",), "ListTruncated": ("m",)}
    one = ("m",) if issubclass(kind, errors.ConfigurationError) else texts.get(name, ("CODE", "m"))
    error: MuxiError = getattr(errors, name)(*one)
    error.details["field"] = 1
    error.call, error.attempts = "chat (POST /chat)", 3
    found = parse(done_line(0, ID, CallReply(error=error, attempts=3)), 1)
    assert isinstance(found, DoneRecord)
    again = found.reply.error
    assert type(again) is kind
    assert str(again) == str(error)
    assert again.details == error.details


def test_an_error_of_a_user_comes_back_as_its_base() -> None:
    class Mine(errors.NotFoundError):
        def __init__(self, thing: object) -> None:
            super().__init__("MINE", f"no {thing}", 404, {"thing": thing})

    found = parse(done_line(0, ID, CallReply(error=Mine(object()))), 1)
    assert isinstance(found, DoneRecord)
    assert type(found.reply.error) is errors.NotFoundError
    assert "MINE: no <object" in str(found.reply.error)


def test_an_error_of_a_batch_comes_back() -> None:
    found = parse(done_line(0, ID, CallReply(error=BatchError("CODE", "m"))), 1)
    assert isinstance(found, DoneRecord)
    assert type(found.reply.error) is BatchError
