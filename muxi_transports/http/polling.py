"""Waiting for sockets."""

from __future__ import annotations

import select
import socket

__all__ = ["wait_for"]


def wait_for(sock: socket.socket | int, seconds: float | None, *, write: bool) -> bool:
    """Wait until something can be read from a socket, or also until something can be written to it.

    Args:
        sock: the socket, or its descriptor.
        seconds: the longest wait; None is without bound.
        write: whether being able to write counts too.

    Returns:
        Whether one of the two is so; False after that many seconds.
    """
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN | select.POLLOUT if write else select.POLLIN)
        return bool(poll.poll(None if seconds is None else max(0, seconds) * 1000))
    found = select.select([sock], [sock] if write else [], [], seconds)
    return bool(found[0] or found[1])
