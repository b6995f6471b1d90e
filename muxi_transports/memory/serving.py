"""Serving an embedded world over real HTTP with real chunked streams, on a loopback port unless told otherwise."""

from __future__ import annotations

import errno
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
        port: the port it is served on; 0 on a Unix socket.
        host: the address it is served on.
        uds: the path of the Unix socket it is served on instead.
    """

    world: World
    port: int
    host: str = "127.0.0.1"
    uds: str | None = None

    @property
    def url(self) -> str:
        """Where it is: ``http://127.0.0.1:…``. What listens on every address is here by its loopback one."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  told apart, not bound
        host = f"[{host}]" if ":" in host else host
        return "http://localhost" if self.uds else f"http://{host}:{self.port}"


@contextmanager
def serve(
    world: World | None = None, port: int = 0, *, host: str = "127.0.0.1", uds: str | None = None
) -> Iterator[Served]:
    """Serve a world, in a thread of its own, while the ``with`` block lasts::

        with serve(EmbeddedFormation()) as served:
            requests.get(served.url + "/v1/health")

    The port is open when the block begins. When it ends, streams that are still open are ended.

    Args:
        world: the world; a new :class:`~muxi_transports.memory.Sandbox` by default.
        port: the port; 0 takes one that is free.
        host: the address. Any but a loopback address lets other machines in.
        uds: the path of a Unix socket to serve on instead; one that nobody serves any more is replaced.

    Raises:
        ConfigurationError: uvicorn is not installed.
        OSError: the port is taken, or there is no such address.
    """
    try:
        from muxi_transports.memory.listener import Listener
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        raise ConfigurationError("serving over HTTP needs uvicorn: pip install 'muxi-client[cli]'") from error
    world = world or Sandbox()
    listening = _bound(host, port) if uds is None else _bound_to_path(uds)
    try:
        bound = 0 if uds is not None else int(listening.getsockname()[1])
        listener = Listener(world, listening)
        listener.start()
    except BaseException:
        listening.close()
        raise
    try:
        yield Served(world, bound, host, uds)
    finally:
        listener.stop()
        if uds is not None:
            Path(uds).unlink(missing_ok=True)


def _bound(host: str, port: int) -> socket.socket:
    family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, number)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except BaseException:
        listening.close()
        raise
    return listening


def _bound_to_path(path: str) -> socket.socket:
    """A Unix socket; where one is left that nobody listens to, it is replaced."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, "this system has no Unix sockets")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if Path(path).is_socket() and not _answers(path):
            Path(path).unlink()
        listening.bind(path)
    except BaseException:
        listening.close()
        raise
    return listening


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as calling:
        return calling.connect_ex(path) == 0
