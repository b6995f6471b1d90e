"""Lookups of host names for aiohttp, in threads that the event loop does not wait for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver, ThreadedResolver

from muxi_transports.http.lookup import Address, Question, find_resolver, is_address

__all__ = ["make_resolver"]

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
#: Some systems define more bits of this flag than getaddrinfo() takes.
_ONLY_CONFIGURED: int = socket.AI_ADDRCONFIG & getattr(socket, "AI_MASK", -1)


def make_resolver() -> AbstractResolver | None:
    """A resolver for a connector; None where aiohttp has one that needs no threads (aiodns)."""
    return _ThreadResolver() if DefaultResolver is ThreadedResolver else None


class _ThreadResolver(AbstractResolver):
    """Looks names up as the sync transports do: one thread for a name, which is left behind if no call waits for it."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: the name is unknown.
        """
        found = await look_up_async(host, port, family=family, flags=_ONLY_CONFIGURED)
        return [
            ResolveResult(
                hostname=host,
                host=_numeric_host(kind, address),
                port=address[1],
                family=kind,
                proto=protocol,
                flags=_NUMERIC,
            )
            for kind, _, protocol, _, address in found
            if kind != socket.AF_INET6 or len(address) > 2  # a Python without IPv6 gives two
        ]

    async def close(self) -> None:
        """Do nothing: a lookup ends when the system's resolver gives up."""


def _numeric_host(family: int, address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """An address as text, with the scope of a link-local one."""
    if family == socket.AF_INET6 and len(address) > 3 and address[3]:
        return socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]
    return address[0]


async def look_up_async(host: str, port: int, *, family: int = 0, flags: int = 0) -> Sequence[Address]:
    """Look a name up as :func:`muxi_transports.http.lookup.look_up` does; cancelling ends the wait.

    The executor of an event loop has few threads, and the end of the loop waits for them. Lookups that are not answered
    would keep other work from them, so that they have threads of their own.

    Raises:
        OSError: the name is unknown, or no thread can be started.
    """
    question = Question(host, port, family, flags)
    if is_address(host):
        return question.ask()
    waiter, resolver = _LoopEvent(asyncio.get_running_loop()), find_resolver()
    try:
        lookup = resolver.begin(question, waiter)
    except RuntimeError as error:
        raise OSError(str(error)) from error
    try:
        await waiter.wait()
    finally:
        resolver.leave(lookup, waiter)
    return lookup.result()


class _LoopEvent:
    """An event that a coroutine waits for and another thread sets.

    Args:
        loop: the loop of the coroutine.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def set(self) -> None:
        with suppress(RuntimeError):  # the loop has been closed, and nothing waits any more
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()
