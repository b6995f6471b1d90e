"""The life of formations on the embedded server. One scenario, five runs, every answer held to its schema."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muxi import ManualClock
from muxi.errors import ConflictError, MuxiError, NotFoundError, ServerError, ValidationError
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Turn
from tests.memory.server_runs import AFS, RUNS, ServerRun, new_server


@pytest.fixture
def server(clock: ManualClock) -> EmbeddedServer:
    return new_server(clock, startup_seconds=4, shutdown_seconds=1)


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest, server: EmbeddedServer) -> Iterator[ServerRun]:
    run = ServerRun(request.param, server, request)
    yield run
    run.close()


@pytest.fixture
def bot(tmp_path: Path) -> Any:
    """Write the folder of ``my-bot`` in a version: ``bot("1.0.0")``."""

    def write(version: str, text: str = AFS, **more: str) -> Path:
        folder = tmp_path / "my-bot"
        (folder / "agents").mkdir(parents=True, exist_ok=True)
        (folder / "formation.afs").write_text(text.format(version=version))
        (folder / "agents" / "guide.afs").write_text("id: guide\n")
        for name, content in more.items():
            (folder / name.replace("_", ".")).write_text(content)
        return folder

    return write


def test_a_whole_life(run: ServerRun, server: EmbeddedServer, bot: Any, tmp_path: Path) -> None:
    deployed = run("deploy_formation", bot("1.0.0"))
    assert (deployed["status"], deployed["url"]) == ("running", "http://localhost:7890/api/my-bot")
    [listed] = run("list_formations")["formations"]
    assert (listed["name"], listed["version"]["semantic"], listed["healthy"]) == ("My Bot", "1.0.0", True)

    formation = run.client.formation("my-bot", client_key="any")
    answer = run("chat", {"message": "Hi", "agent_id": "guide"}, on=formation, user_id="ada")
    assert answer["message"]["content"] == "You said: Hi"

    updated = run("update_formation", "my-bot", bot("2.0.0"))
    assert (updated["previous_version"], updated["version"], updated["port"]) == (1, 2, deployed["port"])
    found = run("get_formation", "my-bot")
    assert found["port"] != deployed["port"]
    assert run("health", on=formation)["version"] == "2.0.0"
    with pytest.raises(ConflictError, match="identical"):
        run("update_formation", "my-bot", bot("2.0.0"))

    back = run("rollback_formation", "my-bot")
    assert (back["previous_version"], back["version"], back["status"]) == (2, 1, "running")
    assert run("get_formation", "my-bot")["version"] == {
        "current": found["version"]["previous"],
        "previous": found["version"]["current"],
    }

    server.print("my-bot", "ready\nsteady")
    server.print("my-bot", "oh dear", stream="stderr")
    logs = run("get_formation_logs", "my-bot", limit=1)
    assert logs["logs"] == {"stdout": ["steady"], "stderr": ["oh dear"]}
    assert logs["total_lines"] == {"stderr": 1, "stdout": 2}
    assert run("get_formation_logs", "my-bot", stream="stderr")["logs"] == {"stderr": ["oh dear"]}
    told = run.events("stream_formation_logs", 2, "my-bot", during=lambda: server.print("my-bot", "Grüße <go>"))
    assert [event["type"] for event in told] == ["connected", "log"]
    assert told[1]["line"] == "Grüße <go>"

    run("download_formation", "my-bot", tmp_path / "got.zip")
    with zipfile.ZipFile(tmp_path / "got.zip") as archive:
        assert archive.namelist() == ["agents/", "agents/guide.afs", "formation.afs"]
        assert b"_deployment_mode: server" in archive.read("formation.afs")

    assert run("stop_formation", "my-bot")["status"] == "stopped"
    with pytest.raises(ServerError, match="not running"):
        run("chat", "Hi", on=formation, user_id="ada")
    assert run("status")["formations"] == {"crashed": 0, "running": 0, "stopped": 1, "total": 1}
    assert run("start_formation", "my-bot")["status"] == "running"
    assert run("restart_formation", "my-bot")["restart_count"] == 1
    assert run("status")["port_pool"] == {"allocated": 1, "available": 199, "total": 200}
    assert run("delete_formation", "my-bot")["id"] == "my-bot"
    with pytest.raises(NotFoundError):
        run("get_formation", "my-bot")
    assert run("status")["port_pool"]["allocated"] == 0
    run("close", on=formation)


def test_a_life_told_step_by_step(run: ServerRun, server: EmbeddedServer, bot: Any) -> None:
    def stages(events: list[Any]) -> list[str]:
        return [event.get("stage", event["type"]) for event in events]

    resolving, checks = ["resolving_runtime"] * 2, ["health_check"] * 4
    deployed = run.collect("deploy_formation_stream", bot("1.0.0"))
    assert stages(deployed) == ["extracting", *resolving, "spawning", *checks, "complete"]
    assert [event.get("attempt") for event in deployed[5:8]] == [1, 2, 3]
    updated = run.collect("update_formation_stream", "my-bot", bot("2.0.0"))
    swap = ["swapping", "stopping_old", "complete"]
    assert stages(updated) == ["extracting", "validating", *resolving, "spawning_staging", *checks, *swap]
    assert (updated[-1]["previous_version"], updated[-1]["new_version"]) == ("1", "2")
    assert updated[4]["staging_port"] == updated[-1]["port"]
    back = run.collect("rollback_formation_stream", "my-bot")
    swap = ["stopping_current", "swapping", "complete"]
    assert stages(back) == ["validating", *resolving, "spawning_previous", *checks, *swap]
    restarted = run.collect("restart_formation_stream", "my-bot")
    assert stages(restarted) == ["stopping", "validating", *resolving, "spawning", *checks, "complete"]
    run("stop_formation", "my-bot")
    started = run.collect("start_formation_stream", "my-bot")
    assert stages(started) == ["validating", *resolving, "spawning", *checks, "complete"]
    with pytest.raises(NotFoundError) as raised:
        run.collect("start_formation_stream", "nobody")
    assert (raised.value.code, raised.value.stage) == ("NotFound", "validating")
    with pytest.raises(ConflictError, match="already exists"):
        run.collect("deploy_formation_stream", bot("1.0.0"))


def test_a_draft_becomes_a_formation(run: ServerRun, server: EmbeddedServer) -> None:
    assert run("init_draft", "my-bot")["draft"]["exists"] is True
    with pytest.raises(ConflictError) as raised:
        run("init_draft", "my-bot")
    assert raised.value.code == "DraftAlreadyExists"
    with pytest.raises(ValidationError, match="description"):
        run("deploy_draft", "my-bot")
    run("write_draft_file", "my-bot", "/formation.afs", AFS.format(version="1.0.0"))
    run("write_draft_file", "my-bot", "assets/logo.png", b"\xff\x00")
    assert run("list_draft_files", "my-bot")["entries"] == [
        {"name": "assets/", "type": "dir"},
        {"name": "formation.afs", "type": "file", "size": 58},
    ]
    assert run("read_draft_file", "my-bot", "assets/logo.png")["content"] == "\ufffd\0"
    assert run("read_draft_file", "my-bot", "assets/logo.png", encoding="base64")["content"] == "/wA="
    assert run("delete_draft_file", "my-bot", "assets/logo.png")["deleted"] is True
    assert run("list_draft_files", "my-bot", "assets/")["entries"] is None

    assert run("dev_run", formation_id="my-bot")["status"] == "running"
    draft = run.client.formation("my-bot", client_key="any", mode="draft")
    assert run("health", on=draft)["version"] == "1.0.0"
    with pytest.raises(ConflictError, match="already running"):
        run("dev_run", formation_id="my-bot")
    assert run("dev_stop", formation_id="my-bot")["status"] == "stopped"

    assert run("deploy_draft", "my-bot")["status"] == "running"
    assert run("init_draft", "my-bot", mode="clone")["draft"]["base_version"] == "1.0.0"  # the draft was deployed
    changed = run("write_draft_file", "my-bot", "formation.afs", AFS.format(version="1.1.0"))
    assert changed["live"] == {"version": "1.0.0", "status": "running"}
    assert run("deploy_draft", "my-bot")["version"] == 2
    assert run("init_draft", "my-bot", mode="clone")["draft"]["base_version"] == "1.1.0"
    assert run("discard_draft", "my-bot")["draft"] == {"exists": False}
    assert run("init_draft", "my-bot", mode="clone")["live"]["version"] == "1.1.0"
    with pytest.raises(NotFoundError) as missing:
        run("read_draft_file", "my-bot", "nothing")
    assert missing.value.code == "FileNotFound"
    run("close", on=draft)


def test_a_directory_runs_for_development(run: ServerRun, bot: Any, tmp_path: Path) -> None:
    assert run("dev_run", path=str(bot("0.1.0")))["formation_id"] == "my-bot"
    run("dev_stop", formation_id="my-bot")
    with pytest.raises(NotFoundError):
        run("dev_stop", formation_id="my-bot")
    with pytest.raises(MuxiError, match="Directory not found"):
        run("dev_run", path=str(tmp_path / "none"))


def test_a_process_dies(run: ServerRun, server: EmbeddedServer) -> None:
    server.add(EmbeddedFormation("my-bot", clock=server.clock))
    formation = run.client.formation("my-bot", client_key="any", max_retries=0)
    server.crash("my-bot", output="Segmentation fault")
    with pytest.raises(ServerError) as raised:
        run("health", on=formation)
    assert raised.value.status_code == 502
    found = run("get_formation", "my-bot")
    assert (found["status"], found["healthy"]) == ("unhealthy", False)
    with pytest.raises(ServerError) as again:
        run("health", on=formation)
    assert again.value.status_code == 502  # the monitor has not seen it yet
    with pytest.raises(ServerError, match="Failed to stop formation"):
        run("stop_formation", "my-bot")
    run.clock.advance(5)
    assert run("list_formations")["formations"][0]["status"] == "crashed"
    with pytest.raises(ServerError, match="status: crashed"):
        run("health", on=formation)
    assert run("status")["formations"]["crashed"] == 1
    assert run("get_formation_logs", "my-bot")["logs"]["stderr"] == ["Segmentation fault"]
    assert run("start_formation", "my-bot")["status"] == "running"
    run("close", on=formation)


def test_what_is_deployed_can_be_the_tests_own_formation(run: ServerRun, server: EmbeddedServer, bot: Any) -> None:
    mine = server.provide(EmbeddedFormation("my-bot", client_key="fmc", clock=server.clock))

    @mine.agent("assistant")
    def assistant(turn: Turn) -> str:
        return f"Hello, {turn.user_id}!"

    run("deploy_formation", bot("3.1.0"))
    formation = run.client.formation("my-bot", client_key="fmc")
    assert run("chat", "Hi", on=formation, user_id="ada")["message"]["content"] == "Hello, ada!"
    assert server.find("my-bot") is mine
    assert mine.version == "3.1.0"
    run("close", on=formation)


def test_starts_fail(run: ServerRun, server: EmbeddedServer, bot: Any) -> None:
    server.fail_starts("my-bot", "config error: bad model key", times=1)
    with pytest.raises(ValidationError, match="after 30s: Formation crashed during startup:\nconfig error: bad model"):
        run("deploy_formation", bot("1.0.0"))
    assert run("list_formations")["total"] == 0
    run("deploy_formation", bot("1.0.0"))
    server.fail_starts("my-bot")
    with pytest.raises(ServerError) as raised:
        run.collect("update_formation_stream", "my-bot", bot("1.1.0"))
    assert (raised.value.code, raised.value.stage) == ("HealthCheckFailed", "health_check")
    assert "failed after 30 attempts (timeout: 30s). Old version still running" in str(raised.value)
    assert run("get_formation", "my-bot")["status"] == "running"
    server.recover("my-bot")
    assert run("update_formation", "my-bot", bot("1.1.0"))["version"] == 2


def test_the_log_of_the_server(run: ServerRun, server: EmbeddedServer) -> None:
    assert run("get_server_logs") == ""
    server.log("one")
    server.log("two")
    assert run("get_server_logs", limit=1) == "two\n"
