"""What an embedded formation is: one scenario each, in memory in both colours and over loopback."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muxi.errors import (
    AuthenticationError,
    AuthorizationError,
    ConflictError,
    MuxiError,
    NotFoundError,
    RateLimitError,
    ServerError,
    ValidationError,
)
from muxi_transports.memory import (
    AgentDefinition,
    KnowledgeSource,
    McpServerDefinition,
    SkillDefinition,
    SopDefinition,
    Turn,
)
from muxi_transports.memory.formation.state.channels import Notice
from muxi_transports.memory.formation.state.ingestion import Intake
from tests.memory.test_five_runs import Run, run

__all__ = ["run"]


def contents(run: Run, user: str) -> list[str]:
    return [memory["content"] for memory in run("get_memories", user, limit=100)["memories"]]


def test_agents_are_those_defined_and_those_with_a_function(run: Run) -> None:
    assert [agent["id"] for agent in run("get_agents")["agents"]] == ["assistant"]
    run.formation.definition.agents = [AgentDefinition("planner", description="Plans")]

    def writer(turn: Turn) -> str:
        """Writes letters.

        At length.
        """
        return "Dear Ada"

    run.formation.agent("writer", writer)
    listed = run("get_agents")
    assert [(one["id"], one["name"], one["description"]) for one in listed["agents"]] == [
        ("planner", "Planner", "Plans"),
        ("writer", "Writer", "Writes letters."),
    ]
    assert run("get_status")["agents"] == {"count": 2, "active": 2}
    assert run("get_config")["agents"]["total"] == 2
    assert [agent["id"] for agent in run("get_formation_info")["agents"]] == ["planner", "writer"]
    with pytest.raises(NotFoundError, match="Agent 'nobody' not found"):
        run("get_agent", "nobody")


def test_knowledge_is_fetched_and_rebuilt(run: Run) -> None:
    run.formation.definition.agents = [
        AgentDefinition(
            "assistant",
            knowledge=(
                KnowledgeSource("faq", "knowledge/faq.md"),
                KnowledgeSource("site", "https://example.com/docs", documents=7),
                KnowledgeSource("gone", "https://example.com/gone", broken=True),
                KnowledgeSource("empty", "knowledge/empty", documents=0),
            ),
        ),
        AgentDefinition("other"),
    ]
    synced = run("sync_agent_knowledge", "assistant")["results"]
    assert [(one["source_id"], one["status"], one["documents"]) for one in synced] == [
        ("site", "synced", 7),
        ("gone", "failed", 0),
    ]
    assert len(run("sync_agent_knowledge", "assistant", "site")["results"]) == 1
    with pytest.raises(NotFoundError, match="'faq' not found"):
        run("sync_agent_knowledge", "assistant", "faq")
    with pytest.raises(ValidationError, match="Agent 'other' has no remote knowledge sources"):
        run("sync_agent_knowledge", "other")
    rebuilt = run("rebuild_knowledge")
    assert rebuilt["agents"]["assistant"] == {"rebuilt": ["faq", "site"], "failed": ["gone"], "skipped": ["empty"]}
    assert set(rebuilt["agents"]) == {"assistant", "other", "muxi-generalist"}
    assert run("rebuild_knowledge", "assistant", "faq")["agents"] == {
        "assistant": {"rebuilt": ["faq"], "failed": [], "skipped": []}
    }


def test_skills_and_procedures(run: Run) -> None:
    run.formation.definition.skills = [
        SkillDefinition("notes", "Takes notes", allowed_tools=("Write",), resources=("template.md",)),
        SkillDefinition("secret", "For one alone", agent_id="assistant"),
        SkillDefinition("other", agent_id="other"),
    ]
    run.formation.definition.sops = [SopDefinition("onboarding", "1. Greet\n2. Ask\n\nDone.")]
    assert [(one["name"], one["scope"]) for one in run("get_skills")["skills"]] == [
        ("notes", "public"),
        ("secret", "private"),
        ("other", "private"),
    ]
    assert run("get_skill", "notes")["allowed_tools"] == ["Write"]
    assert [one["name"] for one in run("get_agent_skills", "assistant")["skills"]] == ["notes", "secret"]
    with pytest.raises(NotFoundError):
        run("get_skill", "none")
    assert run("get_sops")["sops"][0]["steps"] == 2
    assert run("get_sop", "onboarding")["content"].endswith("Done.")
    with pytest.raises(NotFoundError, match="SOP 'none' not found"):
        run("get_sop", "none")
    with pytest.raises(ValidationError, match=r"Invalid SOP name 'a\.b'"):
        run("get_sop", "a.b")


def test_settings_are_given_back_with_their_defaults(run: Run) -> None:
    definition = run.formation.definition
    definition.overlord = {"soul": "You are a pirate.", "response": {"format": "html"}}
    definition.mcp_servers = [McpServerDefinition("files", "Files", command="mcp-files", args=("--root", "/srv"))]
    definition.mcp = {"max_tool_calls": 5}
    overlord = run("get_overlord_config")
    assert (overlord["soul"], overlord["response"]["format"]) == ("You are a pirate.", "html")
    assert overlord["clarification"]["max_questions"] == 5
    assert run("get_overlord_soul") == {"soul": "You are a pirate."}
    assert run("get_mcp_config")["max_tool_calls"] == 5
    assert run("get_mcp_servers")["count"] == 1
    assert run("get_mcp_server", "files")["args"] == ["--root", "/srv"]
    with pytest.raises(NotFoundError, match="MCP server 'none' not found"):
        run("get_mcp_server", "none")
    assert {tool["access"] for tool in run("get_mcp_tools")["tools"]} == {"admin", "client"}
    assert run("get_llm_settings")["models"][0] == {"text": "openai/gpt-4o"}
    assert run("get_async_config")["threshold_seconds"] == 30
    assert run("get_a2a_config") == {}
    assert run("get_logging_config")["conversation"]["enabled"] is True
    assert run("get_logging_destinations")["conversation"]["destinations"][0]["id"] == "dest-0"
    assert run("get_memory_config")["lint"] == {"enabled": True}


def test_status_counts(run: Run) -> None:
    run.clock.advance(12.7)
    run("chat", "hi", user_id="ada")
    stats = run("get_status")["stats"]
    assert (stats["running"]["seconds"], stats["requests"]) == (12, {"total": 1, "active": 0})
    assert run("get_buffer_stats")["total_entries"] == 2


def test_secrets_are_masked_and_changed(run: Run) -> None:
    assert run("get_secrets")["count"] == 3
    run("create_secret", "my-token", "abcdefghijkl")
    assert run("get_secrets")["secrets"]["MY_TOKEN"] == "abcd••••••••ijkl"
    with pytest.raises(ConflictError, match="Secret 'MY_TOKEN' already exists"):
        run("create_secret", "MY_TOKEN", "x")
    run("update_secret", "my token", "short")
    assert run.formation.state.secrets.get("MY_TOKEN") == "short"
    assert run("get_secrets")["secrets"]["MY_TOKEN"] == "••••••••"
    with pytest.raises(NotFoundError):
        run("update_secret", "none", "x")
    with pytest.raises(ConflictError, match="currently in use"):
        run("delete_secret", "openai_api_key")
    run("delete_secret", "my-token")
    with pytest.raises(NotFoundError):
        run("delete_secret", "my-token")


def test_a_reload_takes_over_the_file_of_secrets(run: Run) -> None:
    file = run.formation.state.secrets.file
    file["NEW"] = "value-of-the-new-one"
    file["OPENAI_API_KEY"] = "sk-another"
    del file["CLIENT_KEY"]
    reloaded = run("reload_secrets")
    assert (reloaded["added"], reloaded["overwritten"], reloaded["preserved"], reloaded["count"]) == (
        ["NEW"],
        ["OPENAI_API_KEY"],
        ["CLIENT_KEY"],
        4,
    )


def test_changes_are_audited(run: Run) -> None:
    run("create_secret", "A", "one-two-three")
    run.clock.advance(60)
    job = run("create_scheduler_job", "recurring", "0 9 * * *", "report", user_id="ada")
    run("delete_scheduler_job", job["id"])
    entries = run("get_audit_log")["entries"]
    assert [(entry["action"], entry["resource_id"]) for entry in entries] == [
        ("scheduler_job.deleted", job["id"]),
        ("scheduler_job.created", job["id"]),
        ("secret.created", "A"),
    ]
    assert "one-two-three" not in str(entries)
    assert run("get_audit_log", resource_type="secret")["total_entries"] == 1
    assert run("get_audit_log", action="scheduler_job.deleted", limit=1)["total_entries"] == 1
    since = "2027-01-15T08:00:30Z"
    assert run("get_audit_log", since=since)["total_entries"] == 2
    with pytest.raises(ValidationError, match="Invalid timestamp format: soon"):
        run("get_audit_log", since="soon")
    assert run("clear_audit_log")["previous_entries_count"] == 3
    assert [entry["action"] for entry in run("get_audit_log")["entries"]] == ["audit.cleared"]


def test_tuning_is_replaced_suggested_and_applied(run: Run) -> None:
    assert run("get_tuning") == {"content": None, "path": None}
    assert run("replace_tuning", "# MUXI\n- be nice\n")["bytes"] == 17
    assert run("get_tuning")["content"] == "# MUXI\n- be nice"
    with pytest.raises(NotFoundError, match="No pending"):
        run("apply_pending_tuning")
    tuning = run.formation.state.tuning
    tuning.tuner = lambda texts: f"- They say {texts[0]!r}"
    tuning.seconds = 2.5
    assert run("run_tuning")["muxi_md_suggested"] is False, "nobody has said anything"
    run("chat", "hurry up", user_id="ada")
    done = run("run_tuning")
    assert (done["muxi_md_suggested"], done["events_read"], done["duration_ms"]) == (True, 1, 2500.0)
    assert run("get_pending_tuning")["content"] == "- They say 'hurry up'"
    assert run("apply_pending_tuning")["learnings_activated"] == 1
    assert run("get_tuning")["content"] == "- They say 'hurry up'"
    tuning.suggest("- worse")
    assert run("dismiss_pending_tuning")["learnings_dismissed"] == 1
    assert run("get_pending_tuning")["content"] is None


def test_credentials_belong_to_their_user(run: Run) -> None:
    run.formation.definition.mcp_servers = [
        McpServerDefinition("gh", endpoint="https://mcp.test", auth={"token": "${{ user.credentials.GitHub }}"})
    ]
    assert [one["service"] for one in run("list_credential_services")["services"]] == ["github"]
    work, home = (
        run("create_credential", "ada", {"service": "GitHub", "name": name, "credential": {"token": "ghp_hushhush"}})
        for name in ("work", "home")
    )
    listed = run("list_credentials", "ada")["credentials"]
    assert [(one["service"], one["name"]) for one in listed] == [("github", "work"), ("github", "home")]
    assert "hushhush" not in str(listed)
    assert run.formation.state.credentials.of("ada")[0].value == {"token": "ghp_hushhush"}
    with pytest.raises(NotFoundError):
        run("get_credential", work["credential_id"], "bob")
    again = {"service": "github", "name": "work", "credential": {"token": "new"}}
    assert run("create_credential", "ada", again)["credential_id"] == work["credential_id"]
    assert run("delete_credential", home["credential_id"], "ada")["deleted"] is True
    assert run("list_credentials", "ada")["count"] == 1


def test_names_that_are_linked_lead_to_one_user(run: Run) -> None:
    bob = run("resolve_user", "Bob@Example.com")
    assert run("get_user", "bob@example.com")["muxi_user_id"] == bob["muxi_user_id"]
    run("add_memory", "Likes tea", user_id="bob@example.com")
    run("chat", {"message": "hello", "session_id": "s"}, user_id="bob@example.com")
    linked = run(
        "link_user_identifier",
        bob["muxi_user_id"],
        ["U123", ["tg_55", "telegram"], {"identifier": "B2@example.com", "type": "email"}, {"type": "x"}, 5, []],
    )
    assert linked["identifiers"] == [
        {"identifier": "U123", "type": "unknown"},
        {"identifier": "tg_55", "type": "telegram"},
        {"identifier": "b2@example.com", "type": "email"},
    ]
    assert contents(run, "tg_55") == ["Likes tea"]
    assert [one["session_id"] for one in run("get_sessions", "U123")["sessions"]] == ["s"]
    assert run("get_requests", "U123")["count"] == 1
    run.formation.write_history("tg_55", "2027-01-01", "Met for tea.")
    assert run("get_history", "bob@example.com")["count"] == 1
    assert run("get_user_identifiers_for_user", bob["muxi_user_id"])["count"] == 4
    run("unlink_user_identifier", "tg_55")
    assert contents(run, "tg_55") == []
    with pytest.raises(NotFoundError):
        run("get_user", "tg_55")
    other = run("link_user_identifier", None, ["U123"])
    assert other["muxi_user_id"] != bob["muxi_user_id"]
    assert contents(run, "U123") == [], "the name was moved to another user, what bob has was not"
    assert contents(run, "bob@example.com") == ["Likes tea"]


def test_users_are_reached_by_channels(run: Run) -> None:
    assert run("get_user_channels", "ada")["preferred_channel"] is None
    run.formation.definition.proactive = {"default_channel": "webhook", "channels": {"telegram": {}}}
    run("update_user_channels", "ada", preferred_channel="telegram", channels={"telegram": {"chat_id": "1"}})
    run("update_user_channels", "ada", timezone="Europe/London")
    channels = run("get_user_channels", "ada")
    assert (channels["preferred_channel"], channels["timezone"]) == ("telegram", "Europe/London")
    for wrong in ({"preferred_channel": "pigeon"}, {"timezone": "Mars/Base"}):
        with pytest.raises(ValidationError, match="Unknown"):
            run("update_user_channels", "ada", **wrong)
    sent = run("send_notification", "ada", "ping")
    assert (sent["delivered"], sent["failed"]) == (["telegram"], [])
    [notice] = run.formation.state.channels.sent
    assert (notice.message, notice.address) == ("ping", {"chat_id": "1"})
    assert run("get_user_channels", "ada")["last_channel"] == "telegram"
    assert run("send_notification", "bob", "ping")["delivered"] == ["webhook"]
    run("update_user_channels", "ada", preferred_channel="", channels={"telegram": {}})
    assert run("get_user_channels", "ada")["channels"] == {}
    run.formation.definition.proactive = None
    with pytest.raises(ServerError, match="missing 'proactive' block"):
        run("get_user_channels", "ada")


def test_a_channel_can_fail(run: Run) -> None:
    run.formation.definition.proactive = {"channels": ["telegram"]}
    told: list[Notice] = []

    def carry(notice: Notice) -> None:
        if told:
            raise ConnectionError("the line is dead")
        told.append(notice)

    run.formation.state.channels.carriers["telegram"] = carry
    assert run("send_notification", "ada", "one", ["telegram", "pigeon"])["delivered"] == ["telegram"]
    both = run("send_notification", "ada", "two", ["telegram", "webhook"])
    assert (both["delivered"], both["failed"]) == (["webhook"], ["telegram"])
    assert [notice.message for notice in told] == ["one"]


def test_notifications_are_webhooks_where_there_is_a_url(run: Run) -> None:
    run.formation.webhooks.default_url = "http://hook.test/x"
    sent = run("send_notification", "ada", "ping")
    [delivery] = run.formation.webhooks.sent
    assert (delivery.kind, delivery.payload["user_id"]) == ("notification", "ada")
    assert delivery.payload["request_id"] == sent["request_id"]
    assert delivery.signature is not None


def test_what_comes_in_becomes_memories_that_know_where_they_come_from(run: Run) -> None:
    job = run("ingest_memory", "Ada works at Acme", user_id="ada", source="crm", source_id="c-1", subject="Acme")
    assert contents(run, "ada") == []
    done = run("wait_for_ingestion", job["processing_id"], "ada")
    assert (done["status"], done["counts"]) == ("completed", {"stored": 1, "filtered": 0, "failed": 0})
    [memory] = run("get_memories", "ada")["memories"]
    assert (memory["content"], memory["metadata"]["source"]) == ("Ada works at Acme", "crm")
    origin = run("get_memory_provenance", "ada", event_id=memory["metadata"]["event_id"])
    assert [event["event_type"] for event in origin["chain"]] == ["memory.ingested", "fact.extracted"]
    assert origin["chain"][0]["event_id"] == job["event_id"]
    about = run("get_memory_provenance", "ada", entity="acme")
    assert [event["source_id"] for event in about["chain"]] == ["c-1", "c-1"]
    again = run("ingest_memory", "Ada works at Acme", user_id="ada", source="crm", source_id="c-1")
    assert (again["duplicate"], again["derived_events"]) == (True, [memory["metadata"]["event_id"]])
    for user in ("ada", "bob"):
        with pytest.raises(NotFoundError):
            run("get_memory_provenance", user, event_id="nope")
    with pytest.raises(NotFoundError):
        run("get_memory_provenance", "bob", event_id=job["event_id"])
    with pytest.raises(AuthorizationError):
        run("get_ingestion_status", job["processing_id"], "bob")
    run.clock.advance(301)
    with pytest.raises(NotFoundError, match="retained for 5 minutes"):
        run("get_ingestion_status", job["processing_id"], "ada")


def test_facts_are_found_by_a_function(run: Run) -> None:
    def extract(intake: Intake) -> list[str] | None:
        if intake.content == "noise":
            return None
        if intake.content == "broken":
            raise ValueError("cannot read that")
        return str(intake.content).split(". ")

    run.formation.state.ingestion.extract = extract
    items = [
        {"content": "One. Two", "source": "crm", "source_id": "1"},
        {"content": "noise", "source": "crm", "source_id": "2"},
        {"content": "broken", "source": "crm", "source_id": "3"},
        {"content": "One. Two", "source": "crm", "source_id": "1"},
    ]
    batch = run("ingest_memories", items, user_id="ada")
    assert [item["status"] for item in batch["items"]] == ["accepted"] * 3 + ["duplicate"]
    assert batch["counts"] == {"accepted": 3, "duplicate": 1, "invalid": 0}
    done = run("wait_for_ingestion", batch["processing_id"], "ada")
    assert [(item["index"], item["disposition"], item["facts_extracted"]) for item in done["items"]] == [
        (0, "stored", 2),
        (1, "filtered", 0),
        (2, "failed", 0),
    ]
    assert sorted(contents(run, "ada")) == ["One", "Two"]


def test_four_jobs_of_a_user_go_on_at_once(run: Run) -> None:
    jobs = [run("ingest_memory", f"{n}", user_id="ada", source="crm", source_id=f"{n}") for n in range(4)]
    with pytest.raises(RateLimitError, match="max 4"):
        run.colour.run(
            run.client.with_options(max_retries=0).ingest_memory, "5", user_id="ada", source="crm", source_id="5"
        )
    assert run("ingest_memory", "0", user_id="ada", source="crm", source_id="0")["duplicate"] is True
    run("ingest_memory", "x", user_id="bob", source="crm")
    run.clock.advance(1)
    assert run("get_ingestion_status", jobs[0]["processing_id"], "ada")["status"] == "completed"
    run("ingest_memory", "5", user_id="ada", source="crm", source_id="5")


def ingested(run: Run, *texts: str, source: str = "crm") -> None:
    for text in texts:
        job = run("ingest_memory", text, user_id="ada", source=source, source_id=text, subject=text.split()[0])
        run("wait_for_ingestion", job["processing_id"], "ada")


def test_forgetting_forgets(run: Run) -> None:
    ingested(run, "Acme is big", "Rome is far")
    ingested(run, "Tea is good", source="mail")
    run("add_memory", "Written by hand", user_id="ada")
    forgotten = run("forget_memory_source", "ada", "crm")
    assert forgotten["deleted_events"] == 4
    assert len(contents(run, "ada")) == 4, "until the rebuild is done"
    done = run("wait_for_memory_job", forgotten["job_id"])
    assert done["projections"]["flat_facts"] == {"events": 1, "applied": 1, "failed": 0}
    assert contents(run, "ada") == ["Written by hand", "Tea is good"]
    with pytest.raises(NotFoundError):
        run("get_memory_provenance", "ada", entity="Acme")
    assert (
        run("ingest_memory", "Acme is big", user_id="ada", source="crm", source_id="Acme is big")["duplicate"] is False
    )


def test_forgotten_events_can_be_seen_for_thirty_days(run: Run) -> None:
    job = run("ingest_memory", "x", user_id="ada", source="crm", source_id="1")
    run("wait_for_ingestion", job["processing_id"], "ada")
    run("forget_memory_source", "ada", "crm", background=False)
    assert run("get_memory_provenance", "ada", event_id=job["event_id"])["event"]["deleted_at"] is not None
    run.clock.advance(31 * 86400)
    with pytest.raises(NotFoundError):
        run("get_memory_provenance", "ada", event_id=job["event_id"])


def test_without_a_rebuild_memories_stay_until_something_sweeps_them(run: Run) -> None:
    ingested(run, "Acme is big")
    assert run("forget_memory_source", "ada", "crm", rebuild=False)["rebuild_required"] == [
        "flat_facts",
        "knowledge_graph",
    ]
    assert contents(run, "ada") == ["Acme is big"]
    assert run("lint_memory", "ada")["report"]["orphans_removed"] == 1
    assert contents(run, "ada") == []
    run.formation.definition.memory.pop("lint")
    with pytest.raises(ServerError, match="lint"):
        run("lint_memory")


def test_a_rebuild_makes_memories_of_events(run: Run) -> None:
    ingested(run, "Acme is big", "Rome is far")
    [_, acme] = run("get_memories", "ada")["memories"]
    run("delete_memory", "ada", acme["id"])
    dry = run("rebuild_memory", "ada", dry_run=True)["projections"]
    assert dry["flat_facts"] == {"events": 1, "applied": 0, "failed": 0, "dry_run": True}
    run.formation.memories.drop(run("get_memories", "ada")["memories"][0]["id"])
    assert contents(run, "ada") == []
    begun = run("rebuild_memory", "ada")
    assert (begun["status"], contents(run, "ada")) == ("processing", [])
    assert run("wait_for_memory_job", begun["job_id"])["status"] == "completed"
    assert contents(run, "ada") == ["Rome is far"], "what was deleted does not come back"
    only = run("rebuild_memory", "ada", projection="flat_facts", background=False)["projections"]
    assert list(only) == ["flat_facts"]
    with pytest.raises(ValidationError, match="Unknown projection 'zzz'"):
        run("rebuild_memory", "ada", projection="zzz")
    with pytest.raises(NotFoundError):
        run("get_forget_status", begun["job_id"])


def test_a_backfill_gives_memories_their_events(run: Run) -> None:
    memory = run("add_memory", "By hand", user_id="ada")
    assert run("backfill_memory", "ada")["synthesized"]["flat_facts"] == {"synthesized": 1, "complete": True}
    assert run("backfill_memory", "ada")["synthesized"]["flat_facts"]["synthesized"] == 0
    [listed] = run("get_memories", "ada")["memories"]
    assert listed["id"] == memory["id"]
    origin = run("get_memory_provenance", "ada", event_id=listed["metadata"]["event_id"])
    assert origin["event"]["payload"] == {"memory": "By hand"}


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()


def fact(source_id: str, text: str = "Ada likes tea", **changes: Any) -> dict[str, Any]:
    event = {"event_type": "fact.extracted", "user_id": "ada", "source_id": source_id, "payload": {"memory": text}}
    return {**event, **changes}


def test_distilled_memories(run: Run) -> None:
    lab = run("register_distillery", "lab", PUBLIC, scope={"user_ids": ["ada"], "max_batch_size": 3})["distillery_id"]
    events = [
        fact("1"),
        fact("2", event_type="log.entry"),
        fact("3", user_id="bob"),
    ]
    sent = run("ingest_distilled", {"batch_id": "b", "events": events}, distillery_id=lab, sign=KEY.sign)
    assert (sent["accepted"], sent["rejected"], sent["rejections"][0]["index"]) == (2, 1, 2)
    done = run("wait_for_distilled", sent["processing_id"], distillery_id=lab)
    assert done["counts"] == {"projected": 1, "recorded": 1, "failed": 0}
    assert contents(run, "ada") == ["Ada likes tea"]
    again = run("ingest_distilled", {"batch_id": "b", "events": events[:1]}, distillery_id=lab, sign=KEY.sign)
    assert (again["duplicates"], again["processing_id"]) == (1, None)
    with pytest.raises(ValidationError, match="Batch too large: 4 events"):
        run("ingest_distilled", {"batch_id": "b", "events": events + events[:1]}, distillery_id=lab, sign=KEY.sign)
    assert [one["name"] for one in run("get_distilleries")["distilleries"]] == ["lab"]


def test_only_who_signs_is_believed(run: Run) -> None:
    lab = run("register_distillery", "lab", PUBLIC)["distillery_id"]
    batch = {"batch_id": "b", "events": [fact("1")]}
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    now = int(run.clock.time())
    for wrong in (
        {"sign": other.sign},
        {"sign": KEY.sign, "timestamp": now - 301},
        {"sign": KEY.sign, "distillery_id": "nobody"},
        {"sign": lambda message: b"short"},
    ):
        with pytest.raises(AuthenticationError):
            run("ingest_distilled", batch, **{"distillery_id": lab, **wrong})
    assert run("revoke_distillery", lab)["status"] == "revoked"
    assert run("revoke_distillery", lab)["status"] == "revoked"
    with pytest.raises(MuxiError, match="has been revoked"):
        run("ingest_distilled", batch, distillery_id=lab, sign=KEY.sign)
    with pytest.raises(ValidationError, match="public_key is not valid base64"):
        run("register_distillery", "lab", "zzz")


def test_a_formation_without_a_distillery_block_has_none(run: Run) -> None:
    run.formation.definition.memory = {}
    with pytest.raises(ServerError, match="distillery"):
        run("get_distilleries")
