"""Defects of the recorded runtime, imitated on demand; those of single answers are held by their captures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from muxi import FormationClient, ManualClock
from muxi.errors import NotFoundError, ServerError, ValidationError
from muxi_transports.memory import Artifact, Defect, EmbeddedFormation, MemoryTransport
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
        world.formation.agent("assistant", lambda turn: (Artifact("a.txt", "x"), "done"))
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
