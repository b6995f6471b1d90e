"""Probes of work in the background: triggers, webhooks, long turns, scheduled jobs, and how a turn is stopped."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

import muxi
from muxi import ConflictError, NotFoundError, ServerError, TimeoutError, TurnFailed, ValidationError, webhook
from tests.answers import Colour
from tests.live.lab.formations import ADMIN_KEY, KINDS
from tests.live.lab.lab import Lab
from tests.live.lab.receiver import Hook
from tests.live.probing import Live, new_client, probe

#: Seconds until a one-time job is looked at: the scheduler looks once a minute.
_SCHEDULED = 150.0


@pytest.fixture(scope="module", autouse=True)
def early_jobs(lab: Lab) -> dict[str, str]:
    """A one-time job on each formation, made before the other tests of this file: the scheduler takes its time."""
    soon = (datetime.now(timezone.utc) + timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made: dict[str, str] = {}
    for kind in KINDS:
        with new_client(Colour(), lab.formations[kind].url) as client:
            made[kind] = client.create_scheduler_job("one_time", soon, f"Early bird of {kind}", "early")["id"]
    return made


@probe("get_triggers", "get_trigger", "get_sops", "get_sop")
def test_triggers_and_procedures(live: Live) -> None:
    assert live("get_triggers")["triggers"] == ["hello", "insisting", "reported"]
    trigger = live("get_trigger", "hello")
    assert sorted(trigger["data_fields"]) == ["name", "place.city"]
    with pytest.raises(NotFoundError):
        live("get_trigger", "none")
    assert [sop["name"] for sop in live("get_sops")["sops"]] == ["onboarding"]
    assert "Greet the customer" in live("get_sop", "onboarding")["content"]


@probe("fire_trigger")
def test_a_trigger_at_once(live: Live) -> None:
    data = {"name": live.name, "place": {"city": "Rome"}}
    fired = live("fire_trigger", "hello", data, user_id=live.user)
    assert fired["content"] == f"Stub reply to: Say hello to {live.name} from Rome."
    with pytest.raises(ValidationError, match="place"):
        live("fire_trigger", "hello", {"name": "Bo"}, user_id=live.user)


@probe("fire_trigger", "wait_for_request", defect="late trigger")
def test_a_trigger_in_the_background_reports_by_webhook(live: Live) -> None:
    data = {"kind": "order", "note": f"{live.name} — 東京"}
    fired = live("fire_trigger", "reported", data, async_mode=True, user_id=live.user)
    assert live("wait_for_request", fired["request_id"], live.user)["status"] == "completed"
    (hook,) = live.lab.hooks.wait_for(lambda hook: hook.path == "/trigger" and _id(hook) == fired["request_id"])
    event = webhook.receive(hook.body, hook.headers["X-Muxi-Signature"], ADMIN_KEY, guard=webhook.ReplayGuard())
    assert isinstance(event, webhook.Completion)
    assert (event.status, event.request_id) == ("completed", fired["request_id"])
    assert f"{live.name} — 東京" in (event.text or "")
    with pytest.raises(webhook.WebhookVerificationError):
        webhook.receive(hook.body + b" ", hook.headers["X-Muxi-Signature"], "fma_another_key")
    with pytest.raises(webhook.WebhookVerificationError):
        webhook.receive(hook.body.replace(b"order", b"ardor"), hook.headers["X-Muxi-Signature"], ADMIN_KEY)


@probe("fire_trigger")
def test_a_webhook_that_is_refused_comes_again_and_signed_anew(live: Live) -> None:
    fired = live("fire_trigger", "insisting", {"kind": live.name}, async_mode=True, user_id=live.user)
    tries = live.lab.hooks.wait_for(
        lambda hook: hook.path == "/fail-twice" and _id(hook) == fired["request_id"], count=3, timeout=30
    )
    assert [hook.status for hook in tries] == [500, 500, 200]
    assert len({hook.body for hook in tries}) == 1
    assert all(webhook.verify_signature(hook.body, hook.headers["X-Muxi-Signature"], ADMIN_KEY) for hook in tries)


@probe("fire_trigger", "wait_for_request", on=["multi"], defect="lost trigger")
def test_a_trigger_without_a_webhook_is_lost_where_answers_stream(live: Live) -> None:
    data = {"name": live.name, "place": {"city": "Oslo"}}
    fired = live("fire_trigger", "hello", data, async_mode=True, user_id=live.user)
    with pytest.raises(TimeoutError) as caught:
        live("wait_for_request", fired["request_id"], live.user, timeout=3)
    assert caught.value.code == "WAIT_TIMEOUT"
    assert live.lab.model.turns(f"Say hello to {live.name}") == 0


@probe("fire_trigger", "wait_for_request", on=["single"])
def test_a_trigger_without_a_webhook(live: Live) -> None:
    data = {"name": live.name, "place": {"city": "Oslo"}}
    fired = live("fire_trigger", "hello", data, async_mode=True, user_id=live.user)
    assert live("wait_for_request", fired["request_id"], live.user)["status"] == "completed"
    assert live.lab.model.turns(f"Say hello to {live.name}") >= 1


@probe("chat", "wait_for_request", "get_request_status", defect="workflow keeps running")
def test_a_long_turn_reports_by_webhook(live: Live) -> None:
    message = {"message": f"Compare for {live.name} [[complex]]", "webhook_url": f"{live.lab.hooks.url}/long"}
    turn = muxi.pending(live("chat", message, user_id=live.user))
    assert turn is not None
    assert turn.workflow_id
    (hook,) = live.lab.hooks.wait_for(lambda hook: hook.path == "/long" and _id(hook) == turn.request_id, timeout=60)
    event = webhook.receive(hook.body, hook.headers["X-Muxi-Signature"], ADMIN_KEY)
    assert (event.status, event.request_id) == ("completed", turn.request_id)
    assert live("get_request_status", turn.request_id, live.user)["status"] in ("running", "processing")
    with pytest.raises(TimeoutError):
        live("wait_for_request", turn.request_id, live.user, timeout=1)


@probe("chat_stream", "get_request_status", "get_requests", "wait_for_request")
def test_closing_a_stream_stops_its_turn(live: Live) -> None:
    message = f"Count for {live.name} [[words:60]] [[slow:60]]"
    events = live.take("chat_stream", 2, message, user_id=live.user)
    request = events[0]["token"]["request_id"]
    with pytest.raises(TurnFailed) as caught:
        live("wait_for_request", request, live.user, timeout=20)
    assert caught.value.code == "REQUEST_CANCELLED"
    assert live("get_request_status", request, live.user)["status"] == "cancelled"
    (entry,) = [found for found in live("get_requests", live.user)["requests"] if found["request_id"] == request]
    assert entry["status"] == "cancelled"


@probe("cancel_request", "get_request_status", "get_requests", defect="cooperative cancellation")
def test_cancelling_a_request(live: Live) -> None:
    message = f"Count for {live.name} [[words:20]] [[slow:4]]"
    with new_client(Colour(), live.formation.url) as other, other.chat_stream(message, user_id=live.user) as stream:
        request = next(stream)["token"]["request_id"]
        cancelled = live("cancel_request", request, live.user)
        assert (cancelled["request_id"], cancelled["cancellation"]) == (request, "cooperative")
        # What comes of it cannot be relied on: see the defect.
        state = live("get_request_status", request, live.user)["status"]
        assert state in ("processing", "running", "cancelled", "completed")
        assert request in {found["request_id"] for found in live("get_requests", live.user)["requests"]}
    done = muxi.meta(live("chat", "Tell me about plums", user_id=live.user)).request_id
    with pytest.raises(ConflictError, match="already completed"):
        live("cancel_request", done, live.user)
    with pytest.raises(NotFoundError):
        live("cancel_request", "none", live.user)


@probe(
    "create_scheduler_job",
    "get_scheduler_job",
    "get_scheduler_jobs",
    "update_scheduler_job",
    "pause_scheduler_job",
    "resume_scheduler_job",
    "delete_scheduler_job",
)
def test_scheduled_jobs(live: Live) -> None:
    job = live("create_scheduler_job", "recurring", "0 9 * * 1", f"Report {live.name}", live.user)
    assert live("get_scheduler_job", job["id"]) == job
    assert job["id"] in {found["id"] for found in live("get_scheduler_jobs", live.user)["jobs"]}
    assert job["id"] in {found["id"] for found in live("get_scheduler_jobs")["jobs"]}
    titled = live("update_scheduler_job", job["id"], title="Weekly", schedule="30 8 * * 2")
    assert (titled["id"], titled["title"], titled["cron_expression"]) == (job["id"], "Weekly", "30 8 * * 2")
    assert live("pause_scheduler_job", job["id"])["status"] == "PAUSED"
    assert live("get_scheduler_job", job["id"])["status"] == "PAUSED"
    assert live("resume_scheduler_job", job["id"])["status"] == "ACTIVE"
    with pytest.raises(NotFoundError):
        live("resume_scheduler_job", job["id"])
    replaced = live("update_scheduler_job", job["id"], message="Another report")
    assert (replaced["id"] != job["id"], replaced["user_id"]) == (True, live.user)
    with pytest.raises(NotFoundError):
        live("get_scheduler_job", job["id"])
    live("delete_scheduler_job", replaced["id"])
    assert live("get_scheduler_jobs", live.user)["jobs"] == []
    for schedule, wrong in (("never", ValidationError), ("2020-01-01T00:00:00Z", ValidationError)):
        with pytest.raises(wrong):
            live("create_scheduler_job", "one_time", schedule, "Too late", live.user)
    with pytest.raises((ServerError, ValidationError)):
        live("create_scheduler_job", "recurring", "every day", "Now", live.user)


@probe("create_scheduler_job", "get_scheduler_job", "delete_scheduler_job")
def test_a_scheduled_job_runs(live: Live, early_jobs: dict[str, str]) -> None:
    later = live("create_scheduler_job", "one_time", "2099-01-01T00:00:00Z", f"Much later {live.name}", live.user)
    live.wait_for(
        lambda: sum(f"Early bird of {live.kind}" in call.text for call in list(live.lab.model.calls)),
        bool,
        timeout=_SCHEDULED,
    )
    # The runtime writes when a run began, and how it ended some seconds later.
    ran = live.wait_for(
        lambda: live("get_scheduler_job", early_jobs[live.kind]), lambda job: job["last_run_status"] is not None
    )
    assert (ran["total_runs"], ran["total_failures"]) == (1, 0)
    assert live("get_scheduler_job", later["id"])["total_runs"] == 0
    live("delete_scheduler_job", later["id"])


def _id(hook: Hook) -> str | None:
    return webhook.parse(hook.body).request_id
