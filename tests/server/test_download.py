"""Formations as zips on disk: whole or not at all."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from muxi.errors import ConnectionError, NotFoundError, ServerError, ValidationError
from tests.server.bench import Bench, Reply, Script, no


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("formation.afs", "id: my-bot\n")
        archive.writestr("knowledge/", "")
        archive.writestr("knowledge/noise", os.urandom(5000))
    return buffer.getvalue()


ZIP = zipped()
PIECES = [ZIP[:1000], ZIP[1000:]]


def reply(pieces: list[bytes], **headers: str) -> Reply:
    named = {"Content-Disposition": 'attachment; filename="my-bot.zip"', **headers}
    return Reply(pieces, content_type="application/zip", headers=named)


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def test_a_formation_is_downloaded_to_a_file(bench: Bench, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "bot.zip"
    script = Script(reply(PIECES, **{"Content-Length": str(len(ZIP))}))
    found = bench.run(
        script, "download_formation", "my-bot", target, progress=lambda done, total: seen.append((done, total))
    )
    assert script.sent == "GET /rpc/formations/my-bot/download"
    assert script.requests[0].timeouts.total == 600
    assert script.header("authorization")
    assert (found["path"], found["size"]) == (str(target), len(ZIP))
    assert target.read_bytes() == ZIP
    assert seen == [(1000, len(ZIP)), (len(ZIP), len(ZIP))]
    assert names(tmp_path) == ["bot.zip"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_folder_gets_a_file_by_the_id(bench: Bench, tmp_path: Path) -> None:
    script = Script(reply(PIECES))
    found = bench.run(script, "download_formation", "my-bot", tmp_path, db=True)
    assert script.sent == "GET /rpc/formations/my-bot/download?db=true"
    assert found["path"] == str(tmp_path / "my-bot.zip")
    assert zipfile.ZipFile(tmp_path / "my-bot.zip").namelist()[0] == "formation.afs"


@pytest.mark.parametrize("end", [0, 100, 1000, len(ZIP) - 1, len(ZIP) - 30])
def test_a_truncated_zip_is_refused_and_leaves_what_was_there(bench: Bench, tmp_path: Path, end: int) -> None:
    target = tmp_path / "bot.zip"
    target.write_text("what was there")
    with pytest.raises(ServerError, match="nothing was kept of it") as caught:
        bench.run(Script(reply([ZIP[:end]])), "download_formation", "my-bot", target)
    assert caught.value.code == "TRUNCATED_DOWNLOAD"
    assert target.read_text() == "what was there"
    assert names(tmp_path) == ["bot.zip"]


def test_a_broken_connection_is_tried_again(bench: Bench, tmp_path: Path) -> None:
    broken = reply([ZIP[:1000]], **{"Content-Length": str(len(ZIP))})
    script = Script(broken, ConnectionError("CONNECTION_LOST", "gone"), reply(PIECES))
    bench.run(script, "download_formation", "my-bot", tmp_path / "bot.zip")
    assert (tmp_path / "bot.zip").read_bytes() == ZIP
    assert names(tmp_path) == ["bot.zip"]


def test_a_refusal_makes_no_file(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        bench.run(Script(no(404, "Formation not found", "Not Found")), "download_formation", "my-bot", tmp_path)
    assert "download_formation" in str(caught.value)
    assert names(tmp_path) == []


def test_a_place_where_no_file_can_be_is_refused_before_anything_is_sent(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        bench.run(Script(), "download_formation", "my-bot", tmp_path / "none" / "bot.zip")


def test_a_caller_who_fails_in_between_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    def fail(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(Script(reply(PIECES)), "download_formation", "my-bot", tmp_path, progress=fail)
    assert names(tmp_path) == []


def test_a_disk_that_is_full_is_named_by_the_file_that_the_caller_has_given(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("muxi.exchange.download.copy_mode", refuse)
    target = tmp_path / "bot.zip"
    with pytest.raises(ValidationError, match="cannot be written: No space left on device") as caught:
        bench.run(Script(reply(PIECES)), "download_formation", "my-bot", target)
    assert str(target) in str(caught.value)
    assert str(tmp_path) not in str(caught.value).replace(str(target), "")
    assert names(tmp_path) == []
