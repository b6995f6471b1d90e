"""Sessions and their messages."""

from __future__ import annotations

from muxi_transports.memory import EmbeddedFormation
from tests.memory.conformance.replay import Prepare, Setup, ask, nothing


def chatted(user: str, *sessions: str) -> Prepare:
    """A user has said something in these sessions."""

    def prepare(formation: EmbeddedFormation) -> None:
        for session in sessions:
            ask(formation, "POST", "/v1/chat", {"message": "seed", "session_id": session, "stream": False}, user=user)

    return prepare


def restored(formation: EmbeddedFormation) -> None:
    messages = [
        {"role": "user", "content": "hello", "timestamp": "2026-11-22T10:00:00Z"},
        {
            "role": "assistant",
            "content": "hi",
            "timestamp": "2026-11-22T10:00:01Z",
            "agent_id": "assistant",
            "metadata": {"x": 1},
        },
    ]
    ask(formation, "POST", "/v1/sessions/rs-1/restore", {"messages": messages}, user="sess-user")


TWO_SESSIONS = chatted("sess-user", "ss-0", "ss-1", "ss-0")

ANSWERS: dict[str, Prepare | Setup] = {
    "sess_get": TWO_SESSIONS,
    "sess_get_404": nothing,
    "sess_list": TWO_SESSIONS,
    "sess_list_bad": nothing,
    "sess_list_big": nothing,
    "sess_list_nouser": nothing,
    "sess_msgs": TWO_SESSIONS,
    "sess_msgs_404": nothing,
    "sess_msgs_before": TWO_SESSIONS,
    "sess_msgs_limit": TWO_SESSIONS,
    "sess_restore_badrole": nothing,
    "sess_restore_badts": nothing,
    "sess_restore_empty": nothing,
    "sess_restore_get": restored,
    "sess_restore_msgs": restored,
    "sess_restore_nots": nothing,
}
