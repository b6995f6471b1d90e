"""Probes of memories: direct ones, those ingested in the background or distilled elsewhere, and maintenance."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from muxi import AuthenticationError, JobFailed, NotFoundError, ServerError, ValidationError
from tests.live.probing import Live, probe


@probe("add_memory", "get_memories", "iter_memories", "delete_memory", on=["multi"])
def test_memories(live: Live) -> None:
    assert live("get_memories", live.user)["memories"] == []
    added = live("add_memory", "Prefers tea", user_id=live.user, metadata={"a": 1})
    live("add_memory", mem_type="preference", detail="Prefers Go", user_id=live.user)
    listed = live("get_memories", live.user)["memories"]
    assert [memory["content"] for memory in listed] == ["Prefers Go", "Prefers tea"]
    assert live("get_memories", live.user, 1, offset=1)["memories"][0]["id"] == added["id"]
    assert live.collect("iter_memories", live.user) == listed
    live("delete_memory", live.user, added["id"])
    assert [memory["content"] for memory in live("get_memories", live.user)["memories"]] == ["Prefers Go"]
    with pytest.raises(NotFoundError):
        live("delete_memory", live.user, added["id"])


@probe("iter_memories", on=["multi"])
def test_all_pages_of_memories(live: Live) -> None:
    for number in range(103):
        live("add_memory", f"Fact {number}", user_id=live.user)
    texts = [memory["content"] for memory in live.collect("iter_memories", live.user)]
    assert sorted(texts) == sorted(f"Fact {number}" for number in range(103))


@probe("delete_memory", on=["multi"], defect="memories of others")
def test_another_user_may_delete_a_memory(live: Live) -> None:
    added = live("add_memory", "Mine", user_id=live.user)
    live("delete_memory", f"mallory-{live.name}", added["id"])
    assert live("get_memories", live.user)["memories"] == []


@probe("add_memory", "get_memories", "iter_memories", "delete_memory", on=["single"], defect="sqlite memories")
def test_sqlite_has_no_memories(live: Live) -> None:
    for call in (
        lambda: live("get_memories", live.user),
        lambda: live.collect("iter_memories", live.user),
        lambda: live("add_memory", "Prefers tea", user_id=live.user),
        lambda: live("delete_memory", live.user, "none"),
    ):
        with pytest.raises(ServerError, match="SQLiteMemory") as caught:
            call()
        assert (caught.value.status_code, caught.value.attempts) == (500, 1)


@probe("ingest_memory", "get_ingestion_status", "wait_for_ingestion", "add_memory")
def test_ingestion(live: Live) -> None:
    taken = live("ingest_memory", "Mona works at Acme", user_id=live.user, source="crm", source_id=live.name)
    assert (taken["duplicate"], taken["source_id"]) == (False, live.name)
    done = live("wait_for_ingestion", taken["processing_id"], live.user)
    assert done["status"] == "completed"
    assert live("get_ingestion_status", taken["processing_id"], live.user) == done
    assert live("get_ingestion_status", taken["processing_id"])["status"] == "completed"  # with the admin key
    again = live("ingest_memory", "Mona works at Acme", user_id=live.user, source="crm", source_id=live.name)
    assert (again["duplicate"], again["event_id"]) == (True, taken["event_id"])
    # The other door to the same: a memory with a source.
    other = live("add_memory", {"any": "JSON"}, user_id=live.user, source="mail", source_id=live.name)
    assert live("wait_for_ingestion", other["processing_id"], live.user)["counts"]["failed"] == 0


@probe("ingest_memories", "wait_for_ingestion")
def test_a_batch(live: Live) -> None:
    items = [
        {"content": "one", "source": "crm", "source_id": f"1-{live.name}"},
        {"content": "one", "source": "crm", "source_id": f"1-{live.name}"},
        {"content": "no source"},
    ]
    batch = live("ingest_memories", items, user_id=live.user)
    assert [item["status"] for item in batch["items"]] == ["accepted", "duplicate", "invalid"]
    assert batch["counts"] == {"accepted": 1, "duplicate": 1, "invalid": 1}
    assert live("wait_for_ingestion", batch["processing_id"], live.user)["status"] == "completed"


@probe("get_memory_provenance", "get_history", "iter_history")
def test_provenance_and_history(live: Live) -> None:
    taken = live("ingest_memory", "Ada writes programs", user_id=live.user, source="notes", source_id=live.name)
    live("wait_for_ingestion", taken["processing_id"], live.user)
    event = live("get_memory_provenance", live.user, event_id=taken["event_id"])["event"]
    assert (event["source"], event["source_id"]) == ("notes", live.name)
    with pytest.raises(NotFoundError):
        live("get_memory_provenance", live.user, entity="Nowhere")
    with pytest.raises(ValidationError, match="Provide 'entity'"):
        live("get_memory_provenance", live.user)
    page = live("get_history", live.user, 100)
    assert page["count"] == len(page["entries"])
    assert live.collect("iter_history", live.user) == page["entries"]


_MAINTENANCE = (
    "rebuild_memory",
    "get_rebuild_status",
    "wait_for_memory_job",
    "forget_memory_source",
    "get_forget_status",
    "lint_memory",
    "backfill_memory",
)


@probe(*_MAINTENANCE, on=["multi"])
def test_maintenance(live: Live) -> None:
    _maintain(live, lambda job: str(live("wait_for_memory_job", job)["status"]))


@probe(*_MAINTENANCE, on=["single"], defect="sqlite projections")
def test_maintenance_may_fail_in_sqlite(live: Live) -> None:
    def end(job: str) -> str:
        try:
            return str(live("wait_for_memory_job", job)["status"])
        except JobFailed as error:
            if "no such table" not in error.message:
                raise
            return str(error.details["status"])

    _maintain(live, end)


def _maintain(live: Live, end: Callable[[str], str]) -> None:
    """Rebuild, forget, check and fill up, with jobs that ``end`` waits for."""
    taken = live("ingest_memory", "To be forgotten", user_id=live.user, source="crm", source_id=live.name)
    live("wait_for_ingestion", taken["processing_id"], live.user)
    report = live("rebuild_memory", live.user, dry_run=True)
    assert report["dry_run"] is True
    assert "flat_facts" in report["projections"]
    job = live("rebuild_memory", live.user)["job_id"]
    status = end(job)
    assert live("get_rebuild_status", job)["status"] == status
    with pytest.raises(ValidationError, match="zzz"):
        live("rebuild_memory", live.user, projection="zzz", dry_run=True)
    forgotten = live("forget_memory_source", live.user, "crm")
    assert forgotten["deleted_events"] >= 1
    status = end(forgotten["job_id"])
    assert live("get_forget_status", forgotten["job_id"])["status"] == status
    assert live("forget_memory_source", live.user, "crm", rebuild=False)["deleted_events"] == 0
    assert live("lint_memory", live.user)["report"]["users"] == 1
    assert live("backfill_memory", live.user)["synthesized"]["flat_facts"]["complete"] is True


@probe(
    "register_distillery",
    "get_distilleries",
    "revoke_distillery",
    "ingest_distilled",
    "get_distilled_status",
    "wait_for_distilled",
)
def test_distilled_memories(live: Live) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    sender = live("register_distillery", live.name, f"ed25519:{b64encode(public).decode()}")["distillery_id"]
    listed = {entry["distillery_id"]: entry["status"] for entry in live("get_distilleries")["distilleries"]}
    assert listed[sender] == "active"
    batch: dict[str, Any] = {
        "batch_id": f"b-{live.name}",
        "events": [
            {
                "event_type": "fact.extracted",
                "user_id": live.user,
                "source_id": live.name,
                "payload": {"memory": "Mona likes tea — 東京", "collection": "preferences"},
            },
            {"event_type": "nope", "user_id": live.user, "source_id": "x", "payload": {}},
        ],
    }
    with pytest.raises(AuthenticationError):
        live("ingest_distilled", batch, distillery_id=sender, sign=Ed25519PrivateKey.generate().sign)
    sent = live("ingest_distilled", batch, distillery_id=sender, sign=key.sign)
    assert (sent["accepted"], sent["rejected"]) == (1, 1)
    done = live("wait_for_distilled", sent["processing_id"], distillery_id=sender)
    assert done["status"] == "completed"
    assert done["counts"]["failed"] == 0 or live.kind == "single"  # see the defect of SQLite
    assert live("get_distilled_status", sent["processing_id"], distillery_id=sender)["batch_id"] == batch["batch_id"]
    assert live("revoke_distillery", sender)["status"] == "revoked"
    with pytest.raises(NotFoundError):
        live("ingest_distilled", batch, distillery_id=sender, sign=key.sign)
