"""Event readers without I/O: bytes in, typed events out, and how the stream ended.

A reader takes the bytes of one stream as they arrive. Decoded events wait in ``ready``; a ``failure`` is raised once
they have been returned, so that no event before it is lost.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypedDict, TypeVar, cast

from muxi.errors import MuxiError, ServerError, StreamInterrupted, TurnFailed
from muxi.streaming.sse import EventTooLarge, Framer, ServerSentEvent, decode, json_object
from muxi.surrogates import replace_halves
from muxi.types.chat import ChatEvent, ChatMessage, Token, Widget

if TYPE_CHECKING:
    from muxi.config import Options

__all__ = ["ChatReader", "EventReader", "Frame", "FrameReader", "check_turn", "reader_for", "register_reader"]

E = TypeVar("E")

#: Most ``completed`` events of a stream that are compared with all the text before them; a turn has one.
_MAX_COMPLETIONS = 10


class Frame(TypedDict):
    """An event of a stream that the SDK knows nothing about: its name, and its data as text."""

    event: str
    data: str


class EventReader(ABC, Generic[E]):
    """Reads one stream."""

    #: Seconds without a byte, and without an event, that are too long for this kind of stream.
    idle_timeout: ClassVar[float | None] = None
    stall_timeout: ClassVar[float | None] = None

    def __init__(self) -> None:
        self.ready: deque[E] = deque()
        self.failure: MuxiError | None = None
        #: Whether the stream has come to its proper end.
        self.finished: bool = False
        self._framer = Framer()

    @classmethod
    def bounds(cls, options: Options) -> dict[str, float]:
        """Return the active watchdogs by name: the caller's setting, or the default of this kind of stream."""
        chosen = {
            "idle_timeout": cls.idle_timeout if isinstance(options.idle_timeout, str) else options.idle_timeout,
            "stall_timeout": cls.stall_timeout if isinstance(options.stall_timeout, str) else options.stall_timeout,
        }
        return {name: seconds for name, seconds in chosen.items() if seconds is not None}

    @property
    def over(self) -> bool:
        """True if the stream has ended or failed; later bytes are ignored."""
        return self.finished or self.failure is not None

    @property
    def keepalives(self) -> int:
        """Number of comment lines received."""
        return self._framer.comments

    @property
    def partial(self) -> dict[str, Any]:
        """The incomplete result, for the error of a stream that ends too soon."""
        return {}

    def feed(self, chunk: bytes) -> None:
        """Decode a chunk of the body."""
        if self.over:
            return
        too_large: EventTooLarge | None = None
        try:
            blocks = self._framer.feed(chunk)
        except EventTooLarge as error:
            blocks, too_large = error.blocks, error
        for frame in decode(blocks):
            self._read(frame)
            if self.over:
                return
        if too_large:
            self.failure = StreamInterrupted("EVENT_TOO_LARGE", str(too_large), partial=self.partial)

    def end(self) -> None:
        """End the stream: the body is complete. A stream without a terminator ends properly here."""
        if not self.failure:
            self.finished = True

    @abstractmethod
    def _read(self, frame: ServerSentEvent) -> None:
        """Decode one frame: append to ``ready``, or set ``finished`` or ``failure``."""

    def result(self) -> Mapping[str, Any]:
        """Return the result of the whole stream."""
        raise TypeError(f"a stream read by {type(self).__name__} has no result; iterate over its events")


class FrameReader(EventReader[Frame]):
    """Returns frames unchanged; for routes that the SDK does not know."""

    failure: MuxiError | None

    def _read(self, frame: ServerSentEvent) -> None:
        if frame.event == "error":
            self.failure = _frame_error(frame.data, ServerError, {})
        else:
            self.ready.append({"event": frame.event, "data": frame.data})


