"""Defects of the recorded runtime, imitated on demand; those of single answers are held by their captures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muxi import FormationClient, ManualClock
from muxi.call import Call, Key
from muxi.errors import NotFoundError, ServerError, ValidationError
from muxi_transports.memory import Defect, EmbeddedFormation, Later, MemoryTransport, NewArtifact
from muxi_transports.memory.formation.state.jobs import Job


class World:
    """A formation that imitates some defects, and one that imitates none."""

    def __init__(self, *defects: Defect) -> None:
        self.clock = ManualClock()
        self.formation = EmbeddedFormation(clock=self.clock, imitate=defects)
        self.client = FormationClient(
            transport=MemoryTransport(self.formation), url="http://memory", client_key="any", admin_key="any"
        )


Worlds = Callable[[Defect], tuple[World, World]]


@pytest.fixture
def worlds() -> Iterator[Worlds]:
    """Make a healthy world and one with a defect."""
    made: list[World] = []

    def make(defect: Defect) -> tuple[World, World]:
        made.extend((World(), World(defect)))
        return made[0], made[1]

    yield make
    for world in made:
        world.client.close()


def test_artifacts_fail_chats(worlds: Worlds) -> None:
    healthy, broken = worlds(Defect.ARTIFACTS_FAIL_CHATS)
    for world in (healthy, broken):
        world.formation.agent("assistant", lambda turn: (NewArtifact("a.txt", "x"), "done"))
    assert healthy.client.chat("x", user_id="ada")["message"]["content"] == "done"
    with pytest.raises(ServerError, match="datetime is not JSON serializable"):
        broken.client.chat("x", user_id="ada")
    assert broken.client.get_artifacts("ada")["total"] == 1, "the work was done"


def test_triggers_that_never_run(worlds: Worlds) -> None:
    healthy, broken = worlds(Defect.ASYNC_TRIGGERS_WITHOUT_WEBHOOK_NEVER_RUN)
    status = []
    for world in (healthy, broken):
        world.formation.trigger("ping", "ping")
        fired = world.client.fire_trigger("ping", {}, user_id="ada", async_mode=True)
        world.clock.advance(60)
        status.append(world.client.get_request_status(fired["request_id"], "ada")["status"])
    world.clock.advance(600)
    status.append(world.client.get_request_status(fired["request_id"], "ada")["status"])
    assert status == ["completed", "processing", "failed"]


def test_anybody_deletes_memories(worlds: Worlds) -> None:
    healthy, broken = worlds(Defect.ANYBODY_DELETES_MEMORIES)
    for world in (healthy, broken):
        world.client.add_memory("Prefers Python", user_id="ada")
    ids = [world.client.get_memories("ada")["memories"][0]["id"] for world in (healthy, broken)]
    with pytest.raises(NotFoundError):
        healthy.client.delete_memory("mallory", ids[0])
    broken.client.delete_memory("mallory", ids[1])
    assert broken.client.get_memories("ada")["count"] == 0


def test_a_bad_cron_expression_crashes_an_update(worlds: Worlds) -> None:
    healthy, broken = worlds(Defect.BAD_CRON_IS_A_CRASH)
    for world in (healthy, broken):
        world.formation.jobs.add(Job("job_1", "ada", "t", "m", 0, 0, cron="0 9 * * *"))
    with pytest.raises(ValidationError, match="Invalid cron expression"):
        healthy.client.update_scheduler_job("job_1", schedule="zzz")
    with pytest.raises(ServerError, match="Invalid cron expression"):
        broken.client.update_scheduler_job("job_1", schedule="zzz")
    assert healthy.client.get_scheduler_job("job_1")["cron_expression"] == "0 9 * * *", "nothing was changed"


def test_clearing_all_buffers_fails_after_it_has_cleared_them(worlds: Worlds) -> None:
    healthy, broken = worlds(Defect.CLEARING_BUFFERS_FAILS)
    for world in (healthy, broken):
        world.client.chat("x", user_id="ada")
    assert healthy.client.clear_all_buffers()["messages_cleared"] == 2
    assert "messages_cleared" not in broken.client.clear_all_buffers(), "the client makes the best of an error"
    assert broken.client.get_user_buffer("ada")["total_messages"] == 0


@pytest.mark.parametrize(
    ("defect", "method", "arguments"),
    [
        (Defect.SKILLS_FAIL, "get_skills", ()),
        (Defect.SKILLS_FAIL, "get_agent_skills", ("assistant",)),
        (Defect.CREDENTIALS_CANNOT_BE_STORED, "create_credential", ("ada", {"service": "x", "credential": {}})),
        (Defect.LINKING_NEEDS_A_USER, "link_user_identifier", (None, ["x"])),
        (Defect.NO_MEMORIES_WITH_SQLITE, "get_memories", ("ada",)),
    ],
)
def test_routes_that_fall_over(worlds: Worlds, defect: Defect, method: str, arguments: tuple[object, ...]) -> None:
    healthy, broken = worlds(defect)
    getattr(healthy.client, method)(*arguments)
    with pytest.raises(ServerError):
        getattr(broken.client, method)(*arguments)


def test_one_of_two_credentials_cannot_be_deleted(worlds: Worlds) -> None:
    healthy, broken = worlds(Defect.TWO_CREDENTIALS_CANNOT_BE_DELETED)
    ids = [
        [world.formation.state.credentials.add("ada", "github", name, {}).id for name in ("work", "home")]
        for world in (healthy, broken)
    ]
    assert healthy.client.delete_credential(ids[0][0], "ada")["deleted"] is True
    with pytest.raises(ServerError, match="Multiple rows"):
        broken.client.delete_credential(ids[1][0], "ada")


def test_an_admin_clears_no_buffers(worlds: Worlds) -> None:
    cleared: list[int] = []
    for world in worlds(Defect.ADMINS_CLEAR_NO_BUFFERS):
        world.client.chat("x", user_id="ada")
        cleared.append(world.client.send(Call.delete("/memory/buffer", key=Key.ADMIN))["messages_cleared"])
    assert cleared == [2, 0]


def test_what_comes_in_is_not_classified(worlds: Worlds) -> None:
    found = []
    for world in worlds(Defect.NO_CLASSIFIER):
        job = world.client.ingest_memory("Likes tea", user_id="ada", source="crm")
        [item] = world.client.wait_for_ingestion(job["processing_id"], "ada")["items"]
        found.append((item["facts_extracted"], item["disposition"], "classify_error" in item))
    assert found == [(1, "stored", False), (0, "stored", True)]


def test_changes_are_not_audited(worlds: Worlds) -> None:
    entries = []
    for world in worlds(Defect.CHANGES_ARE_NOT_AUDITED):
        world.client.create_secret("A", "b")
        world.client.create_scheduler_job("recurring", "0 9 * * *", "x")
        entries.append(len(world.client.get_audit_log()["entries"]))
    assert entries == [2, 0]


def test_requests_are_not_counted(worlds: Worlds) -> None:
    counted = []
    for world in worlds(Defect.REQUESTS_ARE_NOT_COUNTED):
        world.client.chat("x", user_id="ada")
        counted.append(world.client.get_status()["stats"]["requests"]["total"])
    assert counted == [1, 0]


def test_notifications_are_not_signed(worlds: Worlds) -> None:
    signed = []
    for world in worlds(Defect.UNSIGNED_NOTIFICATIONS):
        world.formation.webhooks.default_url = "http://hook.test/x"
        world.client.send_notification("ada", "ping")
        signed.append(world.formation.webhooks.sent[-1].signature is not None)
    assert signed == [True, False]


@pytest.mark.parametrize("change", [{"title": "T"}, {"schedule": "0 8 * * *"}])
def test_an_owned_job_is_changed_by_its_user_alone(worlds: Worlds, change: dict[str, str]) -> None:
    healthy, broken = worlds(Defect.OWNED_JOBS_NEED_THEIR_USER)
    for world in (healthy, broken):
        job = world.client.create_scheduler_job("recurring", "0 9 * * *", "x", user_id="ada")
        if world is broken:
            with pytest.raises(ServerError, match="User 0 does not have permission to update job") as raised:
                # The client's method looks the owner up first.
                world.client.send(
                    Call.put("/scheduler/jobs/{job_id}", params={"job_id": job["id"]}, body=change, key=Key.ADMIN)
                )
            assert raised.value.status_code == 500
        else:
            world.client.update_scheduler_job(job["id"], **change)
        assert world.client.update_scheduler_job(job["id"], **change, user_id="ada")["user_id"] == "ada"


def test_a_fresh_request_is_unknown_for_half_a_second(worlds: Worlds) -> None:
    for world in worlds(Defect.FRESH_REQUESTS_ARE_UNKNOWN):
        world.formation.trigger("hello", "Say hello")
        fired = world.client.fire_trigger("hello", {}, user_id="ada", async_mode=True)
        if world.formation.imitates(Defect.FRESH_REQUESTS_ARE_UNKNOWN):
            assert world.formation.tracker.get(fired["request_id"]) is None
            assert world.formation.tracker.listed() == []
            world.clock.advance(0.5)
        assert world.client.get_request_status(fired["request_id"], "ada")["status"] == "completed"


def test_a_promised_chat_stays_running(worlds: Worlds) -> None:
    ends = []
    for world in worlds(Defect.PROMISED_CHATS_STAY_RUNNING):
        world.formation.webhooks.default_url = "http://hook.test/x"
        world.formation.agent("assistant", lambda turn: Later("Done.", 5))
        promised = world.client.chat("x", user_id="ada")["message"]
        world.clock.advance(6)
        assert world.formation.webhooks.sent[-1].payload["status"] == "completed"
        request_id = promised["request_id"]
        ends.append(world.client.get_request_status(request_id, "ada")["status"])
        world.clock.advance(600)
        if ends[-1] == "running":
            ends.append(world.client.get_request_status(request_id, "ada")["status"])
    assert ends == ["completed", "running", "failed"]


def test_every_defect_has_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.rglob("*.py"))
    assert [defect.name for defect in Defect if f"Defect.{defect.name}" not in tests] == []
