"""Sockets as the direct lane uses them: every wait is bounded by the attempt, and any thread can end one."""

from __future__ import annotations

import builtins
import select
import socket
from contextlib import suppress
from typing import Protocol

from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import PIECE

__all__ = ["Once", "Wire", "bound", "has_arrived", "receive", "shut_down", "wait_for"]

# A timeout that is set already may be longer than the bound by this, in seconds: setting it anew is a system call.
_SLACK = 0.005


class Once:
    """A permission that is given once. No lock is involved, so that finalizers and signal handlers may ask for it."""

    __slots__ = ("_tokens",)

    def __init__(self) -> None:
        self._tokens = [None]

    def take(self) -> bool:
        """Whether this is the first call."""
        try:
            self._tokens.pop()
        except IndexError:
            return False
        return True

    @property
    def is_taken(self) -> bool:
        return not self._tokens


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


def wait_for(sock: socket.socket, seconds: float | None, *, write: bool) -> bool:
    """Wait until something can be read from a socket, or also until something can be written to it.

    Returns:
        Whether one of the two is so; False after that many seconds.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN | select.POLLOUT if write else select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0, seconds) * 1000))
    found = select.select([sock], [sock] if write else [], [], seconds)
    return bool(found[0] or found[1])


def has_arrived(wire: object) -> bool:
    """Whether something can be read: data, decrypted data, or the end of the connection."""
    pending = getattr(wire, "pending", None)
    if pending is not None and pending():
        return True
    return isinstance(wire, socket.socket) and wait_for(wire, 0, write=False)


def shut_down(wire: object) -> None:
    """End all waits on a socket at once, in other threads too."""
    inner = wire if hasattr(wire, "shutdown") else getattr(wire, "socket", None)
    if isinstance(inner, socket.socket):
        with suppress(OSError, builtins.ValueError):
            # Of TLS this is the socket's own shutdown: a goodbye could block.
            socket.socket.shutdown(inner, socket.SHUT_RDWR)
