"""Downloads: what may be replaced on disk, and which names of the platform's are taken."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from muxi.errors import ValidationError
from muxi.exchange.download import check_target, describe, save, save_async
from muxi.transport import BufferedResponse

ANSWER = BufferedResponse(200, [("Content-Type", "application/zip")], b"content")


@pytest.fixture(params=["sync", "async"])
def download(request: pytest.FixtureRequest) -> Any:
    if request.param == "sync":
        return lambda into: save(ANSWER, into)
    return lambda into: asyncio.run(save_async(ANSWER, into))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o400, 0o755])
def test_a_replaced_file_keeps_its_mode(download: Any, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.zip"
    path.write_text("old")
    path.chmod(mode)
    download(path)
    assert (path.read_bytes(), mode_of(path)) == (b"content", mode)
    assert names(tmp_path) == ["a.zip"]


def test_links_are_followed_to_their_end(download: Any, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.zip"
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(target)
    download(tmp_path / "one")
    assert target.read_bytes() == b"content"
    assert (tmp_path / "one").is_symlink()
    assert (tmp_path / "two").is_symlink()
    target.write_text("old")
    download(tmp_path / "one")
    assert target.read_bytes() == b"content"
    assert names(tmp_path / "real") == ["a.zip"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_device_or_a_pipe_is_refused_and_stays(download: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link", Path(os.devnull)):
        for refuse in (check_target, download):
            with pytest.raises(ValidationError, match="is a device, a pipe or a socket"):
                refuse(path)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["link", "pipe"]


@pytest.mark.parametrize("path", ["", "a\0b", "none/a.zip", ".", "none/", "none//"])
def test_a_path_that_no_file_can_have_is_refused(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError, match=r"^INVALID_PATH"):
        check_target(path)


def test_a_file_that_becomes_a_pipe_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"

    class Swapped(BufferedResponse):
        @property
        def content(self) -> bytes:
            os.mkfifo(path)
            return b"content"

        @content.setter
        def content(self, value: bytes) -> None: ...

    with pytest.raises(ValidationError, match="a pipe"):
        save(Swapped(200), path)
    assert names(tmp_path) == ["a.zip"]


def test_a_disk_that_is_full_is_named(download: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("muxi.exchange.download.os.replace", refuse)
    with pytest.raises(ValidationError, match=r"a\.zip' cannot be written: No space left on device") as caught:
        download(tmp_path / "a.zip")
    assert isinstance(caught.value.__cause__, OSError)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="report.txt"', "report.txt"),
        ("attachment; filename=report.txt", "report.txt"),
        ('attachment; filename="a \\"b\\".txt"', 'a "b".txt'),
        ("attachment; filename*=UTF-8''r%C3%A4port.txt", "räport.txt"),
        ("attachment; filename=x; filename*=iso-8859-1'en'%A3.txt", "£.txt"),
        ("attachment; filename=plain.txt; filename*=koi8-r''%C1", "plain.txt"),
        ('attachment;filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\Users\\\\x.txt"', "x.txt"),
        ('attachment; name="filename=x"; filename=y', "y"),
        ('attachment; filename="a"; filename="b"', "a"),
        ("", None),
        ("attachment", None),
        ("attachment; xfilename=evil", None),
        ("attachment; filename*=UTF-8''%00x", None),
        ("attachment; filename*=UTF-8''a%0Ab", None),
        ("attachment; filename*=UTF-8''%FF", None),
        ("attachment; filename*=UTF-8''a%E2%80%AEtxt.exe", None),
        ('attachment; filename="a\nb"', None),
        ('attachment; filename="C:evil"', None),
        ('attachment; filename="CONIN$"', None),
        ('attachment; filename="com¹.txt"', None),
        ('attachment; filename="x:stream"', None),
        ('attachment; filename=".."', None),
        ('attachment; filename="..."', None),
        ('attachment; filename="a."', None),
        ("attachment; filename=NUL", None),
        ("attachment; filename=con.txt", None),
        (f"attachment; filename={'x' * 256}", None),
    ],
)
def test_a_name_is_taken_if_every_system_takes_it_for_one(disposition: str, name: str | None) -> None:
    answer = BufferedResponse(200)
    answer.headers._items["content-disposition"] = [("Content-Disposition", disposition)]
    assert describe(answer, "x", 0)["filename"] == name


def test_a_length_of_thousands_of_digits_counts_as_none(tmp_path: Path) -> None:
    answer = BufferedResponse(200, [("Content-Length", "9" * 5000)], b"content")
    assert save(answer, tmp_path / "a") == 7
