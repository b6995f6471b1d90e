"""Conversations: messages of one user in one session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Protocol

from muxi.call import invalid_parameter
from muxi.exchange.identifiers import random_id
from muxi.streaming.streams import AsyncEventStream, EventStream
from muxi.types import BufferCleared, ChatEvent, FileInput, SessionMessage

__all__ = ["AsyncConversation", "Conversation"]


class _Client(Protocol):
    """The methods of a :class:`muxi.FormationClient` that a conversation calls."""

    @property
    def ask(self) -> Callable[..., str]: ...
    @property
    def chat_stream(self) -> Callable[..., EventStream[ChatEvent]]: ...
    @property
    def iter_session_messages(self) -> Callable[..., Iterator[SessionMessage]]: ...
    @property
    def clear_session_buffer(self) -> Callable[..., BufferCleared]: ...


class _AsyncClient(Protocol):
    """The methods of a :class:`muxi.AsyncFormationClient` that a conversation calls."""

    @property
    def ask(self) -> Callable[..., Coroutine[Any, Any, str]]: ...
    @property
    def chat_stream(self) -> Callable[..., AsyncEventStream[ChatEvent]]: ...
    @property
    def iter_session_messages(self) -> Callable[..., AsyncIterator[SessionMessage]]: ...
    @property
    def clear_session_buffer(self) -> Callable[..., Coroutine[Any, Any, BufferCleared]]: ...


class _Talk:
    """User and session of a conversation."""

    def __init__(self, user_id: str, session_id: str | None, agent_id: str | None) -> None:
        for name, value in (("user_id", user_id), ("session_id", session_id), ("agent_id", agent_id)):
            given: object = value
            if (given is not None or name == "user_id") and (not isinstance(given, str) or not given.strip()):
                raise invalid_parameter(name, f"takes a text that is not empty, got {given!r}")
        self.user_id: str = user_id
        #: The session. The platform takes any id that it does not know for a new one.
        self.session_id: str = session_id or random_id("sess_")
        self.agent_id: str | None = agent_id

    def _payload(self, message: str) -> dict[str, Any]:
        payload = {"message": message, "session_id": self.session_id}
        return payload if self.agent_id is None else {**payload, "agent_id": self.agent_id}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.user_id!r} in session {self.session_id!r}>"


class Conversation(_Talk):
    """Messages of one user in one session; :meth:`~muxi.FormationClient.conversation` makes it.

    It holds nothing but ids, so that many can share a client, and one can go on with ``session_id`` elsewhere.
    """

    def __init__(
        self, client: _Client, user_id: str, session_id: str | None = None, agent_id: str | None = None
    ) -> None:
        super().__init__(user_id, session_id, agent_id)
        self._client = client

    def ask(self, message: str, *, files: Sequence[FileInput] | None = None) -> str:
        """Send a message and return the text of the answer, as :meth:`muxi.FormationClient.ask`."""
        return self._client.ask(
            message, user_id=self.user_id, session_id=self.session_id, agent_id=self.agent_id, files=files
        )

    def stream(self, message: str, *, files: Sequence[FileInput] | None = None) -> EventStream[ChatEvent]:
        """Send a message and return its answer as it is made, as :meth:`muxi.FormationClient.chat_stream`."""
        return self._client.chat_stream(self._payload(message), user_id=self.user_id, files=files)

    def messages(self) -> list[SessionMessage]:
        """Return what has been said, the oldest first.

        Raises:
            ListTruncated: there are more than the thousand that the wire can list.
        """
        return list(self._client.iter_session_messages(self.session_id, self.user_id))

    def clear(self) -> BufferCleared:
        """Have the formation forget what was said in this session; memories stay."""
        return self._client.clear_session_buffer(self.user_id, self.session_id)


class AsyncConversation(_Talk):
    """As :class:`Conversation`, for async clients; ``AsyncFormationClient.conversation()`` makes it."""

    def __init__(
        self, client: _AsyncClient, user_id: str, session_id: str | None = None, agent_id: str | None = None
    ) -> None:
        super().__init__(user_id, session_id, agent_id)
        self._client = client

    async def ask(self, message: str, *, files: Sequence[FileInput] | None = None) -> str:
        """As :meth:`Conversation.ask`."""
        return await self._client.ask(
            message, user_id=self.user_id, session_id=self.session_id, agent_id=self.agent_id, files=files
        )

    def stream(self, message: str, *, files: Sequence[FileInput] | None = None) -> AsyncEventStream[ChatEvent]:
        """As :meth:`Conversation.stream`."""
        return self._client.chat_stream(self._payload(message), user_id=self.user_id, files=files)

    async def messages(self) -> list[SessionMessage]:
        """As :meth:`Conversation.messages`."""
        return [message async for message in self._client.iter_session_messages(self.session_id, self.user_id)]

    async def clear(self) -> BufferCleared:
        """As :meth:`Conversation.clear`."""
        return await self._client.clear_session_buffer(self.user_id, self.session_id)
