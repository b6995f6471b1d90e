"""The files of a chat: what may be given, what is sent, what is refused."""

from __future__ import annotations

import io
import pickle
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient, ValidationError
from muxi.schemas.files import content_type_of, encoded_files
from muxi.schemas.payloads import FILE_LIMIT
from muxi_transports.memory import EmbeddedFormation, Part, Turn, Widgets

PNG = b"\x89PNG\r\n\x1a\n"


def fields_of(error: ValidationError) -> list[str]:
    return [problem["field"] for problem in error.details["validation_errors"]]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.md"
    path.write_bytes("# Grüße".encode())
    return path


REPORT = {"filename": "report.md", "content": "IyBHcsO8w59l", "content_type": "text/markdown", "size": 9}


def test_a_file_is_a_path(report: Path) -> None:
    assert encoded_files([report, str(report)]) == [REPORT, REPORT]


def test_a_file_is_an_open_file(report: Path) -> None:
    with report.open("rb") as opened:
        assert encoded_files([opened]) == [REPORT]
    with report.open("rb", buffering=0) as opened:
        assert encoded_files([opened]) == [REPORT]


def test_an_open_file_may_give_its_content_in_pieces() -> None:
    class Slow:
        def __init__(self) -> None:
            self._pieces = [b"ab", b"c"]

        def read(self, size: int = -1, /) -> bytes:
            return self._pieces.pop(0) if self._pieces else b""

    (file,) = encoded_files([Slow()])
    assert (b64decode(file["content"]), file["size"], file["filename"]) == (b"abc", 3, "file-1")


@pytest.mark.parametrize("data", [PNG, bytearray(PNG), memoryview(PNG), io.BytesIO(PNG)])
def test_a_file_is_its_content(data: bytes) -> None:
    assert encoded_files([data]) == [
        {"filename": "file-1", "content": "iVBORw0KGgo=", "content_type": "application/octet-stream", "size": 8}
    ]


def test_content_may_have_a_name_and_a_media_type() -> None:
    named, typed, text = encoded_files([("a.png", PNG), ("a", PNG, "image/x-own"), ("a.txt", "Grüße")])
    assert (named["filename"], named["content_type"]) == ("a.png", "image/png")
    assert (typed["filename"], typed["content_type"]) == ("a", "image/x-own")
    assert (b64decode(text["content"]).decode(), text["size"]) == ("Grüße", 7)


def test_a_mapping_as_the_wire_has_it_is_left_alone() -> None:
    ready = {"filename": "plain.txt", "content": "Plain text body", "content_type": "text/plain", "size": 30}
    assert encoded_files([ready, {}]) == [ready, {}]
    # A text in a mapping is base64, never a path.
    assert encoded_files([{"content": "aGk="}]) == [{"content": "aGk="}]


def test_a_mapping_whose_content_is_bytes_is_completed() -> None:
    (file,) = encoded_files([{"filename": "a.csv", "content": b"a,b", "own": 1}])
    assert file == {"filename": "a.csv", "content": "YSxi", "content_type": "text/csv", "size": 3, "own": 1}
    (file,) = encoded_files([{"filename": "a", "mime_type": "audio/wav", "content": io.BytesIO(b"x")}])
    assert file["content_type"] == "audio/wav"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PDF", "application/pdf"),
        ("a.md", "text/markdown"),
        ("voice.m4a", "audio/mp4"),
        ("voice.wav", "audio/wav"),
        ("voice.ogg", "audio/ogg"),
        ("a.tar.gz", "application/gzip"),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.unheard-of", "application/octet-stream"),
        ("no suffix", "application/octet-stream"),
        ("https://example.com/a.png", "image/png"),
    ],
)
def test_the_media_type_is_guessed_from_the_name(name: str, kind: str) -> None:
    assert content_type_of(name) == kind


@pytest.mark.parametrize(
    ("files", "field", "part"),
    [
        (["nowhere.txt"], "files.0", "No such file"),
        ([b"", "with\0null"], "files.1", "null"),
        ([Path(__file__).parent], "files.0", "cannot be read"),
        ([io.StringIO("text")], "files.0", "'rb'"),
        ([3], "files.0", "int"),
        ([("a", b"", "b", "c")], "files.0", "tuple"),
        ([("a.txt", 3)], "files.0", "int"),
        ("report.md", "files", "brackets"),
        (b"content", "files", "brackets"),
        ({"filename": "a"}, "files", "brackets"),
        (Path("report.md"), "files", "brackets"),
        (3, "files", "list"),
    ],
)
def test_what_is_no_file_is_refused_by_name(files: Any, field: str, part: str) -> None:
    with pytest.raises(ValidationError, match=part) as caught:
        encoded_files(files)
    assert fields_of(caught.value) == [field]


