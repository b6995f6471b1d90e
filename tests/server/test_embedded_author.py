"""What the author of a test has happen on an embedded server, and the defects that it can imitate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muxi import ServerClient
from muxi.clock import ManualClock
from muxi.errors import ConfigurationError, ConflictError, MuxiError, NotFoundError, ServerError, ValidationError
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport, ServerDefect
from tests.server.bench import archive, folder


class Desk:
    """A server and its client."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.path = path
        self.clock = ManualClock()
        self.server = EmbeddedServer(clock=self.clock, **settings)
        self.client = ServerClient(
            url="http://memory",
            key_id="k",
            secret_key="s",
            transport=MemoryTransport(self.server),
            validate_responses="strict",
        )

    def bot(self, version: str = "1.0.0", **files: str) -> Path:
        text = f"id: my-bot\nversion: {version}\ndescription: A bot\n"
        return folder(self.path / version, **{"formation_afs": text, **files})

    def status(self) -> str:
        return self.client.get_formation("my-bot")["status"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_health_fails_and_recovers(desk: Desk) -> None:
    desk.server.add(EmbeddedFormation("my-bot", clock=desk.clock))
    desk.server.fail_health("my-bot")
    bot = desk.client.formation("my-bot", client_key="any", max_retries=0)
    assert bot.health()["status"] == "healthy"  # nobody has looked yet
    assert desk.status() == "unhealthy"
    assert bot.health()["status"] == "healthy"  # the proxy goes by the process, which runs
    desk.server.recover("my-bot")
    assert desk.status() == "running"
    assert bot.health()["status"] == "healthy"


def test_ports_run_out(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ports=1)
    desk.client.deploy_formation(desk.bot())
    with pytest.raises(ServerError, match="No available ports for staging deployment") as raised:
        desk.client.update_formation("my-bot", desk.bot("2.0.0"))
    assert raised.value.status_code == 507
    other = folder(tmp_path / "other", formation_afs="id: other\ndescription: x\n")
    with pytest.raises(ServerError, match="no available ports in range 18200-18200"):
        desk.client.deploy_formation(other)
    with pytest.raises(ConfigurationError, match="1 ports"):
        desk.server.add(EmbeddedFormation("third", clock=desk.clock))
    desk.client.delete_formation("my-bot")
    assert desk.client.deploy_formation(other)["port"] == 18200


def test_no_port_is_lost_or_given_to_two(desk: Desk) -> None:
    desk.server.ports.total = 2
    desk.client.deploy_formation(desk.bot())
    for _ in range(3):
        desk.server.crash("my-bot")
        desk.client.start_formation("my-bot")
        desk.client.restart_formation("my-bot")
    assert desk.client.status()["port_pool"] == {"allocated": 1, "available": 1, "total": 2}
    desk.client.update_formation("my-bot", desk.bot("2.0.0"))
    desk.client.stop_formation("my-bot")
    for name in ("one", "two"):
        desk.server.add(EmbeddedFormation(name, clock=desk.clock))
    desk.client.delete_formation("my-bot")
    assert desk.client.status()["port_pool"]["allocated"] == 2
    desk.client.delete_formation("one")
    assert desk.client.status()["port_pool"]["allocated"] == 1


def test_an_update_is_cancelled(tmp_path: Path) -> None:
    desk = Desk(tmp_path, startup_seconds=10)
    desk.client.deploy_formation(desk.bot())
    with pytest.raises(ValidationError, match="No update in progress"):
        desk.client.cancel_update("my-bot")
    with desk.client.update_formation_stream("my-bot", desk.bot("2.0.0")) as steps:
        assert next(step for step in steps if step.get("attempt") == 1)
        with pytest.raises(ConflictError, match="already being updated"):
            desk.client.update_formation("my-bot", desk.bot("3.0.0"))
        cancelled = desk.client.cancel_update("my-bot")
        assert cancelled["staging_port"] != cancelled["current_port"]
        with pytest.raises(ServerError) as raised:
            list(steps)
    assert raised.value.code == "HealthCheckFailed"
    assert "Formation process crashed during startup. Old version still running" in str(raised.value)
    assert desk.client.list_formations()["formations"][0]["version"]["semantic"] == "1.0.0"
    assert desk.client.status()["port_pool"]["allocated"] == 1


def test_a_formation_takes_its_time_to_stop(tmp_path: Path) -> None:
    desk = Desk(tmp_path, shutdown_seconds=10)
    desk.server.add(EmbeddedFormation("my-bot", clock=desk.clock))
    with pytest.raises(TimeoutError):
        desk.client.with_options(timeout=1, max_retries=0).stop_formation("my-bot")
    assert desk.status() == "stopping"
    desk.clock.advance(9)
    assert desk.status() == "stopped"


def test_a_deployment_goes_on_when_its_client_leaves(tmp_path: Path) -> None:
    desk = Desk(tmp_path, startup_seconds=6)
    with desk.client.deploy_formation_stream(desk.bot()) as steps:
        assert next(steps).get("stage") == "extracting"
    assert desk.status() == "starting"
    desk.clock.advance(6)
    assert desk.status() == "running"


def test_a_formation_that_is_deleted_while_it_starts_is_gone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, startup_seconds=6)
    with desk.client.deploy_formation_stream(desk.bot()) as steps:
        assert next(step for step in steps if step.get("attempt") == 1)
        desk.client.delete_formation("my-bot")
        with pytest.raises(MuxiError, match="crashed during startup"):
            list(steps)
    assert desk.client.status()["port_pool"]["allocated"] == 0
    assert desk.client.deploy_formation(desk.bot())["status"] == "running"


