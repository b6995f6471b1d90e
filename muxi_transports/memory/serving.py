"""Serving an embedded world on a loopback port, over real HTTP with real chunked streams."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from muxi.errors import ConfigurationError
from muxi_transports.memory.sandbox import Sandbox
from muxi_transports.memory.world import World

__all__ = ["Served", "serve"]


@dataclass(frozen=True)
class Served:
    """A world that is being served.

    Args:
        world: the world.
        port: the port it is served on; 0 where it is a socket.
        path: the Unix socket that it is served on instead.
    """

    world: World
    port: int
    path: str | None = None

    @property
    def url(self) -> str:
        """Where it is: ``http://127.0.0.1:…``, or ``unix:///…``."""
        if self.path is not None:
            return f"unix://{self.path}"
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(world: World | None = None, port: int = 0, *, path: str | os.PathLike[str] | None = None) -> Iterator[Served]:
    """Serve a world on 127.0.0.1, or on a Unix socket, in a thread of its own, while the ``with`` block lasts::

        with serve(EmbeddedFormation()) as served:
            requests.get(served.url + "/v1/health")

    The port is open when the block begins. When it ends, streams that are still open are ended.

    Args:
        world: the world; a new :class:`~muxi_transports.memory.Sandbox` by default.
        port: the port; 0 takes one that is free.
        path: where to make a Unix socket instead; it is removed in the end.

    Raises:
        ConfigurationError: uvicorn is not installed, or this system has no Unix sockets.
        OSError: the port or the path is taken.
    """
    try:
        from muxi_transports.memory.listener import Listener
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        raise ConfigurationError("serving over HTTP needs uvicorn: pip install 'muxi-client[cli]'") from error
    world = world or Sandbox()
    at = None if path is None else str(Path(path).absolute())
    listening = _bound(port) if at is None else _bound_socket(at)
    try:
        listener = Listener(world, listening)
        listener.start()
    except BaseException:
        listening.close()
        raise
    try:
        yield Served(world, int(listening.getsockname()[1]) if at is None else 0, at)
    finally:
        listener.stop()
        if at is not None:
            Path(at).unlink(missing_ok=True)


def _bound(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
    except BaseException:
        listening.close()
        raise
    return listening


def _bound_socket(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigurationError("this system has no Unix sockets for Python; serve on a port")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(path)
    except BaseException:
        listening.close()
        raise
    return listening
