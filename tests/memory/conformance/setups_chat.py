"""Chats, streamed and not."""

from __future__ import annotations

from collections.abc import Callable

from muxi_transports.memory import (
    Approval,
    Defect,
    Discontinuity,
    EmbeddedFormation,
    Escalation,
    Later,
    Question,
    Silence,
    Turn,
)
from tests.memory.conformance.replay import Prepare, Setup, ask, nothing, replying

ask_back = replying(lambda turn: Question("Which region do you mean? Available: work or home", ("work", "home")))


def heard(formation: EmbeddedFormation) -> None:
    """The same call came before, with the same key."""
    body = {"message": "idem one", "stream": False, "session_id": "i1"}
    ask(formation, "POST", "/v1/chat", body, user="ida", headers=[("X-Muxi-Idempotency-Key", "key-A")])


def asked(formation: EmbeddedFormation) -> None:
    """The formation has shown a widget."""
    ask_back(formation)
    ask(formation, "POST", "/v1/chat", {"message": "repos", "session_id": "ui-2", "stream": False}, user="uma")
    del formation.agents.given["assistant"]


def escalating(webhook_url: str | None = None) -> Prepare:
    """The agent that is asked for fails, and is tried again; the recorded one was not there at all."""

    def prepare(formation: EmbeddedFormation) -> None:
        formation.webhooks.default_url = webhook_url
        formation.agent("nobody", lambda turn: Escalation("done"))

    return prepare


plan = replying(lambda turn: Approval("1. Research 2. Write"))
put_off = replying(lambda turn: Later("done"))

ANSWERS: dict[str, Prepare | Setup] = {
    "accept_sse_with_stream_false": nothing,
    "async_chat_sync_complex": put_off,
    "audio_bad_b64": nothing,
    "audio_empty": nothing,
    "audio_mime": nothing,
    "audio_missing": nothing,
    "audio_nocontent": nothing,
    "audio_notaudio": nothing,
    "audio_notaudio_stream": nothing,
    "cancel_early_sync": nothing,
    "cancel_sync_body": nothing,
    "chat_file_badext": nothing,
    "chat_file_empty_obj": nothing,
    "chat_for_cancel_done": nothing,
    "chat_sync_approve": nothing,
    "chat_sync_complex2": plan,
    "chat_sync_empty_message": nothing,
    "chat_sync_usep": nothing,
    "esc_default_hook": escalating("http://127.0.0.1:8098/ok/default"),
    "esc_fail_sync": escalating(),
    "idem_body_user2": nothing,
    "idem_conc0": nothing,
    "idem_conc1": nothing,
    "idem_conc2": nothing,
    "idem_diff_body": heard,
    "idem_diff_user": heard,
    "idem_err2": nothing,
    "lite_chat": nothing,
    "sess_seed0": nothing,
    "sess_seed1": nothing,
    "sess_seed2": nothing,
    "ui_reply": asked,
    "ui_reply_stale": asked,
    "busy0": nothing,
    "chat_422_missing": nothing,
    "chat_422_types": nothing,
    "chat_badjson": nothing,
    "chat_email_user": nothing,
    "chat_emptybody": nothing,
    "chat_extra_fields": nothing,
    "chat_file_notdict": nothing,
    "chat_file_plain": nothing,
    "chat_mode_async": nothing,
    "chat_mode_bogus": nothing,
    "chat_nojson_ct": nothing,
    "chat_request_id": nothing,
    "chat_sync": nothing,
    "chat_sync_threat": replying(lambda turn: Silence()),
    "chat_sync_unknown_agent": nothing,
    "hdr_lower": nothing,
    "hdr_utf8_user": nothing,
    "idem_1": nothing,
    "idem_body_user1": nothing,
    "ui_response_bad": nothing,
    "ui_sync": ask_back,
}

#: Recorded streams, and the agent that replies as the recorded model did.
STREAMS: dict[str, Callable[[str], Prepare | Setup]] = {
    "chat_no_session_no_user": lambda answer: replying(lambda turn: answer),
    "chat_request_id_stream": lambda answer: replying(lambda turn: answer),
    "chat_stream": lambda answer: replying(lambda turn: answer),
    "audio_stream": lambda answer: replying(lambda turn: answer),
    "chat_file_badext_stream": lambda answer: replying(lambda turn: answer),
    "chat_file_text_stream": lambda answer: replying(lambda turn: answer),
    "chat_stream_cr": lambda answer: replying(lambda turn: answer),
    "chat_stream_agent": lambda answer: replying(lambda turn: answer, "researcher"),
    "chat_stream_clarify": lambda answer: replying(lambda turn: Question(answer)),
    "chat_stream_midfail": lambda answer: replying(lambda turn: Discontinuity(answer, after=3)),
    "chat_stream_plain": lambda answer: replying(lambda turn: answer),
    "chat_stream_uni": lambda answer: replying(lambda turn: answer),
    "idem_stream": lambda answer: replying(lambda turn: answer),
    "ui_stream": lambda answer: replying(lambda turn: Question(answer, ("work", "home"))),
}


def cancelled_at_once(formation: EmbeddedFormation) -> None:
    """The turn is cancelled in its first second."""

    def agent(turn: Turn) -> str:
        tracked = formation.tracker.get(turn.request_id)
        assert tracked is not None
        tracked.cancel_requested = True
        return "never said"

    formation.agent("assistant", agent)


#: Recorded streams that never complete, or were cut off.
BEGINNINGS: dict[str, Prepare | Setup] = {
    "cancel_first_second_stream": Setup(cancelled_at_once, frozenset({Defect.CANCELLED_STREAMS_HANG})),
    "chat_stream_complex": plan,
    "chat_stream_threat": replying(lambda turn: Silence()),
}

_OVERLORD = "the runtime's own shortcut, without an agent"
_SLOW = "keepalives of a slow model come between steps that an agent of ours has no part in"
_WORKFLOW = "the steps of a workflow; an embedded agent works alone"

LEFT: dict[str, str] = {
    "async_chat_stream_complex": _WORKFLOW,
    "cancel_stream_body": _SLOW,
    "chat_stream_empty_message": _OVERLORD,
    "chat_stream_greeting": _OVERLORD,
    "chat_stream_llm500": _SLOW,
    "chat_stream_space_message": _OVERLORD,
    "chat_sync_greeting": _OVERLORD,
    "disc_stream": _SLOW,
    "lite_escalate_stream": _WORKFLOW,
    "lite_escalate_sync": "delivered to a channel, not to a webhook; the shape is that of esc_default_hook",
}
