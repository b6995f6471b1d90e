"""One scenario, five runs: in memory in both colours, and over loopback by every HTTP transport. They do not differ."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from muxi import ManualClock, ValidationError, webhook
from muxi.errors import NotFoundError, TurnFailed
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    Failure,
    Later,
    MemoryTransport,
    NewArtifact,
    Question,
    Served,
    Turn,
)
from tests.answers import AsyncColour, Colour
from tests.memory.conftest import ADMIN, CLIENT, Stage

RUNS = ("memory", "memory, async", "requests", "urllib3", "aiohttp")


class Run:
    """A formation, and a client that reaches it in one of five ways."""

    def __init__(self, name: str, formation: EmbeddedFormation, clock: ManualClock, request: Any) -> None:
        self.formation = formation
        self.clock = clock
        asynchronous = name in ("memory, async", "aiohttp")
        self.colour = AsyncColour() if asynchronous else Colour()
        transport: Any = name
        url = "http://memory"
        if name == "memory":
            transport = MemoryTransport(formation)
        elif name == "memory, async":
            transport = AsyncMemoryTransport(formation)
        else:
            stage: Stage
            served: Served
            stage, served = request.getfixturevalue("served_stage")
            stage.world = formation
            url = served.url
        self.client = self.colour.formation(
            transport=transport, url=url, client_key=CLIENT, admin_key=ADMIN, clock=None if "memory" in name else clock
        )

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the client."""
        return self.colour.run(getattr(self.client, method), *args, **kwargs)

    def collect(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """What a method of the client gives, one by one."""
        return self.colour.collect(getattr(self.client, method), *args, **kwargs)

    def events(self, method: str, count: int, *args: Any, during: Any, **kwargs: Any) -> list[Any]:
        """Open a stream, let something happen, and take so many events."""
        if not self.colour.asynchronous:
            with getattr(self.client, method)(*args, **kwargs) as stream:
                during()
                return [next(stream) for _ in range(count)]

        async def taken() -> list[Any]:
            async with await getattr(self.client, method)(*args, **kwargs) as stream:
                during()
                return [await anext(stream) for _ in range(count)]

        return list(self.colour.run(taken))

    def close(self) -> None:
        self.formation.end_feeds()
        self("close")
        self.colour.end()


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest, formation: EmbeddedFormation, clock: ManualClock) -> Iterator[Run]:
    run = Run(request.param, formation, clock, request)
    yield run
    run.close()


def test_a_chat(run: Run) -> None:
    script = run.formation.script({"hello": "Hi there!", "boom": RuntimeError("out of order")}, otherwise="Pardon?")
    assert run("chat", {"message": "hello", "session_id": "s"}, user_id="ada")["message"]["content"] == "Hi there!"
    assert run("chat", {"message": "what", "session_id": "s"}, user_id="ada")["message"]["content"] == "Pardon?"
    with pytest.raises(TurnFailed, match="out of order"):
        run.collect("chat_stream", "boom", user_id="ada")
    assert script.messages == ["hello", "what", "boom"]
    assert [m["text"] for m in run("get_session_messages", "s", "ada")["messages"]] == [
        *("hello", "Hi there!"),
        *("what", "Pardon?"),
    ]


def test_a_stream(run: Run) -> None:
    run.formation.agent("assistant", lambda turn: ("one ", "two ", "three"))
    events = run.collect("chat_stream", "count", user_id="ada")
    assert [event["text"] for event in events if event["type"] == "text"] == ["one ", "two ", "three"]
    assert [event["type"] for event in events][-2:] == ["completed", "done"]


def test_a_question(run: Run) -> None:
    def assistant(turn: Turn) -> Any:
        if turn.clarifies is None:
            return Question("Which one?", ("work", "home"))
        return f"{turn.clarifies}: {turn.message}"

    run.formation.agent("assistant", assistant)
    asked = run("chat", {"message": "list repos", "session_id": "s"}, user_id="ada")["message"]
    assert asked["metadata"]["clarification"] is True
    assert [option["value"] for option in asked["ui"][0]["options"]] == ["work", "home"]
    reply = run("chat", {"message": "work", "session_id": "s"}, user_id="ada")["message"]["content"]
    assert reply == "list repos: work"


