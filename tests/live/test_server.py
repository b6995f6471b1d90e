"""Probes of the server's client, against the embedded server: ``muxi-client serve --server``, in a process of its own.

The real server is a program in Go that no package index has.
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi import (
    AsyncServerClient,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    ServerClient,
    StreamInterrupted,
    ValidationError,
)
from tests.answers import AsyncColour, Colour
from tests.live.lab.processes import Program
from tests.live.probing import COLOURS, EMBEDDED, check_named, probe

KEY_ID, SECRET = "muxi_pk_0123456789abcdef01234567", "muxi_sk_live_0123456789"


class Managed:
    """A client of one colour of the running server."""

    def __init__(self, url: str, colour: str, folder: Path) -> None:
        self.colour = AsyncColour() if colour == "async" else Colour()
        self.url = url
        self.id = f"bot-{colour}"
        self.folder = folder
        self.client = self.new_client()
        self.called: set[str] = set()

    def new_client(self, **settings: Any) -> Any:
        chosen = {"url": self.url, "key_id": KEY_ID, "secret_key": SECRET, "validate_responses": "strict", **settings}
        return (AsyncServerClient if self.colour.asynchronous else ServerClient)(**chosen)

    def __call__(self, method: str, *args: Any, on: Any = None, **kwargs: Any) -> Any:
        self.called.add(method)
        return self.colour.run(getattr(on or self.client, method), *args, **kwargs)

    def collect(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        self.called.add(method)
        return self.colour.collect(getattr(self.client, method), *args, **kwargs)

    def first(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Return the first event of a stream, and close it."""
        self.called.add(method)
        if not self.colour.asynchronous:
            with getattr(self.client, method)(*args, **kwargs) as stream:
                return next(stream)

        async def taken() -> Any:
            async with await getattr(self.client, method)(*args, **kwargs) as stream:
                return await anext(stream)

        return self.colour.run(taken)

    def bundle(self, version: str) -> Path:
        """Write the folder of the formation in a version."""
        (self.folder / "agents").mkdir(exist_ok=True)
        (self.folder / "formation.afs").write_text(
            f"id: {self.id}\nname: A Bot\ndescription: A bot\nversion: {version}\n", encoding="utf-8"
        )
        (self.folder / "agents" / "guide.afs").write_text("id: guide\n", encoding="utf-8")
        return self.folder


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server."""
    log = tmp_path_factory.mktemp("serve") / "serve.log"
    command = [sys.executable, "-u", "-m", "muxi.cli", "serve", "--server", "--port", "0", "--pace", "0"]
    program = Program([*command, "--key-id", KEY_ID, "--secret-key", SECRET], log)
    try:
        program.wait_until(lambda: "Serving the formation" in log.read_text("utf-8"))
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text("utf-8"))
        assert found is not None
        yield found[0]
    finally:
        program.stop()


@pytest.fixture(params=COLOURS)
def managed(request: pytest.FixtureRequest, server_url: str, tmp_path: Path) -> Iterator[Managed]:
    """A client, and at the end nothing of its formation on the server."""
    managed = Managed(server_url, request.param, tmp_path / "bot")
    managed.folder.mkdir()
    yield managed
    for remove in ("discard_draft", "delete_formation"):
        try:
            managed.colour.run(getattr(managed.client, remove), managed.id)
        except NotFoundError:
            continue
    managed.colour.run(managed.client.close)
    managed.colour.end()
    check_named(request, managed.called)


@probe(
    "ping",
    "health",
    "status",
    "get_server_logs",
    "close",
    "docs_url",
    "with_options",
    "with_raw_response",
    "request",
    on=[EMBEDDED],
)
def test_the_server(managed: Managed) -> None:
    assert managed("ping") >= 0
    assert managed("health")["status"] == "ok"
    assert managed("status")["formations"]["running"] >= 1
    assert managed("get_server_logs", limit=5) == ""
    managed.called |= {"docs_url", "with_raw_response"}
    assert managed.client.docs_url == f"{managed.url}/docs"
    raw = managed("status", on=managed.client.with_raw_response)
    assert (raw.status_code, raw.attempts) == (200, 1)
    assert managed("ping", on=managed("with_options", timeout=5)) >= 0
    assert managed("request", "GET", "/rpc/server/status")["server"] == raw.data["server"]
    stranger = managed.new_client(secret_key="muxi_sk_wrong")
    with pytest.raises(AuthenticationError):
        managed("status", on=stranger)
    managed("close", on=stranger)


@probe(
    "deploy_formation",
    "list_formations",
    "get_formation",
    "update_formation",
    "rollback_formation",
    "restart_formation",
    "stop_formation",
    "start_formation",
    "delete_formation",
    "cancel_update",
    "formation",
    "mcp_url",
    "send",
    on=[EMBEDDED],
)
def test_a_whole_life(managed: Managed) -> None:
    deployed = managed("deploy_formation", managed.bundle("1.0.0"))
    assert (deployed["formation_id"], deployed["status"]) == (managed.id, "running")
    with pytest.raises(ConflictError):
        managed("deploy_formation", managed.bundle("1.0.0"))
    assert managed.id in {found["id"] for found in managed("list_formations")["formations"]}
    managed.called |= {"formation", "mcp_url"}
    bot = managed.client.formation(managed.id, client_key="any")
    assert managed("chat", "Hi", on=bot)["message"]["content"] == "You said: Hi"
    assert managed.client.mcp_url(managed.id) == f"{managed.url}/mcp/{managed.id}"
    assert managed("update_formation", managed.id, managed.bundle("2.0.0"))["version"] == 2
    assert managed("health", on=bot)["version"] == "2.0.0"
    with pytest.raises(ValidationError, match="No update in progress"):
        managed("cancel_update", managed.id)
    assert managed("rollback_formation", managed.id)["version"] == 1
    assert managed("health", on=bot)["version"] == "1.0.0"
    assert managed("restart_formation", managed.id)["restart_count"] == 1
    assert managed("stop_formation", managed.id)["status"] == "stopped"
    assert managed("send", ServerClient.get_formation.call(managed.id))["status"] == "stopped"
    assert managed("start_formation", managed.id)["status"] == "running"
    assert managed("get_formation", managed.id)["status"] == "running"
    managed("delete_formation", managed.id)
    with pytest.raises(NotFoundError):
        managed("get_formation", managed.id)
    managed("close", on=bot)


@probe(
    "deploy_formation_stream",
    "update_formation_stream",
    "rollback_formation_stream",
    "restart_formation_stream",
    "start_formation_stream",
    on=[EMBEDDED],
)
def test_the_same_step_by_step(managed: Managed) -> None:
    folder = managed.bundle("1.0.0")
    for method, arguments in (
        ("deploy_formation_stream", [folder]),
        ("update_formation_stream", [managed.id, folder]),
        ("rollback_formation_stream", [managed.id]),
        ("restart_formation_stream", [managed.id]),
    ):
        events = managed.collect(method, *arguments)
        managed.bundle("2.0.0")
        assert {"progress", "complete"} == {event["type"] for event in events}
        assert (events[-1]["type"], events[-1]["formation_id"]) == ("complete", managed.id)
        assert "health_check" in {event.get("stage") for event in events}
    managed("stop_formation", managed.id)
    assert managed.collect("start_formation_stream", managed.id)[-1]["status"] == "running"
    managed("delete_formation", managed.id)
    with pytest.raises((NotFoundError, StreamInterrupted)):
        managed.collect("restart_formation_stream", managed.id)


@probe("get_formation_logs", "stream_formation_logs", "download_formation", on=[EMBEDDED])
def test_logs_and_files(managed: Managed, tmp_path: Path) -> None:
    managed("deploy_formation", managed.bundle("1.0.0"))
    logs = managed("get_formation_logs", managed.id, limit=10)
    assert logs["formation_id"] == managed.id
    assert managed.first("stream_formation_logs", managed.id)["type"] == "connected"
    saved = managed("download_formation", managed.id, tmp_path / "bot.zip")
    assert saved["filename"] == f"{managed.id}.zip"
    with zipfile.ZipFile(tmp_path / "bot.zip") as archive:
        assert "agents/guide.afs" in archive.namelist()


@probe(
    "init_draft",
    "write_draft_file",
    "read_draft_file",
    "list_draft_files",
    "delete_draft_file",
    "deploy_draft",
    "deploy_draft_stream",
    "discard_draft",
    "dev_run",
    "dev_stop",
    on=[EMBEDDED],
)
def test_drafts(managed: Managed) -> None:
    managed("init_draft", managed.id)
    definition = f"id: {managed.id}\ndescription: From a draft\nversion: 1.0.0\n"
    managed("write_draft_file", managed.id, "formation.afs", definition)
    managed("write_draft_file", managed.id, "agents/guide.afs", b"id: guide\n")
    assert managed("read_draft_file", managed.id, "formation.afs")["content"] == definition
    entries = managed("list_draft_files", managed.id, "agents")["entries"]
    assert [entry["name"] for entry in entries] == ["guide.afs"]
    assert managed("dev_run", formation_id=managed.id)["status"] == "running"
    assert managed("dev_stop", managed.id)["status"] == "stopped"
    managed("delete_draft_file", managed.id, "agents")
    with pytest.raises(NotFoundError):
        managed("read_draft_file", managed.id, "agents/guide.afs")
    assert managed("deploy_draft", managed.id)["formation_id"] == managed.id
    managed("init_draft", managed.id, mode="clone")
    changed = definition.replace("1.0.0", "1.1.0")
    managed("write_draft_file", managed.id, "formation.afs", changed)
    assert managed.collect("deploy_draft_stream", managed.id)[-1]["type"] == "complete"
    managed("init_draft", managed.id, mode="clone")
    managed("discard_draft", managed.id)
    with pytest.raises(NotFoundError):
        managed("read_draft_file", managed.id, "formation.afs")
