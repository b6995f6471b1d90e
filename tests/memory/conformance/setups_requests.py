"""Requests: their status and their end."""

from __future__ import annotations

from muxi_transports.memory import EmbeddedFormation
from tests.memory.conformance.replay import Prepare, Setup, nothing


def tracked(user: str, request_id: str, status: str = "processing", result: str | None = None) -> Prepare:
    """A request of a user is in progress, or has ended."""

    def prepare(formation: EmbeddedFormation) -> None:
        entry = formation.tracker.open(request_id, user)
        if status != "processing":
            formation.tracker.end(entry, status, result=result)

    return prepare


def escalated(request_id: str, result: str | None = None) -> Prepare:
    """A request failed and is tried again, or was."""

    def prepare(formation: EmbeddedFormation) -> None:
        entry = formation.tracker.open(request_id, "alice")
        entry.escalated = True
        if result is not None:
            formation.tracker.end(entry, "completed", result=result)

    return prepare


def stale(formation: EmbeddedFormation) -> None:
    """A request never ended, and was given up."""
    formation.tracker.open("req_WRxYSUUO9oRdzB9rxBlAu", "osdk-sync63032")
    formation.clock.sleep(601)


ANSWERS: dict[str, Prepare | Setup] = {
    "cancel_analysis": tracked("dora", "early-6"),
    "cancel_analysis2": tracked("dora", "early-7"),
    "cancel_analysis_status": tracked("dora", "early-6", "completed", "Stub reply"),
    "cancel_early2": tracked("dora", "early-2"),
    "cancel_stream": tracked("carl", "cxl-1"),
    "cancel_sync": tracked("carl", "cxl-2"),
    "early1_status": tracked("dora", "early-1", "completed", "Stub reply"),
    "early1_status_after": tracked("dora", "early-1", "completed", "Stub reply"),
    "early2_status": tracked("dora", "early-2", "completed", "Stub reply"),
    "esc_fail_status": escalated("esc-4", "Stub reply"),
    "esc_fail_status6": escalated("esc-6", "Stub reply"),
    "lite_esc_status0": escalated("esc-1"),
    "lite_esc_status1": escalated("esc-1", "Stub reply"),
    "lite_esc_status2": escalated("esc-2", "Stub reply"),
    "req_status_after_cancel": tracked("carl", "cxl-1", "completed", "w1 w2"),
    "req_status_after_cancel2": tracked("carl", "cxl-2", "completed", "w1 w2"),
    "stale_cancel": stale,
    "stale_failed": stale,
    "cancel_again2": tracked("carl", "cxl-2", "completed", "w1"),
    "cancel_completed": tracked("carl", "done-3", "completed", "quick"),
    "cancel_early": tracked("dora", "early-1"),
    "cancel_first_second_status": tracked("dora", "early-5", "cancelled"),
    "cancel_other_user": tracked("carl", "cxl-1"),
    "cancel_stream_again": tracked("carl", "cxl-1"),
    "cancel_unknown": nothing,
    "req_status_completed": tracked("carl", "done-3", "completed", "quick"),
    "req_status_disconnect_7s": tracked("carl", "disc-4", "cancelled"),
    "req_status_processing": tracked("carl", "cxl-1"),
    "req_status_unknown": nothing,
    "requests_list_admin": tracked("alice", "req_1"),
}
