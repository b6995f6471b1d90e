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


ANSWERS: dict[str, Prepare | Setup] = {
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
    "trig_async_poll1": tracked("alice", "req_2XAI7BXw_kiDU2_2Zl6JB"),
    "trig_async_poll_other": tracked("alice", "req_2XAI7BXw_kiDU2_2Zl6JB"),
}
