"""The headers that identify the SDK to the platform."""

from __future__ import annotations

import platform

from muxi.errors import ConfigurationError
from muxi.hookspecs import hookimpl
from muxi.transport import Headers, Request
from muxi.version import __version__

__all__ = ["SdkHeaders"]


class SdkHeaders:
    """``muxi.sdk_headers``: ``X-Muxi-SDK``, ``X-Muxi-Client`` and ``User-Agent``, unless the caller has.

    Args:
        app: name of the program, sent as ``X-Muxi-App`` and in front of the ``User-Agent``, such as ``shop/2.1``.

    Raises:
        ConfigurationError: ``app`` is not a text.
        ValidationError: ``app`` contains a line break.
    """

    name = "muxi.sdk_headers"

    def __init__(self, app: str | None = None) -> None:
        machine = f"{platform.system().lower()}-{platform.machine().lower()}/py{platform.python_version()}"
        agent = f"muxi-client/{__version__}"
        found = Headers({"X-Muxi-SDK": f"python/{__version__}", "X-Muxi-Client": machine, "User-Agent": agent})
        given: object = app
        if given is not None and not isinstance(given, str):
            raise ConfigurationError(f"app= takes the name of the program as a text, got {type(given).__name__}")
        if app:
            found["X-Muxi-App"] = app
            found["User-Agent"] = f"{app} {agent}"
        self._headers = tuple(found.items())

    @hookimpl
    def muxi_prepare_request(self, request: Request) -> None:
        for name, value in self._headers:
            request.headers.setdefault(name, value)
