"""Chats, streamed and not."""

from __future__ import annotations

from collections.abc import Callable

from muxi_transports.memory import Clarification, Discontinuity, Silence
from tests.memory.conformance.replay import Prepare, Setup, nothing, replying

ask_back = replying(lambda turn: Clarification("Which region do you mean? Available: work or home", ("work", "home")))

ANSWERS: dict[str, Prepare | Setup] = {
    "accept_sse_with_stream_false": nothing,
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
    "chat_stream_agent": lambda answer: replying(lambda turn: answer, "researcher"),
    "chat_stream_clarify": lambda answer: replying(lambda turn: Clarification(answer)),
    "chat_stream_midfail": lambda answer: replying(lambda turn: Discontinuity(answer, after=3)),
    "chat_stream_plain": lambda answer: replying(lambda turn: answer),
    "chat_stream_uni": lambda answer: replying(lambda turn: answer),
    "idem_stream": lambda answer: replying(lambda turn: answer),
    "ui_stream": lambda answer: replying(lambda turn: Clarification(answer, ("work", "home"))),
}
