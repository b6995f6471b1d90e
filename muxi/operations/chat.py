"""Chats with the agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from muxi.answers import pending
from muxi.call import Call, Key, Procedure, send
from muxi.client.endpoints import hints, operation, procedure, stream
from muxi.errors import ValidationError
from muxi.streaming.call import StreamCall

if TYPE_CHECKING:
    from muxi.types import AudioChatRequest, ChatEvent, ChatRequest, ChatResult, FileInput

__all__ = ["ChatOperations", "text_of"]

#: For fields of the message that are given as arguments.
MESSAGE_HINT = "Fields of the request go into the payload: chat({'message': 'Hello!', 'session_id': 's-1'})"


class ChatOperations:
    """Methods that send a message and get the agents' answer."""

    @operation
    @hints(MESSAGE_HINT)
    def chat(
        self,
        payload: ChatRequest | Mapping[str, Any] | str,
        *,
        user_id: str = "",
        files: Sequence[FileInput] | None = None,
    ) -> Call[ChatResult]:
        """Send a message and wait for the whole answer (``POST /chat`` with ``stream: false``).

        The turn gets a ``request_id`` of its own, unless the payload has one: ``muxi.meta(answer).request_id``
        finds it, and ``get_request_status`` and ``cancel_request`` take it. A repetition after a lost
        connection joins the turn that is still running (idempotency key).

        Args:
            payload: the message (100,000 characters at most), or the body of the request: ``message``,
                ``session_id``, ``agent_id``, ``files``, ``ui_response``, ….
            user_id: who is talking; the formation's user ``0`` if empty. Any text, also outside ASCII.
            files: what goes along, beside the files that the payload has: paths, bytes, open binary files, pairs
                ``(filename, content)``, or mappings as the wire has them; 52 MB each at most. They are read
                when the call is made.

        Returns:
            ``answer["message"]["content"]`` is the text; ``session_id`` continues the conversation.
            :func:`muxi.pending` distinguishes an answer from work that continues in the background,
            :func:`muxi.parse_ui_widgets` finds what there is to choose.

        Raises:
            ValidationError: the payload or a file does not fit; nothing has been sent.
            TurnFailed: the formation answered that the turn failed.
            MuxiError: any other failure.
        """
        return Call.post("/chat", body={**_body(payload, files), "stream": False}, user_id=user_id or None, **_CHAT)

    @stream
    @hints(MESSAGE_HINT.replace("chat(", "chat_stream("))
    def chat_stream(
        self,
        payload: ChatRequest | Mapping[str, Any] | str,
        *,
        user_id: str = "",
        files: Sequence[FileInput] | None = None,
    ) -> StreamCall[ChatEvent]:
        """Send a message and get the answer as it is made (``POST /chat``).

        Args:
            payload: as for :meth:`chat`.
            user_id: as for :meth:`chat`.
            files: as for :meth:`chat`.

        Returns:
            An open stream: iterate over its events, over ``text()``, or take ``result()``. Events with
            ``type == "text"`` are the pieces of the answer, ``done`` is the last.

        Raises:
            ValidationError: the payload or a file does not fit; nothing has been sent.
            MuxiError: the formation refused; raised here, before the first event.
        """
        return StreamCall(
            "POST",
            "/chat",
            body={**_body(payload, files), "stream": True},
            user_id=user_id or None,
            events="chat",
            cancel="/requests/{request_id}",
            **_CHAT,
        )

    @operation
    def audio_chat(
        self,
        payload: AudioChatRequest | Mapping[str, Any] | None = None,
        *,
        user_id: str = "",
        files: Sequence[FileInput] | None = None,
    ) -> Call[ChatResult]:
        """Send voice notes and wait for the whole answer (``POST /audiochat`` with ``stream: false``).

        The runtime honours no idempotency key here and tracks the turn under an id of its own, so that a call
        whose connection dies is not repeated.

        Args:
            payload: the body of the request: ``files``, ``session_id``, ``agent_id``, …; nothing else is needed
                where the files are given beside it.
            user_id: as for :meth:`chat`.
            files: as for :meth:`chat`, each ``audio/…``. Name the media type of bytes without a name:
                ``("note", data, "audio/wav")``.

        Returns:
            As :meth:`chat`; the session is in ``answer["message"]["metadata"]["session_id"]``.

        Raises:
            ValidationError: there is no file, or one is not audio; nothing has been sent.
            TurnFailed: the formation answered that the turn failed.
            MuxiError: any other failure.
        """
        return Call.post(
            "/audiochat", body={**_audio(payload, files), "stream": False}, user_id=user_id or None, **_AUDIO
        )

    @stream
    def audio_chat_stream(
        self,
        payload: AudioChatRequest | Mapping[str, Any] | None = None,
        *,
        user_id: str = "",
        files: Sequence[FileInput] | None = None,
    ) -> StreamCall[ChatEvent]:
        """Send voice notes and get the answer as it is made (``POST /audiochat``).

        Args:
            payload: as for :meth:`audio_chat`.
            user_id: as for :meth:`chat`.
            files: as for :meth:`audio_chat`.

        Returns:
            An open stream, as :meth:`chat_stream`.

        Raises:
            ValidationError: there is no file, or one is not audio; nothing has been sent.
            MuxiError: the formation refused; raised here, before the first event.
        """
        return StreamCall(
            "POST",
            "/audiochat",
            body={**_audio(payload, files), "stream": True},
            user_id=user_id or None,
            events="chat",
            **_AUDIO,
        )

    @procedure
    def ask(
        self,
        message: str,
        *,
        user_id: str = "",
        session_id: str | None = None,
        agent_id: str | None = None,
        files: Sequence[FileInput] | None = None,
    ) -> Procedure[str]:
        """Send a message and return the text of the answer.

        ::

            print(formation.ask("What is a formation?", user_id="ada"))

        Args:
            message: what is said.
            user_id: as for :meth:`chat`.
            session_id: the session that goes on; a new one if None. :meth:`muxi.FormationClient.conversation` keeps it.
            agent_id: the agent that is to answer; the formation chooses one if None.
            files: as for :meth:`chat`.

        Returns:
            The text. What else an answer can have (widgets, artifacts, the session) is in what :meth:`chat` returns.

        Raises:
            ValidationError: an argument does not fit; nothing has been sent. Or the answer is yet to come from the
                background (``ANSWER_PENDING``): ``request_id`` is what :meth:`wait_for_request` takes.
            TurnFailed: the formation answered that the turn failed.
            MuxiError: any other failure.
        """
        payload = {"message": message, "session_id": session_id, "agent_id": agent_id}
        given = {name: value for name, value in payload.items() if value is not None}
        answer = yield from send(ChatOperations.chat.call(given, user_id=user_id, files=files))
        return text_of(answer)


