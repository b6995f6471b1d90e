"""Work that nobody waits for: when it is done, and by whom."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from muxi import FormationClient, ManualClock, ServerError
from muxi.clock import Clock
from muxi.errors import ConfigurationError, NotFoundError
from muxi_transports.memory import EmbeddedFormation, Failure, Later, MemoryTransport, Part, Pause, Turn
from muxi_transports.memory.formation.state.jobs import BadSchedule, Job, next_time, read_time


@pytest.fixture
def client(formation: EmbeddedFormation) -> Iterator[FormationClient]:
    with FormationClient(
        transport=MemoryTransport(formation), url="http://memory", client_key="fmc_test", admin_key="fma_test"
    ) as client:
        yield client


class OwnClock(Clock):
    """A clock of another kind than those that ring."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.now += seconds


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


def test_jobs_run_on_time_while_a_test_moves_the_clock(formation: EmbeddedFormation, clock: ManualClock) -> None:
    hours: list[str] = []

    @formation.agent("assistant")
    def assistant(turn: Turn) -> Iterator[Part]:
        hours.append(datetime.fromtimestamp(clock.time(), timezone.utc).strftime("%H:%M"))
        yield Pause(3600)
        hours.append(datetime.fromtimestamp(clock.time(), timezone.utc).strftime("%H:%M"))

    formation.jobs.add(Job("job_1", "ada", "t", "m", 0, 0, cron="30 6,18 * * *"))
    clock.advance(at("2027-01-16T12:00:00") - clock.time())
    hours.clear()
    clock.advance(24 * 3600)
    assert hours == ["18:30", "19:30", "06:30", "07:30"]


def test_a_one_time_job_runs_once(client: FormationClient, formation: EmbeddedFormation, clock: ManualClock) -> None:
    when = datetime.fromtimestamp(clock.time() + 60, timezone.utc).isoformat()
    job = client.create_scheduler_job("one_time", when, "remind me", user_id="ada")
    clock.advance(59.5)
    assert client.get_scheduler_job(job["id"])["total_runs"] == 0
    clock.advance(3600)
    ran = client.get_scheduler_job(job["id"])
    assert (ran["status"], ran["total_runs"], ran["last_run_status"]) == ("COMPLETED", 1, "success")
    assert formation.jobs.next_run(job["id"]) is None


def test_a_job_that_fails_three_times_is_paused(client: FormationClient, clock: ManualClock) -> None:
    world = client.create_scheduler_job("recurring", "0 * * * *", "x", user_id="ada")
    client_formation = EmbeddedFormation(clock=clock)
    client_formation.agent("assistant", lambda turn: Failure("no"))
    job = client_formation.jobs.add(Job(world["id"], "ada", "t", "m", 0, 0, cron="0 * * * *"))
    clock.advance(10 * 3600)
    assert (job.status, job.total_runs, job.total_failures, job.consecutive_failures) == ("PAUSED", 3, 3, 3)
    assert client.get_scheduler_job(world["id"])["total_runs"] == 10


def test_a_reply_that_is_none_fails_what_runs_in_the_background(
    client: FormationClient, formation: EmbeddedFormation, clock: ManualClock
) -> None:
    nonsense: Any = 5
    formation.agent("assistant", lambda turn: nonsense)
    formation.trigger("ping", "ping")
    job = formation.jobs.add(Job("job_1", "ada", "t", "m", 0, 0, cron="0 * * * *"))
    fired = client.fire_trigger("ping", {}, user_id="ada", async_mode=True)
    clock.advance(3600)
    assert "an agent replied with int" in str(job.last_run_failure_message)
    formation.agent("assistant", lambda turn: Later(nonsense, seconds=3))
    with pytest.raises(ServerError, match="reply= takes Reply, got int"):
        client.chat("x", user_id="ada")
    with pytest.raises(NotFoundError):
        client.get_request_status(fired["request_id"], "ada")


def test_jobs_run_in_real_time() -> None:
    ran = threading.Event()
    formation = EmbeddedFormation()

    @formation.agent("assistant")
    def assistant(turn: Turn) -> str:
        ran.set()
        return "done"

    now = formation.clock.time()
    formation.jobs.add(Job("job_1", "ada", "t", "m", now, now, at=now + 0.02))
    assert ran.wait(5)


