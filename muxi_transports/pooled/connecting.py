"""TCP connections under one bound: all addresses of a host are tried side by side (RFC 8305)."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, NamedTuple

from muxi_transports.http.attempt import Attempt
from muxi_transports.http.lookup import Address, look_up
from muxi_transports.pooled.wire import SocketWaiter, release

__all__ = ["Target", "open_connection", "open_unix"]

#: Seconds that an address has for itself before the next one is tried beside it (RFC 8305, section 5).
HEAD_START = 0.25

_IN_PROGRESS = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)})


class Target(NamedTuple):
    """The peer of a connection, and the options of its socket."""

    host: str
    port: int
    source_address: tuple[str, int] | None = None
    socket_options: Sequence[tuple[Any, ...]] = ()
    #: Of its addresses; any by default.
    family: int = 0


def open_connection(target: Target, seconds: float | None, attempt: Attempt | None = None) -> socket.socket:
    """A connected socket.

    Args:
        target: where to.
        seconds: the longest time for the lookup of the name and all addresses together; None is as long as the system
            tries.
        attempt: whose end from another thread ends the lookup and the wait.

    Raises:
        builtins.TimeoutError: no address accepted in that time.
        OSError: the name cannot be resolved, no address accepted (the error is that of the last one), or the attempt
            was ended.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    found = look_up(target.host.strip("[]"), target.port, deadline, attempt, family=target.family)
    sock = _Race(_interleave_families(found), target, deadline).run(attempt)
    try:
        sock.settimeout(_time_left(deadline))
    except TimeoutError:
        sock.close()
        raise
    return sock


def open_unix(path: str, seconds: float | None) -> socket.socket:
    """A socket that is connected to a Unix socket.

    Raises:
        OSError: nothing accepts there; a ``TimeoutError`` where it took too long.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def _time_left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _interleave_families(found: Sequence[Address]) -> Iterator[Address]:
    """Addresses of the two families in turn, beginning with the family that the system prefers (RFC 8305, 4)."""
    first = [address for address in found if address[0] == found[0][0]]
    others = [address for address in found if address[0] != found[0][0]]
    for pair in zip_longest(first, others):
        yield from (address for address in pair if address is not None)


def _new_socket(address: Address, target: Target) -> socket.socket:
    family, kind, protocol, _, _ = address
    sock = socket.socket(family, kind, protocol)
    try:
        for option in target.socket_options:
            sock.setsockopt(*option)
        if target.source_address is not None:
            sock.bind(target.source_address)
    except BaseException:
        sock.close()
        raise
    return sock


@contextmanager
def _watched(selector: selectors.BaseSelector, attempt: Attempt | None) -> Iterator[None]:
    """Have a selector report when another thread ends an attempt, as a socket that can be read."""
    if attempt is None:
        yield
        return
    ours, theirs = socket.socketpair()
    with ours:
        attempt.waiter = waiter = SocketWaiter(theirs)
        try:
            if attempt.ended_by is not None:
                waiter.set()
            selector.register(ours, selectors.EVENT_READ)
            yield
        finally:
            release(attempt)


class _Race:
    """Attempts to connect to several addresses at once; the first that succeeds wins.

    Args:
        addresses: in the order of their starts.
        target: what the sockets are set to.
        deadline: on ``time.monotonic()``, or None.
    """

    def __init__(self, addresses: Iterator[Address], target: Target, deadline: float | None) -> None:
        self._addresses = addresses
        self._target = target
        self._deadline = deadline
        self._more = True
        self._error: OSError | None = None
        self._running: set[socket.socket] = set()

    def run(self, attempt: Attempt | None = None) -> socket.socket:
        """The socket that connected first; the others are closed.

        Args:
            attempt: whose end from another thread ends the wait.
        """
        try:
            winner = self._start_next()
            if winner is not None:  # at once, as on loopback
                return winner
            with selectors.DefaultSelector() as selector, _watched(selector, attempt):
                winner = self._run(selector)
            return winner
        finally:
            for sock in self._running:
                sock.close()

    def _run(self, selector: selectors.BaseSelector) -> socket.socket:
        for sock in self._running:
            selector.register(sock, selectors.EVENT_WRITE)
        while True:
            next_start = time.monotonic() + HEAD_START
            failed = False
            # A failure starts the next address at once; when there is none, the running ones are waited for.
            while self._running and not (self._more and (failed or time.monotonic() >= next_start)):
                winner, failed = self._wait(selector, next_start if self._more else None)
                if winner is not None:
                    self._running.discard(winner)
                    return winner
            if not self._more and not self._running:
                raise self._error or OSError("the name has no addresses")
            winner = self._start_next(selector)
            if winner is not None:
                return winner

    def _start_next(self, selector: selectors.BaseSelector | None = None) -> socket.socket | None:
        """Begin to connect to the next address; return its socket where that is done at once."""
        address = next(self._addresses, None)
        if address is None:
            self._more = False
            return None
        try:
            sock = _new_socket(address, self._target)
        except OSError as error:  # a family that this machine does not have
            self._error = error
            return None
        self._running.add(sock)
        sock.setblocking(False)
        code = sock.connect_ex(address[4])
        if not code:
            self._running.discard(sock)
            return sock
        if code not in _IN_PROGRESS:
            self._drop(sock, code)
        elif selector is not None:
            selector.register(sock, selectors.EVENT_WRITE)
        return None

    def _wait(self, selector: selectors.BaseSelector, until: float | None) -> tuple[socket.socket | None, bool]:
        """Wait for one of the sockets; return the one that is connected, and whether one has failed."""
        left = _time_left(self._deadline)
        if until is not None:
            start = max(0.0, until - time.monotonic())
            left = start if left is None else min(left, start)
        failed = False
        for key, _ in selector.select(left):
            if key.events == selectors.EVENT_READ:
                raise OSError("the transport was closed")
            sock = key.fileobj
            assert isinstance(sock, socket.socket)  # noqa: S101  told to the type checker; only these are registered
            selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code:
                return sock, False
            self._drop(sock, code)
            failed = True
        return None, failed

    def _drop(self, sock: socket.socket, code: int) -> None:
        self._error = OSError(code, os.strerror(code))
        self._running.discard(sock)
        sock.close()