def test_a_provided_formation_comes_with_an_update_and_goes_with_a_rollback(desk: Desk) -> None:
    desk.client.deploy_formation(desk.bot())
    new = desk.server.provide(EmbeddedFormation("my-bot", clock=desk.clock))
    new.script(["I am new."])
    desk.client.update_formation("my-bot", desk.bot("2.0.0"))
    bot = desk.client.formation("my-bot", client_key="any")
    assert bot.chat("Hi", user_id="ada")["message"]["content"] == "I am new."
    desk.client.rollback_formation("my-bot")
    assert bot.chat("Hi", user_id="ada")["message"]["content"] == "You said: Hi"
    with pytest.raises(ConfigurationError, match=r"clock=server\.clock"):
        desk.server.provide(EmbeddedFormation("my-bot"))


def test_what_an_update_takes_over(desk: Desk, tmp_path: Path) -> None:
    text = "id: my-bot\ndescription: A bot\n"
    desk.client.deploy_formation(archive({"b/formation.afs": text, "b/MUXI.md": "first", "b/memory.db": "kept"}))
    desk.client.update_formation("my-bot", desk.bot("2.0.0"))
    files = desk.server.live.find("my-bot").release.files  # type: ignore[union-attr]  # it is there
    assert (files.read("MUXI.md"), files.read("memory.db")) == (b"first", b"kept")
    desk.client.download_formation("my-bot", tmp_path / "a.zip")
    without = desk.client.download_formation("my-bot", tmp_path / "b.zip", db=True)
    assert without["size"] > (tmp_path / "a.zip").stat().st_size


def test_runtimes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, runtimes=("0.1.0", "0.2.0", "0.10.0"))

    def deploy(runtime: str) -> str:
        text = f"id: my-bot\ndescription: x\nmuxi_runtime: {runtime}\n"
        steps = list(desk.client.deploy_formation_stream(folder(tmp_path / "x", formation_afs=text)))
        desk.client.delete_formation("my-bot")
        return next(step["version"] for step in steps if "version" in step)

    assert [deploy(runtime) for runtime in ("latest", "0.2:lean", "0")] == ["0.10.0", "0.2.0", "0.10.0"]
    with pytest.raises(ValidationError, match=r"no runtime versions found matching 7\.1\.x"):
        deploy("7.1")
    with pytest.raises(ServerError, match="404 Not Found") as raised:
        deploy("7.1.0")
    assert raised.value.stage == "downloading_sif"


def test_mistakes_of_the_author_are_told(desk: Desk) -> None:
    desk.server.add(EmbeddedFormation("other", clock=desk.clock))
    for act in (desk.server.crash, desk.server.fail_health, desk.server.end_logs):
        with pytest.raises(ConfigurationError, match="no formation 'my-bot'; there is 'other'"):
            act("my-bot")
    desk.server.crash("other")
    with pytest.raises(ConfigurationError, match="does not run"):
        desk.server.crash("other")
    with pytest.raises(ConfigurationError, match="stdout"):
        desk.server.print("other", "x", stream="out")  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(ConfigurationError, match=r"no such defect to imitate: 'slow'; there are failed_"):
        EmbeddedServer(imitate={"slow"})


def test_logs_that_are_followed_end_when_the_author_says_so(desk: Desk) -> None:
    desk.server.add(EmbeddedFormation("my-bot", clock=desk.clock))
    with desk.client.stream_formation_logs("my-bot", stream="stderr") as stream:
        desk.server.print("my-bot", "not this")
        desk.server.print("my-bot", "a\nb", stream="stderr")
        desk.server.end_logs("my-bot")
        assert [event.get("line") for event in stream] == [None, "a", "b"]


