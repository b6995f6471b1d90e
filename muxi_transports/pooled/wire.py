"""Sockets as the direct lane uses them: every wait is bounded by the attempt, and any thread can end one."""

from __future__ import annotations

import builtins
import socket
import threading
from contextlib import suppress
from typing import Protocol

from muxi_transports.http.attempt import Attempt
from muxi_transports.http.polling import wait_for
from muxi_transports.http.wire import PIECE

__all__ = ["SocketWaiter", "Wire", "bound", "has_arrived", "interrupt", "receive", "release", "shut_down", "watch"]

# A timeout that is set already may be longer than the bound by this, in seconds: setting it anew is a system call.
_SLACK = 0.005


class Wire(Protocol):
    """The part of a socket that is used here; TLS inside TLS has no more."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes | memoryview, /) -> None: ...
    def gettimeout(self) -> float | None: ...
    def settimeout(self, value: float | None, /) -> None: ...


def bound(wire: Wire, attempt: Attempt) -> None:
    """Set the timeout of a socket to the longest wait that the attempt allows now.

    Raises:
        builtins.TimeoutError: no time is left.
    """
    wait, now = attempt.next_wait(), wire.gettimeout()
    if wait is None or now is None:
        if wait is not now:
            wire.settimeout(wait)
    elif not wait <= now <= wait + _SLACK:
        wire.settimeout(wait)


def receive(wire: Wire, attempt: Attempt) -> bytes:
    """The next bytes of a connection; nothing at its end. Every read of the direct lane is this one.

    Raises:
        builtins.TimeoutError: none came in time.
        OSError: the connection broke.
    """
    bound(wire, attempt)
    return wire.recv(PIECE)


def has_arrived(wire: object) -> bool:
    """Return whether something can be read: data, decrypted data, or the end of the connection."""
    pending = getattr(wire, "pending", None)
    if pending is not None and pending():
        return True
    return isinstance(wire, socket.socket) and wait_for(wire, 0, write=False)


class SocketWaiter:
    """A wait that ends when a socket is shut down, from any thread and only as long as it is open.

    Args:
        sock: closed with this.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    def set(self) -> None:
        """Shut the socket down."""
        with self._lock:
            shut_down(self._sock)

    def close(self) -> None:
        """Close the socket."""
        with self._lock:
            self._sock.close()


def watch(sock: socket.socket, attempt: Attempt) -> None:
    """Let other threads end what is read from a socket until :func:`release`.

    A second descriptor is used: TLS takes the first one out of the object that the connection has, and may close it.
    """
    attempt.waiter = SocketWaiter(socket.fromfd(sock.fileno(), sock.family, sock.type))
    if attempt.ended_by is not None:
        attempt.waiter.set()


def release(attempt: Attempt) -> None:
    """Close the descriptor of :func:`watch`, if there is one."""
    waiter, attempt.waiter = attempt.waiter, None
    if isinstance(waiter, SocketWaiter):
        waiter.close()


def interrupt(attempt: Attempt) -> None:
    """End what an attempt waits for while it has no connection."""
    waiter = attempt.waiter
    if waiter is not None:
        waiter.set()


def shut_down(wire: object) -> None:
    """End all waits on a socket at once, in other threads too."""
    inner = wire if hasattr(wire, "shutdown") else getattr(wire, "socket", None)
    if isinstance(inner, socket.socket):
        with suppress(OSError, builtins.ValueError):
            # Of TLS this is the socket's own shutdown: a goodbye could block.
            socket.socket.shutdown(inner, socket.SHUT_RDWR)
