"""The clients of a formation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxi.call import invalid_parameter
from muxi.client.base import AsyncClient, AsyncRawClient, BaseClient, Client, RawClient
from muxi.client.defaults import fill_in
from muxi.client.keywords import takes_fields_of
from muxi.config import CallOptions, FormationConfig, settings_of
from muxi.exchange.identifiers import random_id
from muxi.operations.agents import AgentOperations
from muxi.operations.artifacts import ArtifactOperations
from muxi.operations.audit import AuditOperations
from muxi.operations.chat import ChatOperations
from muxi.operations.configuration import ConfigurationOperations
from muxi.operations.credentials import CredentialOperations
from muxi.operations.events import EventOperations
from muxi.operations.history import HistoryOperations
from muxi.operations.ingestion import IngestionOperations
from muxi.operations.mcp import McpOperations
from muxi.operations.memory import MemoryOperations
from muxi.operations.memory_jobs import MemoryJobOperations
from muxi.operations.parsed import ParsedChatOperations
from muxi.operations.raw import FormationRequestOperations
from muxi.operations.requests import RequestOperations
from muxi.operations.scheduler import SchedulerOperations
from muxi.operations.secrets import SecretOperations
from muxi.operations.sessions import SessionOperations
from muxi.operations.status import StatusOperations
from muxi.operations.triggers import TriggerOperations
from muxi.operations.tuning import TuningOperations
from muxi.operations.users import UserOperations
from muxi.transport.causes import seal
from muxi.widgets import parse_ui_widgets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from muxi.client.arguments import FormationSettings
    from muxi.streaming.streams import AsyncEventStream, EventStream
    from muxi.types import BufferCleared, ChatEvent, FileInput, SessionMessage

__all__ = [
    "AsyncConversation",
    "AsyncFormationClient",
    "Conversation",
    "FormationClient",
    "FormationConfig",
    "parse_ui_widgets",
]


class FormationOperations(
    StatusOperations,
    ChatOperations,
    ParsedChatOperations,
    SessionOperations,
    RequestOperations,
    MemoryOperations,
    IngestionOperations,
    MemoryJobOperations,
    HistoryOperations,
    ArtifactOperations,
    TriggerOperations,
    SchedulerOperations,
    EventOperations,
    UserOperations,
    CredentialOperations,
    AgentOperations,
    McpOperations,
    SecretOperations,
    ConfigurationOperations,
    AuditOperations,
    TuningOperations,
    FormationRequestOperations,
):
    """All operations of a formation."""


def _set_up(client: BaseClient, cfg: FormationConfig | None, settings: FormationSettings) -> None:
    from muxi.plugins.auth import KeyAuth
    from muxi.plugins.builtin import builtin_plugins

    config = fill_in(settings_of(FormationConfig, cfg, settings).resolved())
    cancel = config.cancel_on_close
    options = CallOptions.of(config, cancel_on_close=config.address().proxied if cancel is None else cancel)
    auth = KeyAuth(config.client_key, config.admin_key, asynchronous=client._asynchronous)
    client._set_up(config, builtin_plugins(config, auth), options)


class FormationClient(FormationOperations, Client):
    """Client of one formation.

    ::

        with FormationClient(url="http://localhost:8001", client_key="…") as formation:
            answer = formation.chat("Hello!", user_id="ada")
            print(answer["message"]["content"])

    Args:
        cfg: all settings at once.
        settings: the fields of :class:`muxi.config.FormationConfig`, one by one.

    Raises:
        ConfigurationError: a setting is missing or invalid; the message names argument and variable.
        PluginError: a plugin cannot be registered.
    """

    @takes_fields_of(FormationConfig)
    def __init__(self, cfg: FormationConfig | None = None, **settings: Unpack[FormationSettings]) -> None:
        try:
            _set_up(self, cfg, settings)
        except BaseException as error:
            seal(error)
            raise
        finally:
            del settings  # its keys would be in a frame of the error's traceback

    def conversation(self, *, user_id: str, session_id: str | None = None, agent_id: str | None = None) -> Conversation:
        """Return a conversation: messages of one user in one session.

        ::

            talk = formation.conversation(user_id="ada")
            talk.ask("My name is Ada.")
            print(talk.ask("What is my name?"))

        Args:
            user_id: who is talking.
            session_id: a session that goes on; a new one if None.
            agent_id: the agent that is to answer; the formation chooses one if None.
        """
        return Conversation(self, user_id, session_id, agent_id)

    @property
    def with_raw_response(self) -> RawFormationClient:
        """The same methods, each returning a :class:`muxi.RawResponse`: data, status, headers, attempts, seconds."""
        return self._raw(RawFormationClient)


class AsyncFormationClient(FormationOperations, AsyncClient):
    """Client of one formation, for ``asyncio``; takes what :class:`FormationClient` takes."""

    @takes_fields_of(FormationConfig)
    def __init__(self, cfg: FormationConfig | None = None, **settings: Unpack[FormationSettings]) -> None:
        try:
            _set_up(self, cfg, settings)
        except BaseException as error:
            seal(error)
            raise
        finally:
            del settings  # its keys would be in a frame of the error's traceback

    def conversation(
        self, *, user_id: str, session_id: str | None = None, agent_id: str | None = None
    ) -> AsyncConversation:
        """Return a conversation, as :meth:`FormationClient.conversation`; its methods are awaited."""
        return AsyncConversation(self, user_id, session_id, agent_id)

    @property
    def with_raw_response(self) -> AsyncRawFormationClient:
        """The same methods, each returning a :class:`muxi.RawResponse`."""
        return self._raw(AsyncRawFormationClient)


class RawFormationClient(FormationOperations, RawClient):
    """Type of ``FormationClient.with_raw_response``."""


class AsyncRawFormationClient(FormationOperations, AsyncRawClient):
    """Type of ``AsyncFormationClient.with_raw_response``."""


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
    """Messages of one user in one session; :meth:`FormationClient.conversation` makes it.

    It holds nothing but ids, so that many can share a client, and one can go on with ``session_id`` elsewhere.
    """

    def __init__(
        self, client: FormationClient, user_id: str, session_id: str | None = None, agent_id: str | None = None
    ) -> None:
        super().__init__(user_id, session_id, agent_id)
        self._client = client

    def ask(self, message: str, *, files: Sequence[FileInput] | None = None) -> str:
        """Send a message and return the text of the answer, as :meth:`FormationClient.ask`."""
        return self._client.ask(
            message, user_id=self.user_id, session_id=self.session_id, agent_id=self.agent_id, files=files
        )

    def stream(self, message: str, *, files: Sequence[FileInput] | None = None) -> EventStream[ChatEvent]:
        """Send a message and return its answer as it is made, as :meth:`FormationClient.chat_stream`."""
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
    """As :class:`Conversation`, for async clients; :meth:`AsyncFormationClient.conversation` makes it."""

    def __init__(
        self, client: AsyncFormationClient, user_id: str, session_id: str | None = None, agent_id: str | None = None
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
