"""The clients of a server: configuration, operations and a driver, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxi.client import AsyncClient, AsyncRawClient, BaseClient, Client, RawClient, options_of, settings_of
from muxi.config import ServerConfig
from muxi.operations.formations import FormationsOperations

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from muxi.settings import ServerSettings

__all__ = ["AsyncServerClient", "ServerClient", "ServerConfig"]


class ServerOperations(FormationsOperations):
    """Everything a server can be asked."""


def _set_up(client: BaseClient, cfg: ServerConfig | None, settings: ServerSettings) -> None:
    from muxi.plugins.builtin import builtin_plugins
    from muxi.plugins.signature import SignatureAuth

    config = settings_of(ServerConfig, cfg, settings).resolved()
    auth = SignatureAuth(config.key_id, config.secret_key)
    client._set_up(config, builtin_plugins(config, auth), options_of(config))


class ServerClient(ServerOperations, Client):
    """Manages the formations of a server.

    Args:
        cfg: all settings at once.
        settings: the fields of :class:`muxi.config.ServerConfig`, one by one.

    Raises:
        ConfigurationError: a setting is missing or has no sense; the message names argument and variable.
        PluginError: a plugin cannot be registered.
    """

    def __init__(self, cfg: ServerConfig | None = None, **settings: Unpack[ServerSettings]) -> None:
        _set_up(self, cfg, settings)

    @property
    def with_raw_response(self) -> RawServerClient:
        """The same methods, each returning a :class:`muxi.RawResponse`: data, status, headers, attempts, seconds."""
        return self._raw(RawServerClient)


class AsyncServerClient(ServerOperations, AsyncClient):
    """Manages the formations of a server, for ``asyncio``; takes what :class:`ServerClient` takes."""

    def __init__(self, cfg: ServerConfig | None = None, **settings: Unpack[ServerSettings]) -> None:
        _set_up(self, cfg, settings)

    @property
    def with_raw_response(self) -> AsyncRawServerClient:
        """The same methods, each returning a :class:`muxi.RawResponse`."""
        return self._raw(AsyncRawServerClient)


class RawServerClient(ServerOperations, RawClient):
    """What ``ServerClient.with_raw_response`` gives."""


class AsyncRawServerClient(ServerOperations, AsyncRawClient):
    """What ``AsyncServerClient.with_raw_response`` gives."""
