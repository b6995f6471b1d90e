"""The in-memory transport for sync clients: requests are answered by an embedded world, in this process."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

from muxi.clock import Clock, SystemClock
from muxi.errors import ConfigurationError
from muxi.transport import Request, Response, Transport
from muxi_transports.memory.patience import Patience
from muxi_transports.memory.sandbox import Sandbox
from muxi_transports.memory.signal import Signal
from muxi_transports.memory.stubs import StubbedWorld, Stubbing
from muxi_transports.memory.world import Answer, AnswerStream, Idle, Pause, World

__all__ = ["MemoryResponse", "MemoryTransport", "answer_headers", "as_stream", "stubbed_world_for"]


class MemoryTransport(Stubbing, Transport):
    """Answers requests out of an embedded world. Every origin is accepted.

    Nothing is waited for in earnest unless the world's clock is the machine's: a timeout moves the clock
    by what it bounds and raises. Single routes can be stubbed, and requests are remembered.

    Args:
        world: an :class:`~muxi_transports.memory.EmbeddedFormation` or
            :class:`~muxi_transports.memory.EmbeddedServer`. Without one the transport has a
            :class:`~muxi_transports.memory.Sandbox` of its own: an echo formation behind every address
            and every formation id, open to any key. A :class:`~muxi_transports.memory.StubbedWorld` is shared, with
            its stubs and requests, by the transports that are given it.
        clock: the time of the sandbox, where no world is given.
        strict: whether requests are refused that no stub is for (:meth:`stub_only`).

    Raises:
        ConfigurationError: a world and a clock that is not the world's were given.
    """

    def __init__(self, world: World | None = None, *, clock: Clock | None = None, strict: bool = False) -> None:
        #: The world with what is stubbed over it; give it to another transport to share it.
        self.stubbed: StubbedWorld = stubbed_world_for(world, clock, strict=strict)
        self.world: World = self.stubbed.world
        self.clock: Clock | None = self.world.clock
        self._ledger = self.stubbed.ledger

    def send(self, request: Request) -> Response:
        clock = self.world.clock
        patience = Patience(request.timeouts, clock)
        exchange = self.stubbed.respond(request)
        try:
            while True:
                wait = patience.wait(next(exchange).seconds)
                clock.sleep(wait.seconds)
                if wait.error:
                    raise wait.error
        except StopIteration as end:
            answer: Answer = end.value
        finally:
            exchange.close()
        patience.heard()
        return MemoryResponse(request, answer, clock, patience)

    def __repr__(self) -> str:
        return f"MemoryTransport({self.world!r})"


class MemoryResponse(Response):
    """An answer out of an embedded world; a stream is made while it is read, piece by piece."""

    def __init__(self, request: Request, answer: Answer, clock: Clock, patience: Patience) -> None:
        super().__init__(answer.status, answer_headers(answer), reason=answer.reason)
        self._body = as_stream(request, answer)
        self._clock = clock
        self._patience = patience
        self._closed = threading.Event()
        #: Held while the world makes the next piece; a generator does not like to be closed meanwhile.
        self._working = threading.Lock()
        self._idling: Signal | None = None

    def chunks(self) -> Iterator[bytes]:
        while True:
            piece = self._next()
            if piece is None:
                return
            if isinstance(piece, Pause):
                self._wait(piece.seconds)
            elif isinstance(piece, Idle):
                self._idle(piece.signal)
            elif piece:
                self._patience.heard()
                yield piece

    def _next(self) -> bytes | Pause | Idle | None:
        """What comes next; None at the end, and after a close from wherever."""
        with self._working:
            piece = None if self._closed.is_set() else next(self._body, None)
            if piece is None or self._closed.is_set():
                self._body.close()
                return None
        return piece

    def _wait(self, seconds: float) -> None:
        wait = self._patience.wait(seconds)
        if isinstance(self._clock, SystemClock):
            # The one clock whose sleep can be cut short: a close from another thread ends it.
            self._closed.wait(wait.seconds)
        else:
            self._clock.sleep(wait.seconds)
        if wait.error and not self._closed.is_set():
            self.close()
            raise wait.error

    def _idle(self, signal: Signal) -> None:
        """Wait for something to happen; a bound is waited for on the world's clock, as everywhere."""
        wait = self._patience.wait(float("inf"))
        self._idling = signal
        if isinstance(self._clock, SystemClock) or wait.error is None:
            if not self._closed.is_set():
                signal.wait(None if wait.error is None else wait.seconds)
        elif not signal.is_set:
            self._clock.sleep(wait.seconds)
        self._idling = None
        if wait.error and not signal.is_set and not self._closed.is_set():
            self.close()
            raise wait.error

    def close(self) -> None:
        self._closed.set()
        if (idling := self._idling) is not None:
            idling.set()
        if self._working.acquire(blocking=False):
            try:
                self._body.close()
            finally:
                self._working.release()


def stubbed_world_for(world: World | None, clock: Clock | None, *, strict: bool) -> StubbedWorld:
    """The world that was given, or a new sandbox, with room for stubs over it."""
    if world is None:
        return StubbedWorld(Sandbox(clock=clock), strict=strict)
    if clock is not None and clock is not world.clock:
        raise ConfigurationError("a world brings its own clock; give the clock to the world, not to its transport")
    if not isinstance(world, StubbedWorld):
        return StubbedWorld(world, strict=strict)
    if strict:
        world.stub_only()
    return world


def as_stream(request: Request, answer: Answer) -> AnswerStream:
    """The body of an answer as a stream; nothing for HEAD."""
    if isinstance(answer.body, bytes):
        return _once(b"" if request.method == "HEAD" else answer.body)
    if request.method == "HEAD":
        answer.body.close()
        return _once(b"")
    return answer.body


def answer_headers(answer: Answer) -> list[tuple[str, str]]:
    """The headers as they would arrive: a stream has no length and comes in chunks."""
    if isinstance(answer.body, bytes):
        return answer.headers
    return [*answer.headers, ("Transfer-Encoding", "chunked")]


def _once(content: bytes) -> Generator[bytes | Pause, None, None]:
    yield content