def test_a_clock_that_rings_no_alarms_is_caught_up_with_by_the_next_request() -> None:
    clock = OwnClock()
    formation = EmbeddedFormation(clock=clock)
    job = formation.jobs.add(Job("job_1", "ada", "t", "m", 0, 0, cron="0 * * * *"))
    clock.sleep(2.5 * 3600)
    assert job.total_runs == 0
    formation.catch_up()
    assert job.total_runs == 2


def test_a_world_that_is_forgotten_does_nothing_any_more(clock: ManualClock) -> None:
    formation = EmbeddedFormation(clock=clock)
    script = formation.script({})
    formation.jobs.add(Job("job_1", "ada", "t", "m", 0, 0, cron="0 * * * *"))
    clock.advance(3600)
    del formation
    gc.collect()
    clock.advance(86400)
    assert script.messages == ["m"]


def test_an_agent_may_move_the_clock_and_ask_its_own_formation(
    client: FormationClient, formation: EmbeddedFormation, clock: ManualClock
) -> None:
    def assistant(turn: Turn) -> str:
        if turn.job_id is None:
            return "inner"
        clock.advance(5)
        return str(client.chat("x", user_id="ada")["message"]["content"])

    formation.agent("assistant", assistant)
    job = formation.jobs.add(Job("job_1", "ada", "t", "m", 0, 0, cron="0 * * * *"))
    clock.advance(3 * 3600)
    assert (job.total_runs, job.total_failures) == (3, 0)


def test_a_chat_that_takes_long_streams_to_its_end(client: FormationClient, formation: EmbeddedFormation) -> None:
    formation.agent("assistant", lambda turn: Later("finally", seconds=30))
    before = formation.clock.time()
    with client.chat_stream({"message": "x", "webhook_url": "http://hook.test"}, user_id="ada") as stream:
        assert stream.result()["content"] == "finally"
    assert formation.clock.time() - before >= 30
    [sent] = formation.webhooks.sent
    assert (sent.kind, sent.url, sent.payload["response"][0]["text"]) == ("completion", "http://hook.test", "finally")


@pytest.mark.parametrize(
    ("cron", "after", "due"),
    [
        ("0 9 * * 1", "2026-11-22T15:00:00", "2026-11-23T09:00:00"),
        ("*/15 * * * *", "2026-11-22T15:00:00", "2026-11-22T15:15:00"),
        ("0 0 29 2 *", "2026-11-22T15:00:00", "2028-02-29T00:00:00"),
    ],
)
def test_when_a_cron_expression_is_due(cron: str, after: str, due: str) -> None:
    assert next_time(cron, at(after)) == at(due)


@pytest.mark.parametrize("cron", ["", "zzz", "60 * * * *", "0 0 31 2 *"])
def test_what_is_never_due_is_no_schedule(cron: str) -> None:
    with pytest.raises(BadSchedule):
        next_time(cron, 0)


@pytest.mark.parametrize("text", ["2026-11-24T15:45:15Z", "2026-11-24T16:45:15.0+01:00", "2026-11-24T15:45:15"])
def test_times_are_read_as_they_are_written(text: str) -> None:
    assert read_time(text) == at("2026-11-24T15:45:15")


def test_a_time_that_is_none() -> None:
    with pytest.raises(BadSchedule):
        read_time("tomorrow")


@pytest.mark.parametrize("missing", ["croniter", "yaml"])
def test_what_an_extra_is_needed_for_names_it(
    monkeypatch: pytest.MonkeyPatch, missing: str, formation: EmbeddedFormation
) -> None:
    monkeypatch.setitem(__import__("sys").modules, missing, None)
    formation.trigger("t", "---\nwebhook: http://hook.test\n---\nx")
    use: dict[str, Callable[[], object]] = {
        "croniter": lambda: next_time("0 9 * * *", 0),
        "yaml": lambda: formation.triggers["t"].routing(),
    }
    with pytest.raises(ConfigurationError, match=r"muxi-client\[test\]"):
        use[missing]()
