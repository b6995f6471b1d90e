"""The status of a formation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from muxi.call import Call, Key
from muxi.client.endpoints import operation

if TYPE_CHECKING:
    from muxi.types import Health, RuntimeStatus

__all__ = ["StatusOperations"]


class StatusOperations:
    """Methods about the formation as a whole."""

    @operation
    def health(self) -> Call[Health]:
        """Get the health of the formation. Takes no key (``GET /health``).

        Returns:
            Its ``status`` (``healthy``), ``version`` and ``uptime_seconds``.

        Raises:
            MuxiError: there is no answer, or a bad one.
        """
        return Call.get("/health", key=Key.NONE, returns="Health")

    @operation
    def get_status(self) -> Call[RuntimeStatus]:
        """Get the formation's identity, parts and resource use (``GET /status``, admin key).

        Returns:
            Its identity, counts of agents and MCP servers, and ``stats``; with today's runtime
            ``stats["requests"]["total"]`` stays 0.
        """
        return Call.get("/status", key=Key.ADMIN, returns="RuntimeStatus")