def test_start_fails(tmp_path: Path) -> None:
    desk = Desk(tmp_path, imitate={ServerDefect.START_FAILS})
    desk.client.deploy_formation(desk.bot())
    with pytest.raises(ServerError, match="Failed to find formation config"):
        desk.client.restart_formation("my-bot")
    assert desk.status() == "unhealthy"
    with pytest.raises(ServerError, match="Failed to stop"):
        desk.client.stop_formation("my-bot")
    with pytest.raises(ServerError, match="is not running"):
        desk.client.formation("my-bot", client_key="any", max_retries=0).health()


def test_rollback_leaves_starting(tmp_path: Path) -> None:
    desk = Desk(tmp_path, imitate="rollback_leaves_starting")
    desk.client.deploy_formation(desk.bot())
    desk.client.update_formation("my-bot", desk.bot("2.0.0"))
    assert desk.client.rollback_formation("my-bot")["status"] == "running"
    assert desk.client.get_formation("my-bot")["healthy"] is None
    with pytest.raises(ServerError, match="status: starting"):
        desk.client.formation("my-bot", client_key="any", max_retries=0).health()


def test_second_update_fails_and_stop_after_the_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path, imitate={"second_update_fails", "stop_fails_after_update"})
    desk.client.deploy_formation(desk.bot())
    desk.client.update_formation("my-bot", desk.bot("2.0.0"))
    with pytest.raises(ServerError, match="process with ID my-bot-staging already exists"):
        desk.client.update_formation("my-bot", desk.bot("3.0.0"))
    with pytest.raises(ServerError, match="Failed to stop"):
        desk.client.stop_formation("my-bot")


def test_failed_update_keeps_staging(tmp_path: Path) -> None:
    desk = Desk(tmp_path, imitate={"failed_update_keeps_staging"})
    desk.client.deploy_formation(desk.bot())
    desk.client.update_formation("my-bot", desk.bot("2.0.0"))
    desk.server.fail_starts("my-bot", "no", times=1)
    with pytest.raises(ValidationError, match="Formation crashed during startup:\nno"):
        desk.client.update_formation("my-bot", desk.bot("3.0.0"))
    assert desk.client.cancel_update("my-bot")["status"] == "running"
    assert desk.status() == "unhealthy"


@pytest.mark.parametrize("imitate", [(), ("failed_deploy_loses_draft",)])
def test_failed_deploy_loses_draft(tmp_path: Path, imitate: tuple[str, ...]) -> None:
    desk = Desk(tmp_path, imitate=imitate)
    desk.client.init_draft("my-bot")
    desk.client.write_draft_file("my-bot", "formation.afs", "id: my-bot\ndescription: x\n")
    desk.server.fail_starts("my-bot", "no", times=1)
    with pytest.raises(ValidationError):
        desk.client.deploy_draft("my-bot")
    if imitate:
        with pytest.raises(NotFoundError):
            desk.client.list_draft_files("my-bot")
    else:
        assert desk.client.deploy_draft("my-bot")["status"] == "running"


def test_second_draft_deploy_is_no_change(tmp_path: Path) -> None:
    desk = Desk(tmp_path, imitate={"second_draft_deploy_is_no_change"})
    for version in ("1", "2"):
        desk.client.init_draft("my-bot")
        text = f"id: my-bot\ndescription: x\nversion: '{version}'\n"
        desk.client.write_draft_file("my-bot", "formation.afs", text)
        if version == "1":
            desk.client.deploy_draft("my-bot")
    with pytest.raises(ConflictError, match="identical"):
        desk.client.deploy_draft("my-bot")


@pytest.mark.parametrize("imitate", [(), ("unframed_conflict",)])
def test_unframed_conflict(tmp_path: Path, imitate: tuple[str, ...]) -> None:
    desk = Desk(tmp_path, startup_seconds=10, imitate=imitate)
    desk.client.deploy_formation(desk.bot())
    desk.client.init_draft("my-bot", mode="clone")
    with desk.client.update_formation_stream("my-bot", desk.bot("2.0.0")) as steps:
        next(step for step in steps if step.get("attempt") == 1)
        with pytest.raises(ConflictError, match="Formation is already being updated") as raised:
            list(desk.client.deploy_draft_stream("my-bot"))
        assert raised.value.code == "DeployConflict"
        with pytest.raises(ConflictError) as plain:
            desk.client.deploy_draft("my-bot")
        assert plain.value.code == "DeployConflict"


def test_every_defect_is_tried_here() -> None:
    text = Path(__file__).read_text("utf-8")
    for defect in ServerDefect:
        assert defect.value in text.lower(), defect
    assert json.loads(json.dumps(ServerDefect.START_FAILS)) == "start_fails"
