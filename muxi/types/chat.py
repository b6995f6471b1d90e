"""Requests and answers of chats, streamed and not streamed."""

import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol, TypeAlias

from muxi.types.records import TypedDict

__all__ = [
    "AudioChatRequest",
    "ChatEvent",
    "ChatFile",
    "ChatMessage",
    "ChatRequest",
    "ChatResult",
    "FileContent",
    "FileInput",
    "MessageMetadata",
    "ReadableFile",
    "Token",
    "UiResponse",
    "Widget",
]


class UiResponse(TypedDict):
    """The answer to a widget: its ``id`` and the value that was chosen."""

    id: str
    value: Any


class ChatFile(TypedDict, total=False):
    """A file that goes along with a message; ``content`` is base64, ``size`` in bytes."""

    filename: str
    content: str
    content_type: str
    #: Alternative to ``content_type`` on the wire.
    mime_type: str
    size: int


class ReadableFile(Protocol):
    """A file that is open for reading, in binary mode."""

    def read(self, size: int = ..., /) -> bytes:
        """The next bytes, at most so many."""
        ...


#: Content of a file: bytes, or an open file that is read when the call is made.
FileContent: TypeAlias = bytes | bytearray | memoryview | ReadableFile


class _CheckedByTheCall:
    """Makes pydantic (and so FastAPI) accept any value: it has no form for open files, and the call checks them."""

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> dict[str, str]:
        return {"type": "any"}


#: A file for a chat: a path, its content, a name with its content (and media type; None goes by the name), or what the
#: wire has (:class:`ChatFile`), whose content may be bytes or an open file too.
FileInput: TypeAlias = Annotated[
    str
    | os.PathLike[str]
    | FileContent
    | tuple[str, FileContent | str]
    | tuple[str, FileContent | str, str | None]
    | Mapping[str, object],
    _CheckedByTheCall(),
]


class _ChatRequestRequired(TypedDict):
    message: str


class ChatRequest(_ChatRequestRequired, total=False):
    """The body of ``POST /chat``. Unknown fields are sent along and ignored by the runtime."""

    user_id: str
    agent_id: str
    session_id: str
    group_id: str
    request_id: str
    mode: str
    files: Sequence[FileInput]
    stream: bool
    webhook_url: str
    threshold_seconds: float
    source_channel: str
    ui_response: UiResponse


class AudioChatRequest(TypedDict, total=False):
    """The body of ``POST /audiochat``: voice notes in place of a message."""

    files: Sequence[FileInput]
    user_id: str
    agent_id: str
    session_id: str
    request_id: str
    stream: bool


class Widget(TypedDict, total=False):
    """Something for the user to choose or open: ``options``, ``action_link``, ``mcp_resource``, or newer kinds."""

    type: str
    id: str
    prompt: str
    options: list[dict[str, Any]]
    multi: bool
    label: str
    url: str
    hint: str
    resource: Any
    data: Any


class MessageMetadata(TypedDict, total=False):
    """Metadata of an answer. The turn decides which keys it has."""

    session_id: str
    request_id: str
    user_id: str
    status: str
    agent_used: str
    handled_by: str
    fast_path: bool
    is_actionable: bool
    early_heuristic: bool
    processing_time_ms: float
    clarification: bool
    mode: str
    approval_required: bool
    requires_user_response: bool
    workflow_id: str
    escalated: bool
    delivery: str
    error_code: str
    error_type: str
    cancelled: bool
    stream_discontinuity: bool


class _ChatMessageAlways(TypedDict):
    role: str
    content: str
    metadata: MessageMetadata


class ChatMessage(_ChatMessageAlways, total=False):
    """The answer of a turn. ``content`` is the whole text.

    A turn that goes on in the background has no ``role``, ``content`` and ``metadata``; :func:`muxi.pending` tells.
    """

    artifacts: list[dict[str, Any]] | None
    ui: list[Widget]
    #: Of a turn that went on in the background: ``processing``, and the id to poll.
    status: str
    request_id: str
    message: str
    workflow_id: str
    timestamp: str
    delivery: str
    poll_url: str


class _BackgroundMessage(TypedDict):
    request_id: str
    status: str


class ChatResult(TypedDict):
    """The answer to a chat that is not streamed."""

    # The second is what answers are checked against too; for editors it would only be in the way.
    message: Annotated[ChatMessage, _BackgroundMessage]
    user_id: str
    session_id: str | None
    request_id: str | None


class Token(TypedDict, total=False):
    """One token of the stream as the runtime sent it; ``timestamp`` in seconds since the epoch."""

    request_id: str
    user_id: str
    session_id: str
    type: str
    content: str
    timestamp: float
    stage: str
    status: str
    agent_name: str | None
    agent_used: str
    processing_time_ms: float
    artifacts: list[dict[str, Any]]
    clarification: bool
    stream_discontinuity: bool
    workflow_id: str


class _ChatEventAlways(TypedDict):
    #: ``text``, ``thinking``, ``planning``, ``progress``, ``ui``, ``completed``, ``done``, or whatever else comes.
    type: str
    #: The name of the raw frame: ``message``, ``ui``, ``done``.
    event: str
    #: The data of the raw frame.
    data: str


class ChatEvent(_ChatEventAlways, total=False):
    """One event of a streamed chat, for both generations of code: ``type``/``text`` and ``event``/``data``."""

    #: The text of the event; for ``text`` one piece of the answer.
    text: str
    #: The decoded token, where the frame had one.
    token: Token
    #: The widgets of a ``ui`` event.
    ui: list[Widget]


ChatEventType = Literal["text", "thinking", "planning", "progress", "ui", "completed", "done"]
