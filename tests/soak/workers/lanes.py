"""The ways in which calls are driven: each transport of this SDK, and the official SDK for comparison."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["LANES", "OFFICIAL", "lanes", "transport_of"]

#: Lanes of this SDK, by the name in the table.
LANES = ("requests", "requests, full lane", "urllib3", "aiohttp")
OFFICIAL = "official SDK"


def lanes() -> list[str]:
    """The lanes that this version of the SDK has."""
    from muxi_transports.requests import RequestsTransport

    has_two = "direct" in inspect.signature(RequestsTransport.__init__).parameters
    return [lane for lane in LANES if has_two or lane != "requests, full lane"]


def transport_of(lane: str) -> Callable[[], object]:
    """The function that makes the lane's transport; clients close what they have made with it."""
    options: dict[str, Any] = {"trust_env": False}
    if lane == "aiohttp":
        from muxi_transports.aiohttp import AiohttpTransport

        return lambda: AiohttpTransport(**options)
    if lane == "urllib3":
        from muxi_transports.urllib3 import Urllib3Transport

        return lambda: Urllib3Transport(**options)
    from muxi_transports.requests import RequestsTransport

    if lane == "requests, full lane":
        options["direct"] = False
    return lambda: RequestsTransport(**options)