def test_a_file_that_cannot_be_read_any_more_is_refused() -> None:
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(ValidationError, match="closed file"):
        encoded_files([closed])


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as opened:
        opened.truncate(FILE_LIMIT + 1)
    for file in (path, bytes(FILE_LIMIT + 1)):
        with pytest.raises(ValidationError, match=str(FILE_LIMIT)) as caught:
            encoded_files([file])
        assert fields_of(caught.value) == ["files.0.size"]


def test_an_endless_file_is_not_read_to_its_end() -> None:
    class Endless:
        taken = 0

        def read(self, size: int = -1, /) -> bytes:
            self.taken += size
            return bytes(size)

    endless = Endless()
    with pytest.raises(ValidationError):
        encoded_files([endless])
    assert endless.taken == FILE_LIMIT + 1


def test_files_go_along_with_a_chat(both: Any, formation: EmbeddedFormation, report: Path) -> None:
    seen: list[tuple[Mapping[str, object], ...]] = []

    @formation.agent("assistant")
    def assistant(turn: Turn) -> str:
        seen.append(turn.files)
        return "seen"

    both(lambda client: client.chat({"message": "Hi", "files": [report]}, files=[("b.txt", b"b")]))
    both(lambda client: client.chat_stream("Hi", files=[report, ("b.txt", b"b")]))
    both(lambda client: client.chat({"message": "Hi", "files": None}))
    other = {"filename": "b.txt", "content": "Yg==", "content_type": "text/plain", "size": 1}
    assert seen == [(REPORT, other), (REPORT, other), ()]


def test_files_are_read_when_the_call_is_made_which_stays_plain_data(report: Path) -> None:
    with report.open("rb") as opened:
        call = FormationClient.chat.call("Hi", files=[opened])
    report.unlink()
    assert call.body["files"] == [REPORT]
    assert pickle.loads(pickle.dumps(call)) == call  # noqa: S301  our own


def test_the_payload_of_the_caller_is_left_alone(report: Path) -> None:
    payload: dict[str, Any] = {"message": "Hi", "files": [report]}
    FormationClient.chat.call(payload, files=[b"more"])
    assert payload == {"message": "Hi", "files": [report]}


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"message": "x" * 100_001}, "message"),
        ({"message": "x", "files": [{"size": FILE_LIMIT + 1}]}, "files.0.size"),
        ({"message": "x", "files": [{"size": -1}]}, "files.0.size"),
        ({"message": "x", "files": [{"filename": 3}]}, "files.0.filename"),
        ({"message": "x", "ui_response": {"id": "ui_1"}}, "ui_response.value"),
        ({"message": "x", "ui_response": {"value": "work"}}, "ui_response.id"),
        ({"files": [b"x"]}, "message"),
    ],
)
def test_what_the_runtime_would_stumble_over_is_not_sent(
    both: Any, answers: Callable[..., Any], payload: dict[str, Any], field: str
) -> None:
    unasked = answers({})
    for method in ("chat", "chat_stream"):
        with pytest.raises(ValidationError) as caught:
            both(lambda client, method=method: getattr(client, method)(payload), unasked)
        assert fields_of(caught.value) == [field]
    assert unasked.requests == []


def test_every_wrong_field_is_told_at_once(both: Any, answers: Callable[..., Any]) -> None:
    unasked = answers({})
    payload = {"message": 5, "session_id": 7, "files": "x", "threshold_seconds": "abc"}
    with pytest.raises(ValidationError) as caught:
        both(lambda client: client.chat(payload), unasked)
    assert sorted(fields_of(caught.value)) == sorted(payload)
    assert unasked.requests == []


def test_the_longest_message_and_the_largest_size_pass(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    script = answers(reply("ok"))
    both(lambda client: client.chat({"message": "x" * 100_000, "files": [{"size": FILE_LIMIT}]}), script)
    both(lambda client: client.chat("x" * 100_000), script)
    assert len(script.requests) == 2


def test_a_widget_is_answered_with_both_keys(both: Any, formation: EmbeddedFormation) -> None:
    seen: list[object] = []

    @formation.agent("assistant")
    def assistant(turn: Turn) -> Iterator[Part]:
        seen.append(turn.ui_response)
        yield "ok"
        yield Widgets(({"type": "options", "id": "ui_1"},))

    both(lambda client: client.chat({"message": "which?", "session_id": "s"}))
    answer = {"message": "work", "session_id": "s", "ui_response": {"id": "ui_1", "value": None}}
    both(lambda client: client.chat(answer))
    assert seen == [None, {"id": "ui_1", "value": None}]
