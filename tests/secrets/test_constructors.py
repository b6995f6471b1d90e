"""A constructor that refuses its arguments leaves none of them in the frames of its error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from muxi import ConfigurationError
from muxi.plugins import BearerAuth
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.memory import EmbeddedServer
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.secrets.marks import leaks, surfaces_of

KEY = "LEAKMARK-constructor"

KINDS = (RequestsTransport, Urllib3Transport, AiohttpTransport)
SIZES = {"type": "many", "value": -1}


def behind_proxy(kind: Callable[..., object], size: object, password: str) -> object:
    """A transport whose proxy has a password."""
    return kind(proxies={"all": f"http://user:{password}@proxy.example"}, pool_size=size)


#: Refused by the check of types, and by the constructor itself.
REFUSED: dict[str, Callable[[Any], object]] = {
    "a plugin, by type": lambda key: BearerAuth(key, header=5),  # type: ignore[arg-type]  # wrong on purpose
    "a plugin, by value": lambda key: BearerAuth(token=key, header=""),
    "a server, by type": lambda key: EmbeddedServer(key_id=key, secret_key=5),  # type: ignore[arg-type]  # wrong on purpose
    "a server, by value": lambda key: EmbeddedServer(key_id="", secret_key=key),
    **{
        f"{kind.__name__}, by {way}": partial(behind_proxy, kind, size) for kind in KINDS for way, size in SIZES.items()
    },
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_constructor_that_refuses_keeps_no_key_in_its_frames(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        REFUSED[name](KEY)
    assert leaks(KEY, surfaces_of(caught.value)) == []
