"""How a formation is."""

from __future__ import annotations

from muxi.call import Call, Key
from muxi.endpoints import operation
from muxi.types import Health

__all__ = ["StatusOperations"]


class StatusOperations:
    """Methods about the formation as a whole."""

    @operation
    def health(self) -> Call[Health]:
        """Ask whether the formation is up. Takes no key (``GET /health``).

        Returns:
            Its ``status`` (``healthy``), ``version`` and ``uptime_seconds``.

        Raises:
            MuxiError: there is no answer, or a bad one.
        """
        return Call.get("/health", key=Key.NONE, returns="Health")
