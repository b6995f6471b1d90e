"""The clients of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from muxi.client.base import AsyncClient, AsyncRawClient, BaseClient, Client, RawClient
from muxi.client.defaults import fill_in
from muxi.client.keywords import ADDRESSING, takes_fields_of
from muxi.config import CallOptions, ClientConfig, FormationConfig, Options, ServerConfig, settings_of
from muxi.formation import AsyncFormationClient, FormationClient
from muxi.operations.deployments import DeploymentsOperations
from muxi.operations.drafts import DraftsOperations
from muxi.operations.formations import FormationsOperations
from muxi.operations.raw import ServerRequestOperations
from muxi.operations.server import ServerStatusOperations
from muxi.records import fields
from muxi.transport.causes import seal

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from muxi.client.arguments import FormationSettings, ProfileSettings, ProxiedSettings, ServerSettings

__all__ = ["AsyncServerClient", "ServerClient", "ServerConfig"]


class ServerOperations(
    ServerStatusOperations, FormationsOperations, DeploymentsOperations, DraftsOperations, ServerRequestOperations
):
    """All operations of a server."""


def _set_up(client: BaseClient, cfg: ServerConfig | None, settings: ServerSettings) -> None:
    from muxi.plugins.builtin import builtin_plugins
    from muxi.plugins.signature import SignatureAuth

    config = fill_in(settings_of(ServerConfig, cfg, settings).resolved())
    auth = SignatureAuth(
        config.key_id,
        config.secret_key,
        asynchronous=client._asynchronous,
        unsigned_prefix=config.unsigned_prefix,
    )
    client._set_up(config, builtin_plugins(config, auth), CallOptions.of(config))


#: Fields that a formation's client copies from the server's client where they are not given. A transport that is
#: given is not the client's own, and so outlives it.
_SHARED = tuple(item.name for item in fields(ClientConfig) if item.name != "transport")
_SHARED_OPTIONS = frozenset(item.name for item in fields(Options))


def _proxied_settings(client: BaseClient, formation_id: str, settings: ProxiedSettings) -> FormationSettings:
    """Return the settings of a formation's client that shares the connections of a server's client."""
    core, options = client._core, client._options
    shared = {name: getattr(options if name in _SHARED_OPTIONS else core.config, name) for name in _SHARED}
    shared.update(transport=core.transport, server_url=core.address.base_url, formation_id=formation_id)
    return cast("FormationSettings", {**shared, **settings})


def with_profile(profile: str | None, settings: ProfileSettings) -> ServerSettings:
    """Return the settings of a client with the address and key pair of a profile; keys that are given win."""
    from muxi.profiles import GivenSettings, choose

    found = choose(GivenSettings(profile, for_formation=False)).server()
    return cast("ServerSettings", {**found, **settings})


SyncServer = TypeVar("SyncServer", bound="ServerClient")
AsyncServer = TypeVar("AsyncServer", bound="AsyncServerClient")


class ServerClient(ServerOperations, Client):
    """Client that manages the formations of a server.

    ::

        with ServerClient(url="http://localhost:7890", key_id="muxi_pk_…", secret_key="muxi_sk_…") as server:
            server.deploy_formation("my-bot/")
            with server.formation("my-bot", client_key="…") as bot:
                print(bot.chat("Hello!", user_id="ada")["message"]["content"])

    Args:
        cfg: all settings at once.
        settings: the fields of :class:`muxi.config.ServerConfig`, one by one.

    Raises:
        ConfigurationError: a setting is missing or invalid; the message names argument and variable.
        PluginError: a plugin cannot be registered.
    """

    @takes_fields_of(ServerConfig)
    def __init__(self, cfg: ServerConfig | None = None, **settings: Unpack[ServerSettings]) -> None:
        try:
            _set_up(self, cfg, settings)
        except BaseException as error:
            seal(error)
            raise
        finally:
            del settings  # its keys would be in a frame of the error's traceback

    @classmethod
    @takes_fields_of(ServerConfig, without=("url",))
    def from_profile(
        cls: type[SyncServer], profile: str | None = None, **settings: Unpack[ProfileSettings]
    ) -> SyncServer:
        """Return a client of a server that the platform's command knows, with its key pair (``~/.muxi/cli``).

        Args:
            profile: its name; by default ``MUXI_PROFILE``, that of the folder's ``.muxi``, or the default profile.
            settings: other fields of :class:`muxi.config.ServerConfig`; keys that are given win.

        Raises:
            ConfigurationError: there is no such profile.
        """
        try:
            return cls(**with_profile(profile, settings))
        except BaseException as error:
            seal(error)
            raise
        finally:
            del settings  # as above

    @takes_fields_of(FormationConfig, without=ADDRESSING)
    def formation(self, formation_id: str, **settings: Unpack[ProxiedSettings]) -> FormationClient:
        """Return a client of one of the server's formations, reached through the server's proxy.

        It shares the connections of this client, and closing it leaves them open. What is not given is as for this
        client (time limits, retries, headers, plugins, logging); keys are read from the environment. It has retry
        budget and hooks of its own.

        Args:
            formation_id: its id.
            settings: ``client_key``, ``admin_key``, ``mode="draft"`` for its draft, and what both kinds of client
                take; see :class:`muxi.config.FormationConfig`.

        Raises:
            ConfigurationError: a setting is invalid, or this client is closed.
        """
        return FormationClient(**_proxied_settings(self, formation_id, settings))

    @property
    def with_raw_response(self) -> RawServerClient:
        """The same methods, each returning a :class:`muxi.RawResponse`: data, status, headers, attempts, seconds."""
        return self._raw(RawServerClient)


class AsyncServerClient(ServerOperations, AsyncClient):
    """Client that manages the formations of a server, for ``asyncio``; takes what :class:`ServerClient` takes."""

    @takes_fields_of(ServerConfig)
    def __init__(self, cfg: ServerConfig | None = None, **settings: Unpack[ServerSettings]) -> None:
        try:
            _set_up(self, cfg, settings)
        except BaseException as error:
            seal(error)
            raise
        finally:
            del settings  # its keys would be in a frame of the error's traceback

    @classmethod
    @takes_fields_of(ServerConfig, without=("url",))
    def from_profile(
        cls: type[AsyncServer], profile: str | None = None, **settings: Unpack[ProfileSettings]
    ) -> AsyncServer:
        """As :meth:`ServerClient.from_profile`."""
        try:
            return cls(**with_profile(profile, settings))
        except BaseException as error:
            seal(error)
            raise
        finally:
            del settings  # as above

    @takes_fields_of(FormationConfig, without=ADDRESSING)
    def formation(self, formation_id: str, **settings: Unpack[ProxiedSettings]) -> AsyncFormationClient:
        """As :meth:`ServerClient.formation`."""
        return AsyncFormationClient(**_proxied_settings(self, formation_id, settings))

    @property
    def with_raw_response(self) -> AsyncRawServerClient:
        """The same methods, each returning a :class:`muxi.RawResponse`."""
        return self._raw(AsyncRawServerClient)


class RawServerClient(ServerOperations, RawClient):
    """Type of ``ServerClient.with_raw_response``."""


class AsyncRawServerClient(ServerOperations, AsyncRawClient):
    """Type of ``AsyncServerClient.with_raw_response``."""