def test_a_chat_that_takes_long(run: Run) -> None:
    received: list[Any] = []
    run.formation.webhooks.deliver_to(
        lambda sent: received.append(webhook.receive(sent.body, sent.signature, ADMIN, clock=run.clock))
    )
    run.formation.agent("assistant", lambda turn: Later("All done.", seconds=90))
    answer = run("chat", {"message": "build a site", "webhook_url": "http://hook.test/x"}, user_id="ada")
    assert answer["message"]["status"] == "processing"
    request_id = answer["message"]["request_id"]
    run.clock.advance(89)
    assert (run("get_request_status", request_id, "ada")["status"], received) == ("processing", [])
    run.clock.advance(1)
    [event] = received
    assert (event.request_id, event.status, event.text, event.user_id) == (request_id, "completed", "All done.", "ada")
    assert run("get_request_status", request_id, "ada")["result"] == "All done."


def test_triggers(run: Run) -> None:
    run.formation.trigger("alert", "${{ data.host }} is at ${{ data.load.one }}.")
    assert run("get_triggers")["triggers"] == ["alert"]
    assert run("get_trigger", "alert")["data_fields"] == ["host", "load.one"]
    fired = run("fire_trigger", "alert", {"host": "db1", "load": {"one": 9.5}}, user_id="ada")
    assert fired["content"] == "You said: db1 is at 9.5."
    with pytest.raises(ValidationError, match=r"Data key 'data.load.one' not found"):
        run("fire_trigger", "alert", {"host": "db1"})
    with pytest.raises(NotFoundError):
        run("fire_trigger", "nope", {})
    background = run("fire_trigger", "alert", {"host": "x", "load": {"one": 1}}, user_id="ada", async_mode=True)
    assert background["status"] == "processing"
    assert run("wait_for_request", background["request_id"], "ada")["result"] == "You said: x is at 1."


def test_scheduled_jobs(run: Run) -> None:
    script = run.formation.script(["done", Failure("no paper")])
    job = run("create_scheduler_job", "recurring", "0 9 * * *", "print the report", user_id="ada")
    nine = run.formation.jobs.next_run(job["id"])
    assert nine is not None
    assert (nine.hour, nine.minute, nine.tzinfo) == (9, 0, timezone.utc)
    run.clock.advance(2 * 86400)
    listed = run("get_scheduler_jobs", "ada")["jobs"]
    assert [(one["id"], one["total_runs"], one["total_failures"]) for one in listed] == [(job["id"], 2, 1)]
    assert listed[0]["last_run_failure_message"] == "no paper"
    assert datetime.fromisoformat(listed[0]["last_run_at"].replace("Z", "+00:00")).hour == 9
    assert [turn.job_id for turn in script.turns] == [job["id"]] * 2
    run("pause_scheduler_job", job["id"])
    run.clock.advance(5 * 86400)
    assert run("get_scheduler_job", job["id"])["total_runs"] == 2
    assert run("resume_scheduler_job", job["id"])["status"] == "ACTIVE"
    changed = run("update_scheduler_job", job["id"], message="print it twice")
    assert (changed["id"] != job["id"], changed["user_id"], changed["title"]) == (
        True,
        "ada",
        "Updated: print the report",
    )
    run("delete_scheduler_job", changed["id"])
    assert run("get_scheduler_jobs")["jobs"] == []
    with pytest.raises(ValidationError, match="Invalid cron expression"):
        run("create_scheduler_job", "recurring", "every day", "x")
    with pytest.raises(ValidationError, match="must be in the future"):
        run("create_scheduler_job", "one_time", "2020-01-01T00:00:00Z", "x")


def test_requests(run: Run) -> None:
    run.formation.agent("assistant", lambda turn: Later("done", seconds=60))
    request_id = run("chat", "x", user_id="ada")["message"]["request_id"]
    assert [one["request_id"] for one in run("get_requests", "ada")["requests"]] == [request_id]
    assert run("cancel_request", request_id, "ada")["cancellation"] == "cooperative"
    run.clock.advance(60)
    assert run("get_request_status", request_id, "ada")["status"] == "cancelled"
    run.clock.advance(301)
    with pytest.raises(NotFoundError):
        run("get_request_status", request_id, "ada")


