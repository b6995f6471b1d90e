"""The contract of an embedded world: it answers requests, and yields its waits to the caller.

A world knows neither threads nor event loops. Its fronts (the sync transport, the async transport, the
ASGI application) run :meth:`World.respond` step by step and wait on the world's clock where it says so,
each in its own way; so there is one behaviour and three ways of reaching it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol, TypeAlias

from muxi.clock import Clock
from muxi.transport import Request
from muxi_transports.around.pause import Pause
from muxi_transports.memory.signal import Signal

__all__ = [
    "Answer",
    "AnswerBody",
    "AnswerStream",
    "Exchange",
    "Idle",
    "Pause",
    "World",
    "credentials_of",
    "start_stream",
]


@dataclass(frozen=True)
class Idle:
    """A wait for a signal, without a bound; the front waits.

    Args:
        signal: set when the stream can go on.
    """

    signal: Signal


#: A stream: pieces of the body as they are made, with waits between them. Closing it means that the
#: client has left.
AnswerStream: TypeAlias = Generator[bytes | Pause | Idle, None, None]
AnswerBody: TypeAlias = bytes | AnswerStream


@dataclass
class Answer:
    """The answer of a world.

    Args:
        status: the HTTP status.
        headers: names and values, in the order and spelling of the wire.
        body: the content, or a stream of it.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: AnswerBody = b""

    @property
    def reason(self) -> str:
        """The phrase that goes with the status."""
        return HTTPStatus(self.status).phrase


Exchange: TypeAlias = Generator[Pause, None, Answer]


class World(Protocol):
    """An in-memory service that answers requests on a clock of its own."""

    @property
    def clock(self) -> Clock:
        """The time of this world; a front waits on it."""
        ...

    def respond(self, request: Request) -> Exchange:
        """Answer one request. Closing the generator means that the client has left."""
        ...


def credentials_of(world: World) -> Mapping[str, str]:
    """The keys that a world wants, by the names of a client's arguments; none where any will do."""
    found: Mapping[str, str] = getattr(world, "credentials", {})
    return found


def start_stream(stream: AnswerStream) -> AnswerStream:
    """Run a stream up to the empty piece it begins with.

    Closing a generator that was never started runs none of its code; a started one notices that its
    client disconnected before the first byte.
    """
    next(stream)
    return stream
