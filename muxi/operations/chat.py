"""Chats with the agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from muxi.answers import Loads, pending
from muxi.call import Call, Key, Procedure, invalid_parameter, send
from muxi.client.endpoints import operation, procedure, stream
from muxi.errors import ValidationError
from muxi.schemas.files import encoded_files
from muxi.streaming.call import StreamCall
from muxi.types import AudioChatRequest, ChatEvent, ChatRequest, ChatResult, FileInput

__all__ = ["ChatOperations"]

T = TypeVar("T")


class ChatOperations:
    """Methods that send a message and get the agents' answer."""

    @operation
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
    def chat_parsed(
        self,
        payload: ChatRequest | Mapping[str, Any] | str,
        schema: Loads[T] | type[Loads[T]],
        *,
        user_id: str = "",
        files: Sequence[FileInput] | None = None,
    ) -> Procedure[T]:
        """Send a message whose answer is JSON, and load it with a schema.

        ::

            class RecipeSchema(marshmallow.Schema):
                name = fields.String(required=True)
                steps = fields.List(fields.String(), required=True)

            recipe = formation.chat_parsed("A recipe as JSON with name and steps.", RecipeSchema, user_id="ada")

        The message itself has to ask for JSON; the runtime knows nothing of schemas.

        Args:
            payload: as for :meth:`chat`.
            schema: a marshmallow schema or its class. Type checkers take the result's type from its ``load``.
            user_id: as for :meth:`chat`.
            files: as for :meth:`chat`.

        Returns:
            The object that ``schema.load`` returned.

        Raises:
            ValidationError: the answer is not JSON (``ANSWER_NOT_JSON``), does not fit (``ANSWER_INVALID``), or is
                yet to come from the background (``ANSWER_PENDING``); ``details["text"]`` has its text and
                ``details["validation_errors"]`` the wrong fields. Or the payload does not fit.
            TurnFailed: the formation answered that the turn failed.
            MuxiError: any other failure.
        """
        # Before the turn, which takes its time and its tokens.
        if not callable(getattr(schema, "load", None)):
            got = schema.__name__ if isinstance(schema, type) else type(schema).__name__
            raise invalid_parameter("schema", f"takes a marshmallow schema, or something else with a load(), got {got}")
        try:
            loads = schema() if isinstance(schema, type) else schema
        except TypeError as error:
            raise invalid_parameter("schema", f"cannot be made without arguments, give an instance: {error}") from None
        answer = yield from send(ChatOperations.chat.call(payload, user_id=user_id, files=files))
        if turn := pending(answer):
            raise ValidationError(
                "ANSWER_PENDING",
                "the formation goes on with this in the background; wait_for_request() waits for the result",
                details={"text": turn.message, "validation_errors": []},
                request_id=turn.request_id,
            )
        # Here, because it loads marshmallow.
        from muxi.schemas.answer import load_answer

        return load_answer(answer["message"].get("content") or "", loads, answer.get("request_id"))


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
    given = [some for some in (body.get("files"), files) if some is not None]
    return {**body, "files": [file for some in given for file in encoded_files(some)]} if given else body


def _bad_payload(problem: str) -> ValidationError:
    return ValidationError(
        "INVALID_PAYLOAD",
        problem,
        details={"validation_errors": [{"field": "", "msg": "not a text and not a mapping"}]},
    )
