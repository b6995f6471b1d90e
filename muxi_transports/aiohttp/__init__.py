"""The async transport over aiohttp."""

from muxi_transports.aiohttp.transport import AiohttpTransport

__all__ = ["AiohttpTransport"]
