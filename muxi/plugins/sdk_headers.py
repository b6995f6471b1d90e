"""Who is calling: the headers by which the platform tells SDKs apart."""

from __future__ import annotations

import platform

from muxi.hookspecs import hookimpl
from muxi.transport import Request
from muxi.version import __version__

__all__ = ["SdkHeaders"]


class SdkHeaders:
    """``muxi.sdk_headers``: ``X-Muxi-SDK``, ``X-Muxi-Client`` and ``User-Agent``."""

    name = "muxi.sdk_headers"

    def __init__(self) -> None:
        machine = f"{platform.system().lower()}-{platform.machine().lower()}/py{platform.python_version()}"
        self._headers = {
            "X-Muxi-SDK": f"python/{__version__}",
            "X-Muxi-Client": machine,
            "User-Agent": f"muxi-client/{__version__}",
        }

    @hookimpl
    def muxi_prepare_request(self, request: Request) -> None:
        for name, value in self._headers.items():
            request.headers.setdefault(name, value)
