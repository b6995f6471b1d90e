"""What is compared: this SDK over each transport and lane, the official SDK, and the bare libraries below them.

It runs in the environment of either SDK, so this file imports nothing at its head but the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from contender import CHAT, Contender
from libraries import Aiohttp, HttpClient, Httpx, Requests, Urllib3

__all__ = ["CONTENDERS", "Contender"]


class Sdk(Contender):
    """Either SDK: they have the same names."""

    def __init__(self, base: str, verify: str | None = None) -> None:
        super().__init__(base, verify)
        from muxi import FormationClient

        settings: dict[str, Any] = {"base_url": base, "client_key": "fmc_benchmark", **self.options()}
        self.client: Any = FormationClient(**settings)

    def options(self) -> dict[str, Any]:
        """What is given to the client beside address and key."""
        return {}

    def memories(self) -> object:
        return self.client.get_memories("ada")

    def chat(self) -> object:
        return self.client.chat(CHAT, user_id="ada")

    def large(self) -> object:
        return self.client.get_memories("large")

    def stream(self, message: str) -> Iterator[Any]:
        for event in self.client.chat_stream({"message": message}, user_id="ada"):
            event.get("type")
            yield event

    def upload(self, bundle: Path) -> object:
        return self._server.deploy_formation(bundle)

    def download(self, target: Path) -> object:
        return self._server.download_formation("large", target)

    @cached_property
    def _server(self) -> Any:
        from muxi import ServerClient

        address = self.base.removesuffix("/v1")
        return ServerClient(url=address, key_id="k", secret_key="s", **self.options())  # noqa: S106

    def close(self) -> None:
        if hasattr(self.client, "close"):
            self.client.close()


class Ours(Sdk):
    """This SDK with its default transport, on the direct lane."""

    direct = True

    def options(self) -> dict[str, Any]:
        # The default is chosen as programs choose it: by leaving it out.
        plain = type(self) is Ours and self.verify is None
        return {} if plain else {"transport": self.made()}

    def text_of(self, event: Any) -> str:
        return str(event["text"])

    def made(self) -> Any:
        """The transport."""
        from muxi_transports.requests import RequestsTransport

        given: dict[str, Any] = {"direct": self.direct}
        if self.verify:
            given["verify"] = self.verify
        return RequestsTransport(**given)


class OursFull(Ours):
    """The default transport on the full lane: a session of requests."""

    direct = False


class OursUrllib3(Ours):
    """The transport ``urllib3`` on its direct lane."""

    def made(self) -> Any:
        from muxi_transports.urllib3 import Urllib3Transport

        given: dict[str, Any] = {"direct": self.direct}
        if self.verify:
            given["verify"] = self.verify
        return Urllib3Transport(**given)


class OursUrllib3Full(OursUrllib3):
    """The transport ``urllib3`` on its full lane."""

    direct = False


class Official(Sdk):
    """The official SDK. A program decodes its raw frames to get at the text."""

    def stream(self, message: str) -> Iterator[Any]:
        for event in self.client.chat_stream({"message": message}, user_id="ada"):
            payload = json.loads(event["data"])
            payload.get("token")
            yield payload


#: Names as the tables show them; ``official`` runs in the environment of the official SDK.
CONTENDERS: dict[str, Callable[..., Contender]] = {
    "ours": Ours,
    "ours, full lane": OursFull,
    "ours, urllib3": OursUrllib3,
    "ours, urllib3, full lane": OursUrllib3Full,
    "official": Official,
    "http.client": HttpClient,
    "urllib3": Urllib3,
    "requests": Requests,
    "httpx": Httpx,
    "aiohttp": Aiohttp,
}
