"""The constructors' keyword arguments as types, for editors and type checkers; never loaded at run time.

Each mirrors a dataclass of :mod:`muxi.config`; a test holds them together.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypedDict

from muxi.clock import Clock
from muxi.config import Secret
from muxi.transport import AsyncTransport, Transport

__all__ = ["ClientSettings", "FormationSettings", "ProxiedSettings", "ServerSettings"]


class ClientSettings(TypedDict, total=False):
    """What both kinds of client take."""

    max_retries: int
    timeout: float
    debug: bool
    logger: logging.Logger | None
    transport: str | Transport | AsyncTransport | Callable[[], Transport] | Callable[[], AsyncTransport] | None
    plugins: Sequence[object]
    disable_plugins: Sequence[str]
    headers: Mapping[str, str]
    connect_timeout: float
    deadline: float | None
    idle_timeout: float | None
    stall_timeout: float | None
    validate_responses: Literal["warn", "strict", "off"]
    clock: Clock | None


class ProxiedSettings(ClientSettings, total=False):
    """What a client of a formation behind a server takes: all but where it is."""

    admin_key: Secret | None
    client_key: Secret | None
    mode: Literal["live", "draft"]
    cancel_on_close: bool | None


class FormationSettings(ProxiedSettings, total=False):
    """What a formation client takes."""

    formation_id: str | None
    url: str | None
    server_url: str | None
    base_url: str | None


class ServerSettings(ClientSettings, total=False):
    """What a server client takes."""

    url: str | None
    key_id: str | None
    secret_key: Secret | None
