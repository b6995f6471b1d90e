"""Names and attributes of spans and metrics of calls to agents, by the GenAI conventions.

https://github.com/open-telemetry/semantic-conventions-genai — they are still in development, so everything that
depends on them is here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from muxi.call import Call
from muxi.plugins.tracing.names import Attributes
from muxi.redact import redact_text
from muxi.streaming.call import StreamCall
from muxi.transport import BytesBody, Request

__all__ = [
    "BUCKETS",
    "CAPTURE_VARIABLE",
    "AgentReply",
    "input_messages",
    "is_agent_call",
    "request_attributes",
    "span_name",
]

AGENT_ID: Final = "gen_ai.agent.id"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OPERATION_NAME: Final = "gen_ai.operation.name"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
PROVIDER_NAME: Final = "gen_ai.provider.name"
REQUEST_STREAM: Final = "gen_ai.request.stream"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"

OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
OPERATION_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"

#: The variable that makes instrumentations of generative AI record the contents of messages.
CAPTURE_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

#: Upper bounds of both histograms, in seconds, as the conventions recommend them.
BUCKETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)

#: Operations that are an ``invoke_agent``.
_AGENT_OPERATIONS = frozenset({"chat", "chat_stream", "audio_chat", "audio_chat_stream", "fire_trigger"})

_INVOKE = "invoke_agent"


def is_agent_call(call: Call[Any]) -> bool:
    """Tell whether a call invokes an agent."""
    return call.operation in _AGENT_OPERATIONS


def span_name(call: Call[Any]) -> str:
    """Return the name of a call's span: the operation, and the agent if the call names one."""
    agent = _text(_body(call).get("agent_id"))
    return f"{_INVOKE} {agent}" if agent else _INVOKE


def metric_attributes() -> dict[str, str]:
    """Return the attributes of metrics."""
    return {OPERATION_NAME: _INVOKE, PROVIDER_NAME: "muxi"}


def request_attributes(call: Call[Any]) -> Attributes:
    """Return the attributes of a call before it is sent."""
    found: Attributes = {**metric_attributes()}
    body = _body(call)
    if agent := _text(body.get("agent_id")):
        found[AGENT_ID] = agent
    if session := _text(body.get("session_id")):
        found[CONVERSATION_ID] = session
    if isinstance(call, StreamCall):
        found[REQUEST_STREAM] = True
    return found


def input_messages(request: Request) -> str:
    """Return the input messages in the conventions' JSON: the text, and the names of files.

    Args:
        request: the request as it is sent, after plugins that redact it.
    """
    body = _content(request)
    text = body.get("message")
    if text is None and "data" in body:
        text = json.dumps(body["data"], ensure_ascii=False, default=str)
    parts: list[dict[str, str]] = [_text_part(text)] if isinstance(text, str) else []
    files = body.get("files")
    for file in files if isinstance(files, Sequence) else ():
        if isinstance(file, Mapping):
            parts.append({"type": "file", "name": str(file.get("filename", ""))})
    return json.dumps([{"role": "user", "parts": parts}], ensure_ascii=False)


class AgentReply:
    """The answer of an agent, event by event or all at once.

    Args:
        keep_content: whether to keep its text.
    """

    def __init__(self, *, keep_content: bool) -> None:
        self._keep = keep_content
        self._pieces: list[str] = []
        self._known: dict[str, str] = {}

    def add_event(self, event: object) -> None:
        """Add an event of a stream."""
        if not isinstance(event, Mapping):
            return
        if self._keep and event.get("type") == "text":
            self._pieces.append(str(event.get("text", "")))
        token = event.get("token")
        if isinstance(token, Mapping):
            self._learn(token)

    def add_result(self, result: object) -> None:
        """Add the answer of a call that is not a stream."""
        if not isinstance(result, Mapping):
            return
        message = result.get("message")
        text: object = result.get("content")  # a trigger's
        if isinstance(message, Mapping):
            text = message.get("content")
            metadata = message.get("metadata")
            if isinstance(metadata, Mapping):
                self._learn(metadata)
        self._learn(result)
        if self._keep and isinstance(text, str):
            self._pieces.append(text)

    def attributes(self, finish_reason: str) -> dict[str, str]:
        """Return the attributes of the answer for the call's span.

        Args:
            finish_reason: ``stop``, ``error``, or ``cancelled`` if the caller closed the stream.
        """
        found = dict(self._known)
        if self._pieces:
            parts = [_text_part("".join(self._pieces))]
            message = {"role": "assistant", "parts": parts, "finish_reason": finish_reason}
            found[OUTPUT_MESSAGES] = json.dumps([message], ensure_ascii=False)
        return found

    def _learn(self, metadata: Mapping[str, object]) -> None:
        for key, name in (("session_id", CONVERSATION_ID), ("agent_used", AGENT_ID)):
            if value := _text(metadata.get(key)):
                self._known.setdefault(name, value)


def _text_part(text: str) -> dict[str, str]:
    return {"type": "text", "content": redact_text(text)}


def _content(request: Request) -> Mapping[str, Any]:
    if not isinstance(request.body, BytesBody):
        return {}
    try:
        content: object = json.loads(request.body.content)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _body(call: Call[Any]) -> Mapping[str, Any]:
    return call.body if isinstance(call.body, Mapping) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
