"""An ASGI application in this process as a transport: FastAPI, Starlette, the MUXI runtime."""

from __future__ import annotations

from muxi_transports.asgi.sync import SyncAsgiTransport
from muxi_transports.asgi.transport import AsgiTransport

__all__ = ["AsgiTransport", "SyncAsgiTransport"]
