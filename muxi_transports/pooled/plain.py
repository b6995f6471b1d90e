"""Connections of the direct lane that need neither TLS nor a proxy: plain sockets, without urllib3."""

from __future__ import annotations

import queue
import socket
import sys
import weakref
from types import ModuleType
from typing import Any

from muxi_transports.http.attempt import Attempt
from muxi_transports.http.settings import HttpSettings, Way
from muxi_transports.pooled.connecting import Target, open_connection, open_unix
from muxi_transports.pooled.idle import DirectConnection, DirectPool, IdleStack
from muxi_transports.pooled.tools import is_genuine

__all__ = ["PlainPool", "connect", "is_plain"]


def is_plain(way: Way) -> bool:
    """Return whether a way is http without a proxy, over TCP or a Unix socket."""
    return way.proxy is None and way.origin.scheme == "http"


class PlainPool(DirectPool):
    """The connections to one origin over http, without a proxy.

    Args:
        way: to the origin.
        settings: the options of the transport.
    """

    def __init__(self, way: Way, settings: HttpSettings) -> None:
        origin = way.origin
        self._socket = origin.socket
        self._target = Target(
            origin.host.strip("[]"), origin.port, settings.source_address, tuple(settings.socket_options)
        )
        self.block: bool = settings.pool_block
        self.keep_alive: float | None = settings.keep_alive
        idle = IdleStack(settings.pool_size)
        self.pool: Any = idle
        for _ in range(settings.pool_size if self.block else 0):
            idle.put(None)
        # A pool that is dropped closes its connections; sockets would warn that they were left open.
        weakref.finalize(self, _close_all, idle)

    def close(self) -> None:
        """Close the idle connections, and end all waits for one."""
        idle, self.pool = self.pool, None
        if idle is not None:
            _close_all(idle)
            idle.wake_waiters()

    def _make(self) -> DirectConnection:
        return DirectConnection()

    def _connect(self, connection: DirectConnection, attempt: Attempt, *, is_tunnelled: bool) -> None:
        seconds = attempt.time_to_connect
        if self._socket is not None:
            connection.sock = open_unix(self._socket, seconds)
        else:
            connection.sock = connect(self._target, seconds, attempt)


def _close_all(idle: IdleStack) -> None:
    try:
        while True:
            connection: DirectConnection | None = idle.get(block=False)
            if connection is not None:
                connection.close()
    except queue.Empty:
        pass


def connect(target: Target, seconds: float | None, attempt: Attempt | None = None) -> socket.socket:
    """A connected socket; made by urllib3 where a program has replaced its function for that.

    Args:
        target: where to.
        seconds: the longest time for the lookup and all addresses of the host together.
        attempt: what the connection is for.

    Raises:
        builtins.TimeoutError: no address accepted in that time.
        OSError: the name cannot be resolved, or no address accepted.
    """
    library = _urllib3_connecting()
    if library is None:
        return open_connection(target, seconds, attempt)
    if is_genuine(socket.socket, "socket") and is_genuine(library.create_connection, library.__name__):
        return open_connection(target._replace(family=library.allowed_gai_family()), seconds, attempt)
    # A mock in the place of sockets knows the functions that urllib3 calls, and programs replace this one.
    made: socket.socket = library.create_connection(
        (target.host, target.port), seconds, target.source_address, target.socket_options
    )
    return made


def _urllib3_connecting() -> ModuleType | None:
    """urllib3's module for connecting; None as long as no one has imported it, so that nothing in it is replaced."""
    found = sys.modules.get("urllib3.util.connection")
    return found if hasattr(found, "create_connection") and hasattr(found, "allowed_gai_family") else None