class ChatReader(EventReader[ChatEvent]):
    """Reads a chat: tokens, widgets, and the ``done`` that ends it."""

    failure: MuxiError | None

    idle_timeout: ClassVar[float | None] = 60.0
    stall_timeout: ClassVar[float | None] = 300.0

    def __init__(self) -> None:
        super().__init__()
        self._deltas: list[str] = []
        self._widgets: list[Widget] = []
        self._last: Token = {}
        self._completed: Token | None = None
        self._completions = 0
        self._halves = SurrogateJoiner()

    @property
    def partial(self) -> dict[str, Any]:
        known = ("session_id", "request_id", "user_id")
        metadata = {key: value for key, value in self._last.items() if key in known}
        partial: dict[str, Any] = {"role": "assistant", "content": "".join(self._deltas), "metadata": metadata}
        if self._widgets:
            partial["ui"] = self._widgets
        return partial

    def end(self) -> None:
        if not self.finished and not self.failure:
            self.failure = StreamInterrupted(
                "STREAM_INTERRUPTED",
                f"the stream ended without its 'done' event, after {len(''.join(self._deltas))} characters of text; "
                "what had arrived is in .partial",
                partial=self.partial,
            )

    def result(self) -> ChatMessage:
        """Return the final message.

        Raises:
            TurnFailed: the stream is done, and no ``completed`` event came.
        """
        token = self._completed
        if token is None:
            about = str(self._last.get("content") or "")
            raise TurnFailed(
                "NOT_COMPLETED",
                "the turn ended without completing: it was blocked, cancelled, or waits for something"
                + (f" (the last thing it said was: {about})" if about else ""),
                details={"token": dict(self._last)},
                partial=self.partial,
            )
        metadata = {
            key: value for key, value in token.items() if key not in ("type", "content", "timestamp", "artifacts")
        }
        content: object = token.get("content")
        message: dict[str, Any] = {
            "role": "assistant",
            "content": replace_halves(content if isinstance(content, str) else ""),
            "artifacts": token.get("artifacts"),
            "metadata": metadata,
        }
        if self._widgets:
            message["ui"] = self._widgets
        return cast(ChatMessage, message)

    def _read(self, frame: ServerSentEvent) -> None:
        name, data = frame.event, frame.data
        payload = json_object(data)
        token = payload.get("token") if payload else None
        if name == "message" and isinstance(token, dict):
            self._read_token(frame, cast(Token, token))
        elif name == "error":
            self.failure = _frame_error(data, TurnFailed, self.partial)
        elif name == "done":
            self.finished = True
            self.ready.append({"type": "done", "event": name, "data": data})
        elif name == "ui" and payload is not None and isinstance(payload.get("ui"), list):
            widgets = cast("list[Widget]", payload["ui"])
            self._widgets.extend(widgets)
            self.ready.append({"type": "ui", "event": name, "data": data, "ui": widgets})
        else:
            event = _unknown_event(name, data, payload or {})
            if event["type"] == "text":
                event["text"] = self._halves.join(event.get("text", ""))
                self._deltas.append(event["text"])
            self.ready.append(event)

    def _read_token(self, frame: ServerSentEvent, token: Token) -> None:
        named: object = token.get("type")
        kind = named if isinstance(named, str) and named else "message"
        content: object = token.get("content")
        text = content if isinstance(content, str) else "" if content is None else json.dumps(content)
        self._last = token
        if kind == "content":
            text = self._halves.join(text)
            self._deltas.append(text)
            kind = "text"
        elif kind == "completed":
            if token.get("status") == "error":
                self.failure = TurnFailed(
                    "TURN_FAILED",
                    text or "the turn failed",
                    details={"token": dict(token)},
                    request_id=token.get("request_id"),
                    partial=self.partial,
                )
                return
            text = replace_halves(text)
            self._completed = token
            self._completions += 1
            if self._completions <= _MAX_COMPLETIONS and (
                rest := remainder("".join(self._deltas), text, broken=bool(token.get("stream_discontinuity")))
            ):
                self._deltas.append(rest)
                self.ready.append({"type": "text", "event": frame.event, "data": frame.data, "text": rest})
        self.ready.append({"type": kind, "event": frame.event, "data": frame.data, "text": text, "token": token})


