"""A world served over real HTTP, for transports, other languages and the curious."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from muxi.errors import ConfigurationError, MissingExtraError
from muxi.transport.arguments import check_arguments
from muxi_transports.memory.sandbox import Sandbox
from muxi_transports.memory.world import World

__all__ = ["Served", "serve"]


@dataclass(frozen=True)
class Served:
    """A world that is being served.

    Args:
        world: the world.
        port: the port it is served on; 0 where it is a socket.
        host: the address it is served on.
        path: the Unix socket that it is served on instead.
    """

    world: World
    port: int
    host: str = "127.0.0.1"
    path: str | None = None

    @property
    def url(self) -> str:
        """The address: ``http://127.0.0.1:…``, or ``unix:///…``. For a server on every address it is the loopback's."""
        if self.path is not None:
            return f"unix://{self.path}"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  compared, not bound
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}"


@check_arguments()
@contextmanager
def serve(
    world: World | None = None,
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    path: str | os.PathLike[str] | None = None,
) -> Iterator[Served]:
    """Serve a world in a thread of its own, while the ``with`` block lasts::

        with serve(EmbeddedFormation()) as served:
            requests.get(served.url + "/v1/health")

    The port is open when the block begins. When it ends, streams that are still open are ended.

    Args:
        world: the world; a new :class:`~muxi_transports.memory.Sandbox` by default.
        port: the port; 0 takes one that is free.
        host: the address. Any but a loopback address lets other machines in.
        path: the path of a Unix socket to serve on instead; a stale one is replaced, and it is removed in
            the end.

    Raises:
        ConfigurationError: uvicorn is not installed, or this system has no Unix sockets.
        OSError: the port or the path is taken, or there is no such address.
    """
    try:
        from muxi_transports.memory.listener import Listener
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        raise MissingExtraError("serving over HTTP needs uvicorn: pip install 'muxi-client[cli]'") from error
    world = world or Sandbox()
    at = None if path is None else str(Path(path).absolute())
    listening = _bound(host, port) if at is None else _bound_to_path(at)
    try:
        bound = int(listening.getsockname()[1]) if at is None else 0
        listener = Listener(world, listening)
        listener.start()
    except BaseException:
        listening.close()
        raise
    try:
        yield Served(world, bound, host, at)
    finally:
        listener.stop()
        if at is not None:
            Path(at).unlink(missing_ok=True)


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
    """Bind a Unix socket, and replace a stale one."""
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigurationError("this system has no Unix sockets for Python; serve on a port")
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