def text_of(answer: ChatResult) -> str:
    """Return the text of an answer.

    Raises:
        ValidationError: ``ANSWER_PENDING``, it is yet to come from the background.
    """
    if turn := pending(answer):
        raise ValidationError(
            "ANSWER_PENDING",
            "the formation goes on with this in the background; wait_for_request() waits for the result",
            details={"text": turn.message, "validation_errors": []},
            request_id=turn.request_id,
        )
    return answer["message"].get("content") or ""


_CHAT: dict[str, Any] = {
    "key": Key.CLIENT,
    "tracked": True,
    "turn": True,
    "accepts": "ChatRequest",
    "returns": "ChatResult",
}
_AUDIO: dict[str, Any] = {"key": Key.CLIENT, "turn": True, "accepts": "AudioChatRequest", "returns": "ChatResult"}


def _body(payload: Mapping[str, Any] | str, files: Sequence[FileInput] | None) -> Mapping[str, Any]:
    if isinstance(payload, str):
        return _with_files({"message": payload}, files)
    if isinstance(payload, Mapping):
        return _with_files(payload, files)
    raise _bad_payload(f"payload takes a message or a mapping with one, got {type(payload).__name__}")


def _audio(payload: Mapping[str, Any] | None, files: Sequence[FileInput] | None) -> Mapping[str, Any]:
    if payload is None or isinstance(payload, Mapping):
        return _with_files(payload or {}, files)
    raise _bad_payload(f"payload takes a mapping, and files= takes audio files, got {type(payload).__name__}")


def _with_files(body: Mapping[str, Any], files: Sequence[FileInput] | None) -> Mapping[str, Any]:
    """Return the body with all files read and encoded."""
    if files is None and not isinstance(body.get("files"), list | tuple):
        return body  # what is no list is refused with all the other wrong fields of the payload
    from muxi.schemas.files import encoded_files

    given = [some for some in (body.get("files"), files) if some is not None]
    return {**body, "files": [file for some in given for file in encoded_files(some)]} if given else body


def _bad_payload(problem: str) -> ValidationError:
    return ValidationError(
        "INVALID_PAYLOAD",
        problem,
        details={"validation_errors": [{"field": "", "msg": "not a text and not a mapping"}]},
    )
