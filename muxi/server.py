"""The clients of a server: configuration, operations and a driver, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from muxi.client.base import AsyncClient, AsyncRawClient, BaseClient, Client, RawClient, options_of
from muxi.config import ServerConfig, settings_of
from muxi.formation import AsyncFormationClient, FormationClient
from muxi.operations.deployments import DeploymentsOperations
from muxi.operations.drafts import DraftsOperations
from muxi.operations.formations import FormationsOperations
from muxi.operations.server import ServerStatusOperations

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from muxi.client.arguments import FormationSettings, ProxiedSettings, ServerSettings

__all__ = ["AsyncServerClient", "ServerClient", "ServerConfig"]


class ServerOperations(ServerStatusOperations, FormationsOperations, DeploymentsOperations, DraftsOperations):
    """Everything a server can be asked."""


def _set_up(client: BaseClient, cfg: ServerConfig | None, settings: ServerSettings) -> None:
    from muxi.plugins.builtin import builtin_plugins
    from muxi.plugins.signature import SignatureAuth

    config = settings_of(ServerConfig, cfg, settings).resolved()
    auth = SignatureAuth(config.key_id, config.secret_key, asynchronous=client._asynchronous)
    client._set_up(config, builtin_plugins(config, auth), options_of(config))


#: What a formation's client has from the server's where it is given nothing else.
_SHARED = ("debug", "logger", "plugins", "disable_plugins", "clock")
_SHARED_OPTIONS = ("timeout", "connect_timeout", "max_retries", "deadline", "idle_timeout", "stall_timeout")


def _proxied(client: BaseClient, formation_id: str, settings: ProxiedSettings) -> FormationSettings:
    """The settings of a formation's client that shares the connections of a server's."""
    core, options = client._core, client._options
    shared: dict[str, Any] = {name: getattr(core.config, name) for name in _SHARED}
    shared.update((name, getattr(options, name)) for name in _SHARED_OPTIONS)
    shared["headers"] = dict(options.headers)
    # A transport that is given is not the client's own, and so outlives it.
    shared.update(transport=core.transport, server_url=core.address.base_url, formation_id=formation_id)
    return cast("FormationSettings", {**shared, **settings})


class ServerClient(ServerOperations, Client):
    """Manages the formations of a server.

    ::

        with ServerClient(url="http://localhost:7890", key_id="muxi_pk_…", secret_key="muxi_sk_…") as server:
            server.deploy_formation("my-bot/")
            with server.formation("my-bot", client_key="…") as bot:
                print(bot.chat("Hello!", user_id="ada")["message"]["content"])

    Args:
        cfg: all settings at once.
        settings: the fields of :class:`muxi.config.ServerConfig`, one by one.

    Raises:
        ConfigurationError: a setting is missing or has no sense; the message names argument and variable.
        PluginError: a plugin cannot be registered.
    """

    def __init__(self, cfg: ServerConfig | None = None, **settings: Unpack[ServerSettings]) -> None:
        _set_up(self, cfg, settings)

    def formation(self, formation_id: str, **settings: Unpack[ProxiedSettings]) -> FormationClient:
        """A client of one of the server's formations, reached through the server's proxy.

        It shares the connections of this client, and closing it leaves them open. What is not given is as for this
        client (time limits, retries, headers, plugins, logging); keys are read from the environment. It has retry
        budget and hooks of its own.

        Args:
            formation_id: its id.
            settings: ``client_key``, ``admin_key``, ``mode="draft"`` for its draft, and what both kinds of client
                take; see :class:`muxi.config.FormationConfig`.

        Raises:
            ConfigurationError: a setting has no sense, or this client is closed.
        """
        return FormationClient(**_proxied(self, formation_id, settings))

    @property
    def with_raw_response(self) -> RawServerClient:
        """The same methods, each returning a :class:`muxi.RawResponse`: data, status, headers, attempts, seconds."""
        return self._raw(RawServerClient)


class AsyncServerClient(ServerOperations, AsyncClient):
    """Manages the formations of a server, for ``asyncio``; takes what :class:`ServerClient` takes."""

    def __init__(self, cfg: ServerConfig | None = None, **settings: Unpack[ServerSettings]) -> None:
        _set_up(self, cfg, settings)

    def formation(self, formation_id: str, **settings: Unpack[ProxiedSettings]) -> AsyncFormationClient:
        """As :meth:`ServerClient.formation`."""
        return AsyncFormationClient(**_proxied(self, formation_id, settings))

    @property
    def with_raw_response(self) -> AsyncRawServerClient:
        """The same methods, each returning a :class:`muxi.RawResponse`."""
        return self._raw(AsyncRawServerClient)


class RawServerClient(ServerOperations, RawClient):
    """What ``ServerClient.with_raw_response`` gives."""


class AsyncRawServerClient(ServerOperations, AsyncRawClient):
    """What ``AsyncServerClient.with_raw_response`` gives."""
