"""The clients of a formation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from muxi.client.base import AsyncClient, AsyncRawClient, BaseClient, Client, RawClient
from muxi.client.defaults import fill_in
from muxi.client.keywords import ADDRESSING, takes_fields_of
from muxi.config import CallOptions, FormationConfig, settings_of
from muxi.lazy import LazyModule, names_of
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

if TYPE_CHECKING:
    from typing_extensions import Unpack

    import muxi.conversation as conversations
    from muxi.client.arguments import FormationSettings, ProxiedSettings
    from muxi.widgets import parse_ui_widgets
else:
    conversations = LazyModule("muxi.conversation")
    __getattr__, __dir__ = names_of(__name__, {"muxi.widgets": ("parse_ui_widgets",)})

__all__ = [
    "AsyncFormationClient",
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


def with_profile(profile: str | None, formation_id: str | None, settings: ProxiedSettings) -> FormationSettings:
    """Return the settings of a client with the address and keys of a profile; keys that are given win."""
    from muxi.profiles import GivenSettings, choose

    found = choose(GivenSettings(profile, formation_id)).formation()
    return cast("FormationSettings", {**found, **settings})


SyncFormation = TypeVar("SyncFormation", bound="FormationClient")
AsyncFormation = TypeVar("AsyncFormation", bound="AsyncFormationClient")


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

    def conversation(
        self, *, user_id: str, session_id: str | None = None, agent_id: str | None = None
    ) -> conversations.Conversation:
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
        return conversations.Conversation(cast(Any, self), user_id, session_id, agent_id)

    @classmethod
    @takes_fields_of(FormationConfig, without=ADDRESSING)
    def from_profile(
        cls: type[SyncFormation],
        profile: str | None = None,
        *,
        formation_id: str | None = None,
        **settings: Unpack[ProxiedSettings],
    ) -> SyncFormation:
        """Return a client of a formation with the address and keys that the platform's command keeps (``~/.muxi/cli``).

        Args:
            profile: name of the server's profile; by default ``MUXI_PROFILE``, that of the folder's ``.muxi``, that of
                the saved formation, or the default profile.
            formation_id: the formation; by default ``MUXI_FORMATION_ID``, that of the folder, or the only saved one.
            settings: other fields of :class:`muxi.config.FormationConfig`; keys that are given win.

        Raises:
            ConfigurationError: there is no such profile, or no formation is chosen.
        """
        try:
            return cls(**with_profile(profile, formation_id, settings))
        except BaseException as error:
            seal(error)
            raise
        finally:
            del settings  # as above

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
    ) -> conversations.AsyncConversation:
        """Return a conversation, as :meth:`FormationClient.conversation`; its methods are awaited."""
        return conversations.AsyncConversation(cast(Any, self), user_id, session_id, agent_id)

    @classmethod
    @takes_fields_of(FormationConfig, without=ADDRESSING)
    def from_profile(
        cls: type[AsyncFormation],
        profile: str | None = None,
        *,
        formation_id: str | None = None,
        **settings: Unpack[ProxiedSettings],
    ) -> AsyncFormation:
        """As :meth:`FormationClient.from_profile`."""
        try:
            return cls(**with_profile(profile, formation_id, settings))
        except BaseException as error:
            seal(error)
            raise
        finally:
            del settings  # as above

    @property
    def with_raw_response(self) -> AsyncRawFormationClient:
        """The same methods, each returning a :class:`muxi.RawResponse`."""
        return self._raw(AsyncRawFormationClient)


class RawFormationClient(FormationOperations, RawClient):
    """Type of ``FormationClient.with_raw_response``."""


class AsyncRawFormationClient(FormationOperations, AsyncRawClient):
    """Type of ``AsyncFormationClient.with_raw_response``."""
