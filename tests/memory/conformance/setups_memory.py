"""Memories and buffers."""

from __future__ import annotations

from muxi_transports.memory import Defect, EmbeddedFormation
from muxi_transports.memory.formation.state.ingestion import Intake
from muxi_transports.memory.formation.state.memories import StoredMemory
from tests.memory.conformance.replay import Prepare, Setup, nothing
from tests.memory.conformance.setups_sessions import chatted


def remembered(user: str, *ids: str) -> Prepare:
    """The formation remembers something about a user."""

    def prepare(formation: EmbeddedFormation) -> None:
        now = formation.clock.time()
        for memory_id in ids:
            formation.memories.add(
                StoredMemory(memory_id, user, "Prefers Go", now, {"type": "preference", "timestamp": now})
            )

    return prepare


def noted(formation: EmbeddedFormation) -> None:
    """Memories with metadata of the user's own."""
    now = formation.clock.time()
    for memory_id in ("m-1", "m-2"):
        formation.memories.add(StoredMemory(memory_id, "mona", "Lives in Rome", now, {"a": 1, "timestamp": now}))


def ingested(formation: EmbeddedFormation) -> None:
    formation.state.ingestion.take(Intake("Mona works at Acme", "crm", "c-1", "mona"), event_id="_vc8qRzU4w4DqQU8rVlE7")


MONA = remembered("mona", "m-1", "m-2", "m-3")

LENIENT = Setup(remembered("alice", "cRhNwxpufMGBWXIii_HSF"), frozenset({Defect.ANYBODY_DELETES_MEMORIES}))

ANSWERS: dict[str, Prepare | Setup] = {
    "buffer_admin": chatted("alice", "s-1"),
    "buffer_alice": chatted("alice", "s-1"),
    "buffer_del": chatted("ida", "i1"),
    "buffer_del_all_admin": chatted("alice", "s-1"),
    "buffer_del_session": chatted("alice", "s-2"),
    "buffer_del_session_admin_nouser": chatted("alice", "s-3"),
    "buffer_stats": chatted("alice", "s-1"),
    "buffer_stats_after": nothing,
    "buffers_del_dep": Setup(chatted("alice", "s-1"), frozenset({Defect.CLEARING_BUFFERS_FAILS})),
    "lite_buffer": nothing,
    "mem_del_other": LENIENT,
    "mem_list_page": noted,
    "buffers_dep": chatted("alice", "s-1"),
    "idem_mem2": nothing,
    "ing_dup": ingested,
    "ing_nosourceid": nothing,
    "ing_one": nothing,
    "mem_create": nothing,
    "mem_create_body_user": nothing,
    "mem_create_content": nothing,
    "mem_create_none": nothing,
    "mem_create_scope_bad": nothing,
    "mem_create_scope_formation": nothing,
    "mem_create_scope_group": nothing,
    "mem_create_scope_group_noid": nothing,
    "mem_del_again": nothing,
    "mem_list_admin_nouser": nothing,
    "mem_list_admin_user": MONA,
    "mem_list_limit0": nothing,
    "mem_list_limit101": nothing,
    "mem_list_offneg": nothing,
    "mem_list_scopes": MONA,
    "mem_list_scopes_bad": nothing,
    "mem_list_userparam": MONA,
}
