"""A WSGI application in this process as a transport: Flask, Django, or any callable of PEP 3333."""

from __future__ import annotations

from muxi_transports.wsgi.transport import WsgiTransport

__all__ = ["WsgiTransport"]
