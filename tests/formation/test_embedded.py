"""Every method against the embedded formation, its answers looked at strictly: both say the same."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from marshmallow import Schema, fields

from muxi import EventStream, FormationClient, ManualClock, pending
from muxi_transports.memory import (
    AgentDefinition,
    EmbeddedFormation,
    FormationDefinition,
    KnowledgeSource,
    Later,
    McpServerDefinition,
    MemoryTransport,
    NewArtifact,
    Reply,
    SkillDefinition,
    SopDefinition,
    Turn,
)
from tests.formation.methods import endpoints

USER = "ada"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)


class Answer(Schema):
    ok = fields.Boolean(required=True)


def assistant(turn: Turn) -> Reply | Later:
    if turn.message == "as JSON":
        return '{"ok": true}'
    if turn.message == "at length":
        return Later("In a minute.", seconds=60)
    return ["Here ", NewArtifact("report.txt", b"so far"), "you are."]


def embedded(clock: ManualClock) -> EmbeddedFormation:
    """A formation that has something of everything."""
    faq = KnowledgeSource("faq", "https://example.com/faq")
    github = McpServerDefinition(
        "github", endpoint="https://example.com", auth={"token": "${{ user.credentials.github }}"}
    )
    formation = EmbeddedFormation(
        clock=clock,
        seed=1,
        definition=FormationDefinition(
            agents=[AgentDefinition("assistant", description="Helps", knowledge=(faq,))],
            skills=[SkillDefinition("refunds", "Decides on refunds"), SkillDefinition("notes", agent_id="assistant")],
            sops=[SopDefinition("onboarding", "1. Greet the customer.")],
            mcp_servers=[github],
            triggers={"ticket": "A new ticket: ${{ data.title }}"},
            memory={"lint": {"enabled": True}, "distillery": {"enabled": True}},
            proactive={"channels": ["telegram"]},
        ),
    )
    formation.agent("assistant", assistant)
    formation.write_history(USER, "2026-01-02", "Talked about tea", decisions=["tea"], sources=[("chat", "s")])
    formation.state.tuning.tuner = lambda *said: "# Tuning\n\nBe brief.\n"
    return formation


class Caller:
    """Calls methods by their names, and remembers which."""

    def __init__(self, client: FormationClient) -> None:
        self.client = client
        self.called: set[str] = set()

    def __call__(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.called.add(name)
        result = getattr(self.client, name)(*args, **kwargs)
        return list(result) if isinstance(result, EventStream | Generator) else result


def configuration(call: Caller) -> None:
    for name in (
        *("health", "get_status", "get_config", "get_formation_info", "get_memory_config", "get_async_config"),
        *("get_a2a_config", "get_logging_config", "get_logging_destinations", "get_scheduler_config", "get_mcp_config"),
        *("get_overlord_config", "get_overlord_soul", "get_llm_settings", "get_agents", "get_mcp_servers"),
        *("get_mcp_tools", "get_skills", "get_sops", "get_triggers", "get_memory_buffers", "get_buffer_stats"),
    ):
        call(name)
    call("get_agent", "assistant")
    call("get_mcp_server", "github")
    call("get_skill", "refunds")
    call("get_agent_skills", "assistant")
    call("get_sop", "onboarding")
    call("get_trigger", "ticket")
    call("sync_agent_knowledge", "assistant")
    call("rebuild_knowledge")


def secrets(call: Caller) -> None:
    call("create_secret", "ONE", "first value of it")
    call("update_secret", "ONE", "other value of it")
    call("set_secret", "TWO", "first value of it")
    call("set_secret", "TWO", "other value of it")
    call("get_secret", "TWO")
    assert call("get_secrets")["count"] >= 2
    call("reload_secrets")
    call("delete_secret", "ONE")


def chats(call: Caller, tmp_path: Path) -> None:
    call("chat", {"message": "Hi", "session_id": "s", "request_id": "req_1"}, user_id=USER, files=[("a.txt", b"x")])
    call("chat_stream", {"message": "Hi", "session_id": "s"}, user_id=USER)
    assert call("chat_parsed", "as JSON", Answer, user_id=USER) == {"ok": True}
    assert call("ask", "as JSON", user_id=USER) == '{"ok": true}'
    call("audio_chat", files=[("note", b"x", "audio/wav")], user_id=USER)
    call("audio_chat_stream", files=[("note", b"x", "audio/wav")], user_id=USER)
    call("get_sessions", USER, 10, active_only=True)
    call("get_session", "s", USER)
    assert call("get_session_messages", "s", USER)["count"] == 4
    assert len(call("iter_session_messages", "s", USER)) == 4
    message = {"role": "user", "content": "Hi", "timestamp": "2026-01-02T03:04:05Z"}
    call("restore_session", "r", USER, [message])
    artifact = call("get_artifacts", USER)["artifacts"][0]["id"]
    call("get_artifact", artifact, USER)
    call("get_artifact_versions", artifact, USER)
    assert call("download_artifact", artifact, tmp_path / "report.txt", USER)["size"] == len(b"so far")
    assert call("iter_artifacts", USER)
    call("get_user_buffer", USER)
    call("clear_session_buffer", USER, "s")
    call("clear_user_buffer", USER)
    call("clear_all_buffers")


def requests(call: Caller) -> None:
    call("fire_trigger", "ticket", {"title": "x"}, user_id=USER)
    fired = call("fire_trigger", "ticket", {"title": "x"}, user_id=USER, async_mode=True)
    assert call("get_requests", USER)["count"] >= 1
    call("get_request_status", fired["request_id"], USER)
    assert call("wait_for_request", fired["request_id"], USER)["status"] == "completed"
    turn = pending(call("chat", "at length", user_id=USER))
    assert turn is not None
    call("cancel_request", turn.request_id, USER)
    job = call("create_scheduler_job", "recurring", "0 9 * * 1", "report", USER)["id"]
    call("get_scheduler_jobs")
    call("get_scheduler_jobs", USER)
    call("get_scheduler_job", job)
    call("pause_scheduler_job", job)
    call("resume_scheduler_job", job)
    job = call("update_scheduler_job", job, message="another", title="Reports")["id"]
    call("delete_scheduler_job", job)


def memories(call: Caller) -> None:
    added = call("add_memory", "Prefers tea", user_id=USER)
    call("add_memory", USER, "preference", "Prefers Go")
    assert call("get_memories", USER, 1)["count"] == 1
    assert len(call("iter_memories", USER)) == 2
    ingested = call("ingest_memory", "Works at Acme", user_id=USER, source="crm", source_id="c-1")
    call("get_ingestion_status", ingested["processing_id"], USER)
    call("wait_for_ingestion", ingested["processing_id"], USER)
    batch = call("ingest_memories", [{"content": "Lives in Rome", "source": "crm", "source_id": "c-2"}], user_id=USER)
    call("wait_for_ingestion", batch["processing_id"], USER)
    event = call("get_memories", USER)["memories"][0]["metadata"]["event_id"]
    assert call("get_memory_provenance", USER, event_id=event)
    call("lint_memory", USER)
    call("lint_memory")
    call("backfill_memory", USER)
    for options in ({"dry_run": True}, {"background": False}, {"background": True}):
        rebuilt = call("rebuild_memory", USER, **options)
    call("get_rebuild_status", rebuilt["job_id"])
    call("wait_for_memory_job", rebuilt["job_id"])
    forgotten = call("forget_memory_source", USER, "crm")
    call("get_forget_status", forgotten["job_id"])
    call("wait_for_memory_job", forgotten["job_id"])
    call("forget_memory_source", USER, "other", background=False)
    call("delete_memory", USER, added["id"])
    call("get_history", USER, 5, include_sources=True)
    assert call("iter_history", USER)


def distilled(call: Caller) -> None:
    public = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    distillery = call("register_distillery", "lab", public)["distillery_id"]
    call("get_distilleries")
    event = {"user_id": USER, "event_type": "fact.extracted", "source_id": "d-1", "payload": {"memory": "Likes tea"}}
    batch = {"batch_id": "b", "events": [event]}
    taken = call("ingest_distilled", batch, distillery_id=distillery, sign=KEY.sign)
    assert taken["accepted"] == 1, taken
    call("get_distilled_status", taken["processing_id"], distillery_id=distillery)
    call("wait_for_distilled", taken["processing_id"], distillery_id=distillery)
    call("revoke_distillery", distillery)


def users(call: Caller) -> None:
    user = call("resolve_user", "ada@example.com", True)["muxi_user_id"]
    call("link_user_identifier", user, ["U123", ["U124", "slack"]])
    call("get_user", "U123")
    call("get_user_identifiers_for_user", user)
    call("unlink_user_identifier", "U123")
    call("list_credential_services")
    made = call("create_credential", USER, {"service": "github", "name": "own", "credential": {"token": "t"}})
    call("list_credentials", USER)
    call("get_credential", made["credential_id"], USER)
    call("delete_credential", made["credential_id"], USER)
    call("update_user_channels", USER, preferred_channel="telegram", channels={"telegram": {"chat_id": "1"}})
    call("get_user_channels", USER)
    call("send_notification", USER, "Lunch?")


def administration(call: Caller) -> None:
    call("get_tuning")
    call("replace_tuning", "# Tuning\n\nBe kind.\n")
    call("run_tuning")
    call("get_pending_tuning")
    call("apply_pending_tuning")
    call("run_tuning")
    call("dismiss_pending_tuning")
    call("get_audit_log", 5)
    assert call("iter_audit_log")
    call("clear_audit_log")


def feeds(call: Caller) -> None:
    for name, args in (
        ("stream_events", ()),
        ("stream_session", (USER, "s")),
        ("stream_request", (USER, "s", "req_1")),
        ("stream_logs", ({"level": "info"},)),
    ):
        call.called.add(name)
        getattr(call.client, name)(*args).close()


PARTS: list[Callable[..., None]] = [
    *(configuration, secrets, chats, requests, memories, distilled, users, administration, feeds),
]


def test_every_method_gets_what_it_returns(tmp_path: Path) -> None:
    clock = ManualClock()
    formation = embedded(clock)
    client = FormationClient(
        transport=MemoryTransport(formation),
        url="http://memory",
        client_key="any",
        admin_key="any",
        clock=clock,
        validate_responses="strict",
    )
    call = Caller(client)
    with client:
        for part in PARTS:
            part(call, tmp_path) if part is chats else part(call)
    assert endpoints().keys() - call.called == set()
