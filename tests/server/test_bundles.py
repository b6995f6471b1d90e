"""Bundles: what can be given, what is refused before it is sent, and what travels of a folder."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from muxi.bundles import Identity, Prepared, pack, prepare
from muxi.errors import ValidationError
from muxi.transport import Body, FileBody
from tests.server.bench import AFS, archive, folder


def content(body: Body) -> bytes:
    return b"".join(body.chunks())


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {member.name: member for member in archive}


def packed(path: Path) -> bytes:
    buffer = io.BytesIO()
    pack(path, buffer)
    return buffer.getvalue()


def problem(bundle: Any, **given: Any) -> tuple[str, str]:
    """The field and the message of a refusal."""
    with pytest.raises(ValidationError) as caught:
        prepare(bundle, **given)
    (field,) = caught.value.details["validation_errors"]
    assert field["msg"] == caught.value.message
    return field["field"], field["msg"]


# -- what can be given -------------------------------------------------------------------------------------------------


def test_a_file_is_sent_from_disk_with_its_length(bundle: Path) -> None:
    seen: list[tuple[int, int]] = []
    prepared = prepare(bundle, progress=lambda sent, total: seen.append((sent, total)))
    assert prepared.identity == Identity("my-bot", "1.2.0")
    assert isinstance(prepared.body, FileBody)
    assert prepared.body.length == bundle.stat().st_size
    assert content(prepared.body) == bundle.read_bytes()
    assert seen == [(bundle.stat().st_size,) * 2]


def test_a_folder_is_packed_and_can_be_sent_twice(tmp_path: Path) -> None:
    body = prepare(str(folder(tmp_path / "bot"))).body
    first = content(body)
    assert body.length == len(first)
    assert content(body) == first
    assert list(members(first)) == ["my-bot/formation.afs"]


def test_bytes_and_open_files_are_bundles_too(bundle: Path) -> None:
    data = bundle.read_bytes()
    for source in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        prepared = prepare(source)  # type: ignore[arg-type]  # bytearray and memoryview go unmentioned
        assert content(prepared.body) == data
    with bundle.open("rb") as file:
        assert content(prepare(file).body) == data


def test_a_file_is_read_from_where_it_stands(bundle: Path) -> None:
    file = io.BytesIO(b"before" + bundle.read_bytes())
    file.seek(6)
    body = prepare(file).body
    assert content(body) == content(body) == bundle.read_bytes()


def test_a_pipe_is_kept_until_it_has_been_looked_at(bundle: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(bundle.read_bytes())
    with os.fdopen(reading, "rb") as pipe:
        body = prepare(pipe).body
    assert body.length == bundle.stat().st_size
    assert content(body) == content(body) == bundle.read_bytes()


def test_progress_is_told_piece_by_piece() -> None:
    seen: list[tuple[int, int]] = []
    data = archive({"b/formation.afs": AFS, "b/noise": os.urandom(200_000)})
    content(prepare(data, progress=lambda sent, total: seen.append((sent, total))).body)
    assert len(seen) > 3
    assert seen[-1] == (len(data), len(data))
    assert [sent for sent, _ in seen] == sorted({sent for sent, _ in seen})


def test_an_abandoned_attempt_does_not_disturb_the_next(tmp_path: Path) -> None:
    body = prepare(folder(tmp_path, noise=os.urandom(200_000))).body
    whole = content(body)
    abandoned = body.chunks()
    next(abandoned)
    following = body.chunks()
    assert next(following) + b"".join(following) == whole


def test_a_prepared_bundle_can_be_given_again(bundle: Path) -> None:
    prepared = prepare(bundle)
    assert prepare(prepared, formation_id="my-bot") is prepared
    assert problem(prepared, version="2.0.0")[0] == "id"


def test_a_packed_folder_is_packed_anew_in_another_process(tmp_path: Path) -> None:
    prepared = prepare(folder(tmp_path))
    copy: Prepared = pickle.loads(pickle.dumps(prepared))  # noqa: S301  our own
    assert copy.identity == prepared.identity
    assert content(copy.body) == content(prepared.body)


def test_a_temporary_file_goes_with_its_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    body = prepare(folder(tmp_path / "bot")).body
    file = body.file  # type: ignore[attr-defined]  # the bench's business
    assert not list(temporary.iterdir())
    del body
    assert file.closed


@pytest.mark.parametrize("bundle", [7, io.StringIO("text"), None])
def test_anything_else_is_refused(bundle: Any) -> None:
    assert problem(bundle)[0] == "bundle_path"


# -- what the server would refuse --------------------------------------------------------------------------------------

NO_CONFIG = {"bot/readme": "x"}
REFUSED: list[tuple[dict[str, str | bytes], str, str]] = [
    ({}, "bundle_path", "is empty"),
    ({"formation.afs": AFS}, "bundle_path", "formation.afs outside of any directory"),
    (
        {"bot/readme": "", "other/formation.afs": AFS},
        "bundle_path",
        "'other/formation.afs' beside its top directory 'bot'",
    ),
    ({"bot/readme": ""}, "bundle_path", "no formation file in its top directory 'bot'"),
    ({"bot/sub/formation.afs": AFS}, "bundle_path", "no formation file"),
    ({"./": "", "./formation.afs": AFS}, "bundle_path", "an entry './'"),
    ({"bot/formation.afs": AFS, "../evil": "x"}, "bundle_path", "'../evil', which leads out"),
    ({"bot/formation.afs": b"id: \xff"}, "bundle_path", "is not UTF-8"),
    ({"bot/formation.afs": "description: x\n"}, "id", "bot/formation.afs has no 'id'"),
    ({"bot/formation.afs": "id: ~\ndescription: x\n"}, "id", "has no 'id'"),
    ({"bot/formation.yaml": "id: my-bot\n"}, "description", "bot/formation.yaml has no 'description'"),
    ({"bot/formation.afs": "id: my-bot\ndescription: ''\n"}, "description", "no 'description'"),
    ({"bot/formation.afs": "id: ab\ndescription: x"}, "id", "'ab' has 2 characters"),
    ({"bot/formation.afs": f"id: {'a' * 51}\ndescription: x"}, "id", "has 51 characters"),
    ({"bot/formation.afs": "id: My-Bot\ndescription: x"}, "id", "lower-case"),
    ({"bot/formation.afs": "id: my-bot-\ndescription: x"}, "id", "lower-case"),
    ({"bot/formation.afs": "id: metrics\ndescription: x"}, "id", "reserved"),
    ({"bot/formation.afs": "id: [a]\ndescription: x"}, "id", "cannot be read here; give formation_id="),
    ({"bot/formation.afs": "id: my-bot\nversion: {a: 1}\ndescription: x"}, "version", "give version="),
    ({"bot/formation.afs": "- a\n"}, "id", "bot/formation.afs cannot be read: it is not a mapping"),
    ({"bot/formation.afs": "id: my-bot\na: 'x"}, "id", "it is not YAML: line 2, column 6"),
    ({"bot/formation.afs": "id: my-bot\na: " + "[" * 20_000}, "id", "nested more than 200 levels deep"),
    ({"bot/formation.afs": AFS + "key: ${{ secrets.OPENAI }}\n"}, "secrets", "uses secrets (OPENAI), and secrets.enc"),
    (
        {"bot/formation.afs": AFS + "# ${{ secrets.A }} ${{ secrets.B }} ${{ secrets.A }}", "bot/secrets.enc": "x"},
        "secrets",
        "uses secrets (A, B), and .key is not beside it",
    ),
    (
        {"bot/formation.afs": AFS + "key: ${{ secrets.OPENAI }}\n", "bot/x/secrets.enc": "x"},
        "secrets",
        "secrets.enc and .key are not beside it",
    ),
]


@pytest.mark.parametrize(("files", "field", "message"), REFUSED)
def test_what_the_server_would_refuse_is_refused(
    tmp_path: Path, files: dict[str, str | bytes], field: str, message: str
) -> None:
    path = tmp_path / "my.tar.gz"
    path.write_bytes(archive(files))
    named, told = problem(path)
    assert named == field
    assert message in told
    assert "my.tar.gz" in told


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04 a zip", id="a zip"),
        pytest.param(archive({"b/formation.afs": AFS}, compressed=""), id="a tar without gzip"),
        pytest.param(gzip.compress(b"no tar"), id="a gzip without tar"),
        pytest.param(archive({"b/formation.afs": AFS})[:-20], id="cut off"),
        pytest.param(archive({"b/formation.afs": AFS, "b/x": os.urandom(9000)})[:5000], id="cut off in the middle"),
    ],
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "my.tar.gz"
    path.write_bytes(data)
    for source in (path, data):
        assert problem(source)[0] == "bundle_path"


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert problem(tmp_path / "none.tar.gz") == (
        "bundle_path",
        f"{tmp_path / 'none.tar.gz'} cannot be read: No such file or directory",
    )
    (tmp_path / "empty").mkdir()
    assert "no formation file" in problem(tmp_path / "empty")[1]


def test_what_is_given_must_be_what_the_file_says(bundle: Path) -> None:
    assert prepare(bundle, formation_id="my-bot", version="1.2.0").identity == Identity("my-bot", "1.2.0")
    assert problem(bundle, formation_id="your-bot")[0] == "id"
    field, message = problem(bundle, version="2.0.0")
    assert field == "version"
    assert message.endswith("my-bot/formation.afs has version: '1.2.0'")


def test_what_cannot_be_read_here_is_left_to_the_server() -> None:
    for text in ("id: [my-bot]\nversion: {a: 1}\ndescription: x\n", "{id: my-bot, description:"):
        prepared = prepare(archive({"b/formation.afs": text}), formation_id="my-bot", version="1")
        assert prepared.identity == Identity("my-bot", "1")


@pytest.mark.parametrize(
    ("files", "identity"),
    [
        ({"./formation.afs": AFS}, ("my-bot", "1.2.0")),
        ({"bot/": "", "bot/formation.yml": "id: abc\ndescription: x"}, ("abc", "1.0.0")),
        ({"b/formation.yaml": "id: abc\ndescription: x", "b/formation.afs": AFS}, ("my-bot", "1.2.0")),
        ({"b/formation.afs": "id: abc\nversion: 1.10\ndescription: >\n  x"}, ("abc", "1.10")),
        ({"b/formation.afs": AFS + "k: ${{ secrets.A }}", "b/secrets.enc": "x", "b/.key": "x"}, ("my-bot", "1.2.0")),
        ({"b/formation.afs": AFS + "k: ${{secrets.A}}"}, ("my-bot", "1.2.0")),
    ],
)
def test_what_the_server_takes_is_taken(files: dict[str, str | bytes], identity: tuple[str, str]) -> None:
    assert prepare(archive(files)).identity == identity


def test_without_pyyaml_plain_lines_are_sent_and_the_rest_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert prepare(archive({"b/formation.afs": AFS})).identity == Identity("my-bot", "1.2.0")
    assert prepare(archive({"b/formation.afs": "id: my-bot\n"})).identity == Identity("my-bot", "1.0.0")
    flow = archive({"b/formation.afs": "{id: my-bot, description: x}"})
    assert problem(flow)[1].endswith("give formation_id=, or pip install 'muxi-client[bundles]'")
    assert prepare(flow, formation_id="my-bot").identity == Identity("my-bot", "1.0.0")


# -- what travels of a folder ------------------------------------------------------------------------------------------


def test_a_folder_gives_the_same_bytes_whenever_and_wherever_it_is_packed(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", agents__b_afs="b", agents__a_afs="a")
    other = folder(tmp_path / "other" / "place", agents__a_afs="a", agents__b_afs="b")
    for path in other.rglob("*"):
        os.utime(path, (1, time.time() - 10_000))
    assert hashlib.sha256(packed(one)).digest() == hashlib.sha256(packed(other)).digest()
    (other / "agents" / "a.afs").write_text("c")
    assert packed(one) != packed(other)


def test_names_owners_and_times_say_nothing_of_who_packed(tmp_path: Path) -> None:
    path = folder(tmp_path, run_sh="#!/bin/sh", agents__a_afs="")
    (path / "run.sh").chmod(0o700)
    (path / "formation.afs").chmod(0o600)
    found = members(packed(path))
    assert list(found) == ["my-bot/agents", "my-bot/agents/a.afs", "my-bot/formation.afs", "my-bot/run.sh"]
    assert {(it.uid, it.gid, it.uname, it.gname, it.mtime) for it in found.values()} == {(0, 0, "", "", 315532800)}
    modes = {name: member.mode for name, member in found.items()}
    assert (modes["my-bot/run.sh"], modes["my-bot/formation.afs"], modes["my-bot/agents"]) == (0o755, 0o644, 0o755)


def test_what_should_not_travel_stays(tmp_path: Path) -> None:
    path = folder(tmp_path)
    stays = (
        ".git/config .hg/x __pycache__/a.pyc a.pyc .mypy_cache/x .venv/x venv/x env39/pyvenv.cfg env39/bin/python "
        "node_modules/x .env .env.local server.key tls.pem id_ed25519 .idea/x .vscode/x a.swp a~ .DS_Store x.log x.tmp "
        ".muxi/x secrets memory.db memory.db-wal sub/.key sub/.git/x sub/.env"
    )
    travels = "secrets.enc .key sub/secrets sub/memory.db README.md .muxiignore knowledge/faq.md envelope.py"
    for name in [*stays.split(), *travels.split()]:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    found = {name.removeprefix("my-bot/") for name, member in members(packed(path)).items() if member.isfile()}
    assert found == {*travels.split(), "formation.afs"}


def test_a_link_within_the_folder_travels_as_a_file_and_no_other(tmp_path: Path) -> None:
    path = folder(tmp_path / "bot")
    (path / "same.afs").symlink_to("formation.afs")
    found = members(packed(path))
    assert found["my-bot/same.afs"].isreg()
    assert found["my-bot/same.afs"].size == len(AFS)
    (tmp_path / "outside").write_text("x")
    for target in ("../outside", "nowhere", "."):
        (path / "link").symlink_to(target)
        with pytest.raises(ValidationError, match=r"link is a link to '.*', which the server would leave out"):
            packed(path)
        (path / "link").unlink()


def test_a_pipe_in_the_folder_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path)
    os.mkfifo(path / "pipe")
    with pytest.raises(ValidationError, match="neither a file nor a directory"):
        packed(path)


def test_a_folder_whose_id_cannot_be_read_has_a_plain_top_directory(tmp_path: Path) -> None:
    path = folder(tmp_path, formation_afs="id: [x]\ndescription: x\n")
    assert list(members(packed(path))) == ["formation/formation.afs"]


def test_what_is_packed_can_be_looked_at(tmp_path: Path) -> None:
    path = folder(tmp_path, formation_afs=AFS + "k: ${{ secrets.A }}\n")
    assert problem(path)[0] == "secrets"
    folder(path, formation_afs=AFS + "k: ${{ secrets.A }}\n", secrets_enc="x", _key="x")
    assert prepare(packed(path)).identity == prepare(path).identity == Identity("my-bot", "1.2.0")