def test_artifacts(run: Run, tmp_path: Path) -> None:
    drafts = iter((b"one", b"two!"))
    run.formation.agent("assistant", lambda turn: (NewArtifact("report.csv", next(drafts)), "Here it is."))
    answer = run("chat", {"message": "report", "session_id": "s"}, user_id="ada")
    assert answer["message"]["artifacts"][0]["filename"] == "report.csv"
    events = run.collect("chat_stream", "again", user_id="ada")
    completed = next(event for event in events if event["type"] == "completed")
    assert completed["token"]["artifacts"][0]["content"] == "two!"
    [artifact] = run("get_artifacts", "ada")["artifacts"]
    assert (artifact["version"], artifact["size_bytes"], artifact["content_type"]) == (2, 4, "text/csv")
    assert [version["version"] for version in run("get_artifact_versions", artifact["id"], "ada")["versions"]] == [2, 1]
    run("download_artifact", artifact["id"], tmp_path / "new.csv", "ada")
    run("download_artifact", artifact["id"], tmp_path / "old.csv", "ada", version=1)
    assert [(tmp_path / name).read_bytes() for name in ("new.csv", "old.csv")] == [b"two!", b"one"]
    with pytest.raises(NotFoundError):
        run("get_artifact", artifact["id"], "mallory")


def test_history(run: Run) -> None:
    for day in range(1, 4):
        run.formation.write_history("ada", f"2027-01-0{day}", f"Day {day}.", decisions=["Go"], sources=[("chat", "s")])
    entries = run("get_history", "ada", date_from="2027-01-02", include_sources=True)["entries"]
    assert [(entry["date"], entry["summary"]) for entry in entries] == [
        ("2027-01-03", "Day 3."),
        ("2027-01-02", "Day 2."),
    ]
    assert entries[0]["sources"] == [{"source_type": "chat", "source_id": "s"}]
    assert run("get_history", "bob")["count"] == 0


def test_events(run: Run) -> None:
    def happen() -> None:
        run.formation.emit_event("chat.message", "for another", user_id="bob")
        run.formation.emit_event("system.internal", "not for here", user_id="ada")
        run.formation.emit_event("agent.done", "Grüße\u2028!", user_id="ada", session_id="s", request_id="r")

    [event] = run.events("stream_events", 1, "ada", during=happen)
    assert (event["type"], event["message"], event["request_id"]) == ("agent.done", "Grüße\u2028!", "r")
    [event] = run.events("stream_session", 1, "ada", "s", during=happen)
    assert event["message"] == "Grüße\u2028!"
    [event] = run.events("stream_request", 1, "ada", "s", "r", during=happen)
    assert event["type"] == "agent.done"


def test_logs(run: Run) -> None:
    def happen() -> None:
        run.formation.log("fine", level="debug")
        run.formation.log("bad", level="error")

    [event] = run.events("stream_logs", 1, level="warning", during=happen)
    assert (event["level"], event["message"]) == ("error", "bad")


def test_a_stream_of_events_ends_when_it_is_told_to(run: Run) -> None:
    def end() -> None:
        run.formation.emit_event("task.started", "last", user_id="ada")
        run.formation.end_feeds()

    [event] = run.events("stream_events", 1, "ada", during=end)
    assert event["message"] == "last"


def test_a_voice_note(run: Run) -> None:
    run.formation.transcribe = lambda files: "hello from " + str(files[0]["filename"])
    note = {"filename": "note.wav", "content": "UklGRg==", "content_type": "audio/wav"}
    answer = run("audio_chat", {"files": [note]}, user_id="ada")
    assert answer["message"]["content"] == "You said: hello from note.wav"


def test_a_key_joins_calls(run: Run) -> None:
    run.formation.trigger("ping", "ping")
    script = run.formation.script(["once", "twice"])
    keyed = run.client.with_options(idempotency_key="k1")
    fired = [run.colour.run(keyed.fire_trigger, "ping", {}, user_id="ada") for _ in range(2)]
    assert [one["content"] for one in fired] == ["once", "once"]
    jobs = [
        run.colour.run(keyed.create_scheduler_job, "recurring", "0 9 * * *", "x", user_id="ada")["id"] for _ in range(2)
    ]
    assert jobs[0] == jobs[1]
    assert len(script.turns) == 1
