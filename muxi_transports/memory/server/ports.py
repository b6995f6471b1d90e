"""The ports that a server has for its formations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from muxi_transports.memory.server.answers import RpcError

if TYPE_CHECKING:
    from muxi_transports.memory.server.registry import Hosted

__all__ = ["PortAllocator", "PortsUsedUp"]


class PortsUsedUp(RpcError):
    """There is no port left."""


class PortAllocator:
    """Hands out ports, each time the next one that is free.

    Args:
        first: the first port.
        total: how many there are.
    """

    def __init__(self, first: int, total: int) -> None:
        self._first = first
        self._taken: set[int] = set()
        self._next = 0
        #: The number of ports; a test may change it.
        self.total: int = total

    @property
    def allocated(self) -> int:
        """The number of ports taken."""
        return len(self._taken)

    def take(self) -> int:
        """A port.

        Raises:
            PortsUsedUp: all are taken.
        """
        for step in range(self.total):
            number = (self._next + step) % self.total
            if self._first + number not in self._taken:
                self._next = number + 1
                self._taken.add(self._first + number)
                return self._first + number
        last = self._first + max(0, self.total - 1)
        message = f"Failed to allocate port: no available ports in range {self._first}-{last}"
        raise PortsUsedUp(500, message)

    def give_back(self, port: int) -> None:
        """Release a port. No effect if it is free."""
        self._taken.discard(port)

    def free(self, hosted: Hosted) -> None:
        """Release the port of a formation, unless it has been released already."""
        if hosted.holds_port:
            hosted.holds_port = False
            self.give_back(hosted.port)

    @contextmanager
    def held(self, port: int) -> Iterator[None]:
        """Give a port back where what is done meanwhile fails."""
        try:
            yield
        except BaseException:
            self.give_back(port)
            raise
