"""The clients of a test: of each kind, sync and async, over the transport of the test."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from muxi.formation import AsyncFormationClient, FormationClient
from muxi.plugins import Retry
from muxi.server import AsyncServerClient, ServerClient

if TYPE_CHECKING:
    from muxi.client.arguments import ClientSettings

__all__ = ["NAME", "PLACEHOLDERS", "URL", "Clients"]

#: The name under which clients find the transport of the test.
NAME = "pytest"
#: An address without a server; the name is reserved (RFC 6761).
URL = "https://muxi.test"
#: Valid settings for a client that reaches no server.
PLACEHOLDERS = {
    "MUXI_FORMATION_URL": URL,
    "MUXI_SERVER_URL": URL,
    "MUXI_FORMATION_ID": "my-assistant",
    "MUXI_CLIENT_KEY": "fmc_test",
    "MUXI_ADMIN_KEY": "fma_test",
    "MUXI_KEY_ID": "muxi_pk_test",
    "MUXI_SECRET_KEY": "muxi_sk_test",
}


class Clients:
    """Makes clients, which have their settings from the environment of the test.

    Args:
        seed: makes the waits of their retries repeatable.
    """

    def __init__(self, seed: str = "0") -> None:
        self._seed = seed

    def formation(self) -> FormationClient:
        """A client of the formation."""
        return FormationClient(**self._settings())

    def async_formation(self) -> AsyncFormationClient:
        """An async client of the formation."""
        return AsyncFormationClient(**self._settings())

    def server(self) -> ServerClient:
        """A client of the server."""
        return ServerClient(**self._settings())

    def async_server(self) -> AsyncServerClient:
        """An async client of the server."""
        return AsyncServerClient(**self._settings())

    def _settings(self) -> ClientSettings:
        retry = Retry(random_source=random.Random(self._seed))  # noqa: S311  jitter, not a secret
        return {"transport": NAME, "plugins": [retry]}
