"""The configuration of a formation, read-only, with the admin key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muxi.call import Call, Key
from muxi.client.endpoints import operation

if TYPE_CHECKING:
    from muxi.types import (
        AsyncConfig,
        ConfigSummary,
        FormationInfo,
        LlmSettings,
        LoggingConfig,
        LoggingDestinations,
        OverlordConfig,
        OverlordSoul,
    )

__all__ = ["ConfigurationOperations"]


class ConfigurationOperations:
    """Methods that show the formation file as it was loaded."""

    @operation
    def get_config(self) -> Call[ConfigSummary]:
        """List the parts of the configuration and their routes (``GET /config``, admin key)."""
        return Call.get("/config", key=Key.ADMIN, returns="ConfigSummary")

    @operation
    def get_formation_info(self) -> Call[FormationInfo]:
        """Read the whole formation file (``GET /formation``, admin key).

        Placeholders of secrets are given back as they are; a connection string that was written in clear
        stays in clear.
        """
        return Call.get("/formation", key=Key.ADMIN, returns="FormationInfo")

    @operation
    def get_overlord_config(self) -> Call[OverlordConfig]:
        """Get the overlord's settings (``GET /overlord``, admin key)."""
        return Call.get("/overlord", key=Key.ADMIN, returns="OverlordConfig")

    @operation
    def get_overlord_soul(self) -> Call[OverlordSoul]:
        """Read the text that gives the overlord its character (``GET /overlord/soul``, admin key)."""
        return Call.get("/overlord/soul", key=Key.ADMIN, returns="OverlordSoul")

    @operation
    def get_llm_settings(self) -> Call[LlmSettings]:
        """Get the models and their settings (``GET /llm/settings``, admin key)."""
        return Call.get("/llm/settings", key=Key.ADMIN, returns="LlmSettings")

    @operation
    def get_async_config(self) -> Call[AsyncConfig]:
        """Get the settings of background work and its webhook (``GET /async``, admin key)."""
        return Call.get("/async", key=Key.ADMIN, returns="AsyncConfig")

    @operation
    def get_a2a_config(self) -> Call[dict[str, Any]]:
        """Get the settings for agents of other formations (``GET /a2a``, admin key); empty without any."""
        return Call.get("/a2a", key=Key.ADMIN)

    @operation
    def get_logging_config(self) -> Call[LoggingConfig]:
        """Get the log settings (``GET /logging``, admin key)."""
        return Call.get("/logging", key=Key.ADMIN, returns="LoggingConfig")

    @operation
    def get_logging_destinations(self) -> Call[LoggingDestinations]:
        """List the destinations of the formation's logs (``GET /logging/destinations``, admin key)."""
        return Call.get("/logging/destinations", key=Key.ADMIN, returns="LoggingDestinations")
