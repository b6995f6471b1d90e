"""The constructors' keyword arguments as types, for editors and type checkers; never loaded at run time.

Written by ``make arguments`` from :mod:`muxi.config`; do not edit it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from muxi.clock import Clock
from muxi.config import Secret, TransportChoice

__all__ = [
    "ClientSettings",
    "FormationSettings",
    "OptionChanges",
    "ProfileSettings",
    "ProxiedSettings",
    "ServerSettings",
]


class OptionChanges(TypedDict, total=False):
    """Keyword arguments of ``with_options()``."""

    max_retries: int
    timeout: float
    connect_timeout: float
    deadline: float | None
    idle_timeout: float | Literal["default"] | None
    stall_timeout: float | Literal["default"] | None
    headers: Mapping[str, str]
    validate_responses: Literal["warn", "strict", "off"]
    idempotency_key: str | None
    cancel_on_close: bool


class ClientSettings(TypedDict, total=False):
    """Keyword arguments that the constructors of all clients take."""

    max_retries: int
    timeout: float
    connect_timeout: float
    deadline: float | None
    idle_timeout: float | Literal["default"] | None
    stall_timeout: float | Literal["default"] | None
    headers: Mapping[str, str]
    validate_responses: Literal["warn", "strict", "off"]
    debug: bool
    logger: logging.Logger | None
    transport: TransportChoice | None
    plugins: Sequence[object]
    disable_plugins: Sequence[str]
    clock: Clock | None


class ProxiedSettings(ClientSettings, total=False):
    """Keyword arguments of ``ServerClient.formation()``."""

    admin_key: Secret | None
    client_key: Secret | None
    mode: Literal["live", "draft"]
    cancel_on_close: bool | None


class FormationSettings(ProxiedSettings, total=False):
    """Keyword arguments of ``FormationClient``."""

    formation_id: str | None
    url: str | None
    server_url: str | None
    base_url: str | None


class ProfileSettings(ClientSettings, total=False):
    """Keyword arguments of ``ServerClient.from_profile()``."""

    key_id: str | None
    secret_key: Secret | None
    unsigned_prefix: str


class ServerSettings(ProfileSettings, total=False):
    """Keyword arguments of ``ServerClient``."""

    url: str | None