class SurrogateJoiner:
    """Joins surrogate pairs that JSON has cut in two, each half in a delta of its own."""

    def __init__(self) -> None:
        self._half = ""

    def join(self, text: str) -> str:
        """Return a delta with the half before it; keep the half at its end for the next."""
        if self._half:
            text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return replace_halves(text)


#: Control characters without those that are white space, for ``str.translate`` to remove.
_CONTROLS = dict.fromkeys(code for code in (*range(32), *range(127, 160)) if not chr(code).isspace())


def remainder(deltas: str, content: str, *, broken: bool) -> str:
    """Return the part of the completed text that the deltas lack.

    Args:
        deltas: all deltas, joined.
        content: the text of the ``completed`` event, which is the authority.
        broken: whether the runtime says that the deltas broke off (``stream_discontinuity``).
    """
    if content.startswith(deltas):
        return content[len(deltas) :]
    # The runtime cleans control characters and white space at the ends out of the completed text only.
    cleaned = deltas.translate(_CONTROLS)
    for said in (cleaned, cleaned.lstrip(), cleaned.strip()):
        if content.startswith(said):
            rest = content[len(said) :]
            return rest if rest.strip() else ""
    # The answer was begun anew: what came before cannot be taken back, the answer can still be given.
    return content if broken else ""


def check_turn(data: Mapping[str, Any], partial: Mapping[str, Any] | None = None) -> None:
    """Raise the error of a failed turn; some come with HTTP 200.

    Args:
        data: what a chat that is not streamed answered.
        partial: what to keep of it in the error; by default its message.

    Raises:
        TurnFailed: the turn failed; ``details`` has the metadata.
    """
    message = data.get("message")
    metadata = message.get("metadata") if isinstance(message, dict) else None
    if not message or not isinstance(metadata, dict):
        return
    code = metadata.get("error_code")
    if not code and metadata.get("cancelled"):
        code = "CANCELLED"
    if not code and (metadata.get("status") == "error" or message.get("status") == "error"):
        code = "TURN_FAILED"
    if code:
        text = str(message.get("content") or "") or f"the turn failed ({code})"
        raise TurnFailed(
            str(code), text, details=dict(metadata), request_id=data.get("request_id"), partial=partial or message
        )


_READERS: dict[str, Callable[[], EventReader[Any]]] = {"chat": ChatReader, "frames": FrameReader}

#: The modules that register the readers of further kinds of stream.
_HOMES = {
    "deployment": "muxi.streaming.deployments",
    "feed": "muxi.streaming.feeds",
    "formation_log": "muxi.streaming.deployments",
    "log": "muxi.streaming.feeds",
}


def register_reader(events: str, make: Callable[[], EventReader[Any]]) -> None:
    """Register the reader of another kind of stream."""
    _READERS[events] = make


def reader_for(events: str) -> EventReader[Any]:
    """Return a new reader for the kind of stream that a :class:`muxi.StreamCall` names."""
    if events not in _READERS and events in _HOMES:
        import_module(_HOMES[events])
    return _READERS[events]()


def _unknown_event(name: str, data: str, payload: dict[str, Any]) -> ChatEvent:
    """Return an event for a frame of an unknown kind, as newer runtimes may send."""
    kind: object = payload.get("type") if name == "message" else None
    event: ChatEvent = {"type": kind if isinstance(kind, str) else name, "event": name, "data": data}
    text = payload.get("text")
    if isinstance(text, str):
        event["text"] = text
    return event


_F = TypeVar("_F", bound=MuxiError)


def _frame_error(data: str, cls: type[_F], partial: Mapping[str, Any]) -> _F:
    """Return the error of an ``event: error`` frame; data ``{"error", "type"}`` or ``{"error", "message"}``."""
    payload = json_object(data) or {}
    reason = payload.get("error")
    message = payload.get("message") or (reason if isinstance(reason, str) else "") or data or "the stream failed"
    code = payload.get("type") or payload.get("code") or (reason if payload.get("message") else None)
    error = cls(code if isinstance(code, str) else "STREAM_ERROR", str(message), details=payload or {"data": data})
    error.partial = dict(partial)
    return error
