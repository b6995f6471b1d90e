"""Talking to the agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muxi.call import Call, Key, StreamCall
from muxi.endpoints import operation, stream
from muxi.errors import ValidationError
from muxi.types import ChatEvent, ChatRequest, ChatResult

__all__ = ["ChatOperations"]


class ChatOperations:
    """Methods that send a message and get the agents' answer."""

    @operation
    def chat(self, payload: ChatRequest | Mapping[str, Any] | str, *, user_id: str = "") -> Call[ChatResult]:
        """Send a message and wait for the whole answer (``POST /chat`` with ``stream: false``).

        The turn gets a ``request_id`` of its own, unless the payload has one: ``muxi.meta(answer).request_id``
        finds it, and ``get_request_status`` and ``cancel_request`` take it. A repetition after a lost
        connection joins the turn that is still running (idempotency key).

        Args:
            payload: the message, or the body of the request: ``message``, ``session_id``, ``agent_id``, ….
            user_id: who is talking; the formation's user ``0`` if empty. Any text, also outside ASCII.

        Returns:
            ``answer["message"]["content"]`` is the text; ``session_id`` continues the conversation.

        Raises:
            ValidationError: the payload does not fit; nothing has been sent.
            TurnFailed: the formation answered that the turn failed.
            MuxiError: any other failure.
        """
        return Call.post("/chat", body={**_body(payload), "stream": False}, user_id=user_id or None, **_CHAT)

    @stream
    def chat_stream(
        self, payload: ChatRequest | Mapping[str, Any] | str, *, user_id: str = ""
    ) -> StreamCall[ChatEvent]:
        """Send a message and get the answer as it is made (``POST /chat``).

        Args:
            payload: as for :meth:`chat`.
            user_id: as for :meth:`chat`.

        Returns:
            An open stream: iterate over its events, over ``text()``, or take ``result()``. Events with
            ``type == "text"`` are the pieces of the answer, ``done`` is the last.

        Raises:
            ValidationError: the payload does not fit; nothing has been sent.
            MuxiError: the formation refused; raised here, before the first event.
        """
        return StreamCall(
            "POST",
            "/chat",
            body={**_body(payload), "stream": True},
            user_id=user_id or None,
            events="chat",
            cancel="/requests/{request_id}",
            **_CHAT,
        )


_CHAT: dict[str, Any] = {
    "key": Key.CLIENT,
    "tracked": True,
    "turn": True,
    "accepts": "ChatRequest",
    "returns": "ChatResult",
}


def _body(payload: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if isinstance(payload, str):
        return {"message": payload}
    if isinstance(payload, Mapping):
        return payload
    raise ValidationError(
        "INVALID_PAYLOAD",
        f"a chat takes a message or a mapping with one, got {type(payload).__name__}",
        details={"validation_errors": [{"field": "", "msg": "not a text and not a mapping"}]},
    )
