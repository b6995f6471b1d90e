"""Unix sockets as addresses: ``http+unix://%2Frun%2Fmuxi.sock/path``, with the socket where a host stands."""

from __future__ import annotations

import socket
from urllib.parse import unquote, urljoin, urlsplit

from muxi.errors import ConfigurationError

__all__ = ["SCHEME", "rebased", "socket_in"]

#: The scheme of such a URL, as other HTTP clients for Python spell it.
SCHEME = "http+unix"

# What a server behind a socket takes itself to be: the Host header that it is sent.
_HOST = "http://localhost"


def socket_in(netloc: str) -> str:
    """The path of the socket that stands where a URL has its host.

    Raises:
        ConfigurationError: it is empty, or this system has no Unix sockets.
    """
    path = unquote(netloc)
    if not path or "\0" in path:
        raise ConfigurationError(
            "an http+unix URL has the path of a socket for its host: http+unix://%2Frun%2Fmuxi.sock"
        )
    if not hasattr(socket, "AF_UNIX"):
        raise ConfigurationError(
            f"this system has no Unix sockets for Python, so {path} cannot be connected to; give an http:// address"
        )
    return path


def rebased(location: str, base: str, target: str) -> str:
    """Return the target of a redirect from a server behind a socket.

    The server knows itself as ``http://localhost``; what is below that is below the socket.

    Args:
        location: the value of its ``Location`` header.
        base: the beginning of the URL that was asked for, up to its path.
        target: the rest of that URL.
    """
    absolute = urljoin(_HOST + target, location)
    parts = urlsplit(absolute)
    if parts.scheme == "http" and parts.netloc.lower() in ("localhost", "localhost:80"):
        return base + absolute[len("http://") + len(parts.netloc) :]
    return absolute
