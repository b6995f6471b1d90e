"""Lookups of host names, bounded in time though the system's resolver is not."""

from __future__ import annotations

import contextvars
import os
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from muxi_transports.http.attempt import Attempt, NameLookupTimeout

__all__ = ["Address", "Lookup", "Question", "Resolver", "Waiter", "find_resolver", "is_address", "look_up"]

#: What ``socket.getaddrinfo()`` returns for an address.
Address = tuple[Any, Any, int, str, Any]


class Question(NamedTuple):
    """The arguments of ``socket.getaddrinfo()``."""

    host: str
    port: int
    family: int
    flags: int

    def ask(self) -> Sequence[Address]:
        # By its name in the module: tools replace it there.
        if self.flags:
            return socket.getaddrinfo(self.host, self.port, self.family, socket.SOCK_STREAM, 0, self.flags)
        return socket.getaddrinfo(self.host, self.port, self.family, socket.SOCK_STREAM)


class Waiter(Protocol):
    """An event of a thread or of a loop, which the end of a lookup sets."""

    def set(self) -> None: ...


class Lookup:
    """A lookup that runs in a thread of its own.

    Args:
        question: what is looked up.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        #: Set when the lookup ends, or by whoever ends a wait for it.
        self.waiters: list[Waiter] = []
        self.has_ended = False
        self.found: Sequence[Address] = ()
        self.error: BaseException | None = None

    def result(self) -> Sequence[Address]:
        """The addresses that a lookup has found.

        Raises:
            OSError: it has failed.
        """
        if self.error is not None:
            raise self.error
        return self.found


class Resolver:
    """The lookups of a process. One runs for a name at a time, and all that want the name wait for it."""

    def __init__(self) -> None:
        self.pid: int = os.getpid()
        self._lock = threading.Lock()
        self._running: dict[Question, Lookup] = {}

    def begin(self, question: Question, waiter: Waiter) -> Lookup:
        """A running lookup, or a new one.

        Raises:
            RuntimeError: no thread can be started, because the program ends.
        """
        with self._lock:
            lookup = self._running.get(question)
            if lookup is not None:
                lookup.waiters.append(waiter)
                return lookup
            lookup = self._running[question] = Lookup(question)
            lookup.waiters.append(waiter)
        # In the context of the caller, which tools keep their state in.
        context = contextvars.copy_context()
        try:
            threading.Thread(target=context.run, args=(self._run, lookup), name="muxi-lookup", daemon=True).start()
        except BaseException as error:
            lookup.error = error.with_traceback(None)
            self._end(lookup)
            raise
        return lookup

    def leave(self, lookup: Lookup, waiter: Waiter) -> None:
        """Stop waiting for a lookup."""
        with self._lock:
            if waiter in lookup.waiters:
                lookup.waiters.remove(waiter)

    def _run(self, lookup: Lookup) -> None:
        try:
            lookup.found = lookup.question.ask()
        except BaseException as error:  # raised where it is waited for
            lookup.error = error.with_traceback(None)
        self._end(lookup)

    def _end(self, lookup: Lookup) -> None:
        with self._lock:
            self._running.pop(lookup.question, None)
            lookup.has_ended = True
            waiters, lookup.waiters = lookup.waiters, []
        for waiter in waiters:
            waiter.set()


_resolver = Resolver()


def find_resolver() -> Resolver:
    """The resolver of this process: neither locks nor threads of a parent serve its child after a fork."""
    global _resolver
    if _resolver.pid != os.getpid():
        _resolver = Resolver()
    return _resolver


def look_up(
    host: str, port: int, deadline: float | None, attempt: Attempt | None = None, *, family: int = 0, flags: int = 0
) -> Sequence[Address]:
    """The addresses of a host.

    An address, and a name where there is no bound, is looked up in the calling thread. Else the lookup runs in a thread
    that is left behind when the time is over; the next lookup of the name waits for the same one. So there are never
    more such threads than names that are being looked up, and each ends when the system's resolver gives up.

    Args:
        host: a name, or an address without brackets.
        port: the port.
        deadline: on ``time.monotonic()``, or None.
        attempt: whose end from another thread ends the wait too.
        family: of the addresses; any by default.
        flags: those of ``socket.getaddrinfo()``.

    Raises:
        NameLookupTimeout: the deadline has passed.
        OSError: the name is unknown, or the attempt was ended.
    """
    question = Question(host, port, family, flags)
    if deadline is None or is_address(host):
        return question.ask()
    waiter, resolver = threading.Event(), find_resolver()
    try:
        lookup = resolver.begin(question, waiter)
    except RuntimeError:
        return question.ask()
    if attempt is not None:
        attempt.waiter = waiter
        if attempt.ended_by is not None:
            waiter.set()
    try:
        waiter.wait(max(deadline - time.monotonic(), 0))
    finally:
        if attempt is not None:
            attempt.waiter = None
        resolver.leave(lookup, waiter)
    if lookup.has_ended:
        return lookup.result()
    if attempt is not None and attempt.ended_by is not None:
        raise OSError("the transport was closed")
    raise NameLookupTimeout(host)


def is_address(host: str) -> bool:
    """Return whether a host is an address, which needs no lookup."""
    if host[:1].isdigit() or ":" in host:
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                socket.inet_pton(family, host.partition("%")[0])
            except (OSError, ValueError):
                continue
            return True
    return False
