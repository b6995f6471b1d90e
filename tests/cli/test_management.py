"""``formations``, ``deploy``, ``bundle`` and ``logs``, against an embedded server."""

from __future__ import annotations

import gzip
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi import ConnectionError, ServerClient
from muxi.bundles import pack
from muxi.cli.commands.logs import followed, line_of
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Served, serve
from tests.cli.terminal import Terminal


@pytest.fixture
def server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server with the formation ``bot``, for this test alone."""
    embedded = EmbeddedServer(key_id="muxi_pk_cli", secret_key="muxi_sk_cli_secret")
    embedded.add(EmbeddedFormation("bot"))
    with serve(embedded) as served:
        embedded.port = served.port
        monkeypatch.setenv("MUXI_SERVER_URL", served.url)
        monkeypatch.setenv("MUXI_KEY_ID", "muxi_pk_cli")
        monkeypatch.setenv("MUXI_SECRET_KEY", "muxi_sk_cli_secret")
        yield served


@pytest.fixture
def folder(home: Path) -> Path:
    """The folder of a formation with a file that does not travel."""
    folder = Path("my-bot")
    folder.mkdir()
    (folder / "formation.afs").write_text("schema: 1.0.0\nid: my-bot\nversion: 1.0.0\ndescription: A bot\n")
    (folder / ".env").write_text("KEY=x\n")
    return folder


def test_formations_are_listed_stopped_and_started(terminal: Terminal, server: Served) -> None:
    assert terminal("formations").out.splitlines()[1].split()[:2] == ["bot", "running"]
    assert terminal("formations", "stop", "bot", "-o", "json").code == 0
    assert terminal("formations", "get", "bot", "--query", "status", "-o", "json").out == '"stopped"\n'
    started = terminal("formations", "start", "bot", "-o", "json")
    assert json.loads(started.out)["status"] == "running"
    assert "health check" in started.err
    assert terminal("formations", "restart", "bot").code == 0
    assert terminal("formations", "rollback", "bot").code == 1
    assert terminal("formations", "cancel-update", "bot").code == 1
    missing = terminal("formations", "get", "nope")
    assert (missing.code, missing.out) == (4, "")


def test_deleting_asks_or_needs_yes(terminal: Terminal, server: Served) -> None:
    assert terminal("formations", "delete", "bot").code == 2
    assert terminal("formations", "list", "-o", "name").out == "bot\n"
    assert terminal("formations", "delete", "bot", "--yes").code == 0
    assert terminal("formations", "list", "-o", "name").out == ""


def test_a_formation_is_downloaded(terminal: Terminal, server: Served, folder: Path) -> None:
    assert terminal("deploy", "my-bot").code == 0
    done = terminal("formations", "download", "my-bot")
    assert done.code == 0, done.err
    assert any(name.endswith("formation.afs") for name in zipfile.ZipFile("my-bot.zip").namelist())
    again = terminal("formations", "download", "my-bot")
    assert (again.code, "--force replaces it" in again.err) == (1, True)
    assert terminal("formations", "download", "my-bot", "--force").code == 0


def test_a_folder_is_deployed_and_then_updated(terminal: Terminal, server: Served, folder: Path) -> None:
    dry = terminal("deploy", "my-bot", "--dry-run")
    assert (dry.code, dry.out) == (0, "")
    assert "left out: .env (environment)" in dry.err
    assert terminal("formations", "list", "-o", "name").out == "bot\n"

    assert terminal("deploy", "my-bot", "--update").code == 1
    created = terminal("deploy", "my-bot", "-o", "json")
    assert created.code == 0, created.err
    assert json.loads(created.out)["formation_id"] == "my-bot"
    assert "extracting" in created.err

    assert terminal("deploy", "my-bot", "--create").code == 1
    (folder / "formation.afs").write_text("schema: 1.0.0\nid: my-bot\nversion: 1.1.0\ndescription: A bot\n")
    updated = terminal("deploy", "my-bot", "-o", "json")
    assert updated.code == 0, updated.err
    assert json.loads(updated.out)["new_version"] == "2"


def test_a_bundle_is_listed_and_checked(terminal: Terminal, folder: Path) -> None:
    assert terminal("bundle", "ls", "my-bot", "-o", "name").out == "formation.afs\n"
    assert json.loads(terminal("bundle", "ls", "my-bot", "--left-out", "-o", "json").out) == [
        {"name": ".env", "reason": "environment"}
    ]
    assert terminal("bundle", "check", "my-bot").out == "my-bot: my-bot 1.0.0 can be deployed\n"
    (folder / "formation.afs").write_text("id: a b\n")
    assert terminal("bundle", "check", "my-bot").code == 2


def test_an_archive_is_listed_as_carefully_as_it_is_checked(terminal: Terminal, folder: Path) -> None:
    with open("my-bot.tar.gz", "wb") as file:
        pack(folder, file)
    assert terminal("bundle", "ls", "my-bot.tar.gz", "-o", "name").out == "my-bot/formation.afs\n"
    Path("broken.tar.gz").write_bytes(Path("my-bot.tar.gz").read_bytes()[:60])
    broken = terminal("bundle", "ls", "broken.tar.gz")
    assert (broken.code, "broken.tar.gz is not a readable .tar.gz" in broken.err) == (2, True)

    # A header of 64 MiB, which would be read into memory whole.
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 64 * 1024 * 1024
    Path("bomb.tar.gz").write_bytes(gzip.compress(header.tobuf() + bytes(header.size), 1))
    bomb = terminal("bundle", "ls", "bomb.tar.gz")
    assert (bomb.code, "its extended headers have more than 1048576 bytes" in bomb.err) == (2, True)


def test_the_last_lines_of_a_formation_are_printed(terminal: Terminal, server: Served) -> None:
    with ServerClient() as client:
        lines = client.get_formation_logs("bot", limit=3, stream="stdout")["logs"]["stdout"] or []
    assert terminal("logs", "bot", "--tail", "3").out.splitlines() == lines[-3:]
    assert terminal("logs", "nope").code == 4
    assert terminal("logs").code == 2


class Feed:
    """A stream that yields some events and breaks off, or ends."""

    def __init__(self, *events: object, error: Exception | None = None) -> None:
        self._events, self._error = events, error

    def __enter__(self) -> Iterator[object]:
        return self._read()

    def __exit__(self, *_: object) -> None: ...

    def _read(self) -> Iterator[object]:
        yield from self._events
        if self._error is not None:
            raise self._error


def test_following_connects_again_with_growing_waits() -> None:
    lost = ConnectionError("CONNECTION_LOST", "hung up")
    feeds: list[Any] = [Feed(1, error=lost), lost, lost, Feed(2), Feed(3, error=KeyboardInterrupt())]  # type: ignore[arg-type]
    waits: list[float] = []

    def opened() -> Any:
        found = feeds.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    events = followed(opened, waits.append)
    assert [next(events) for _ in range(3)] == [1, 2, 3]
    assert waits == [0.5, 1.0, 2.0, 0.5]
    with pytest.raises(KeyboardInterrupt):
        next(events)


def test_a_feed_that_cannot_be_opened_at_all_is_an_error() -> None:
    def refuse() -> Any:
        raise ConnectionError("CONNECTION_REFUSED", "nothing listens")

    with pytest.raises(ConnectionError):
        next(followed(refuse, lambda seconds: pytest.fail("it waits")))


def test_an_event_is_a_line() -> None:
    event = {"timestamp": 0, "level": "info", "event_type": "chat.message", "message": "hi", "session_id": "s"}
    assert line_of(event).split(" ", 1)[1] == "INFO chat.message hi session_id=s"
