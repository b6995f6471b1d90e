"""Serving an embedded world on a loopback port, over real HTTP with real chunked streams."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from muxi.errors import ConfigurationError
from muxi_transports.memory.sandbox import Sandbox
from muxi_transports.memory.world import World

__all__ = ["Served", "serve"]


@dataclass(frozen=True)
class Served:
    """A world that is being served.

    Args:
        world: the world.
        port: the port it is served on.
    """

    world: World
    port: int

    @property
    def url(self) -> str:
        """Where it is: ``http://127.0.0.1:…``."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(world: World | None = None, port: int = 0) -> Iterator[Served]:
    """Serve a world on 127.0.0.1, in a thread of its own, while the ``with`` block lasts::

        with serve(EmbeddedFormation()) as served:
            requests.get(served.url + "/v1/health")

    The port is open when the block begins. When it ends, streams that are still open are ended.

    Args:
        world: the world; a new :class:`~muxi_transports.memory.Sandbox` by default.
        port: the port; 0 takes one that is free.

    Raises:
        ConfigurationError: uvicorn is not installed.
        OSError: the port is taken.
    """
    try:
        from muxi_transports.memory.listener import Listener
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        raise ConfigurationError("serving over HTTP needs uvicorn: pip install 'muxi-client[cli]'") from error
    world = world or Sandbox()
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        bound = int(listening.getsockname()[1])
        listener = Listener(world, listening)
        listener.start()
    except BaseException:
        listening.close()
        raise
    try:
        yield Served(world, bound)
    finally:
        listener.stop()
