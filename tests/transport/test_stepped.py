"""Transports written once: what the base does for the steps of a request and of a body, in both colours."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import pytest

from muxi.errors import ConfigurationError, ConnectionError
from muxi.testing.transport_suite.facade import FacadeTransport
from muxi.transport import (
    AsyncResponse,
    AsyncSteppedTransport,
    AsyncTransport,
    BlockingCall,
    BodySteps,
    BufferedResponse,
    Close,
    CloseSteps,
    Forward,
    NextChunk,
    ReadBody,
    Request,
    Response,
    SendSteps,
    Step,
    Stepped,
    SteppedResponse,
    SteppedTransport,
    Transport,
)
from tests.transport.conftest import Make

T = TypeVar("T", bound=Transport | AsyncTransport)

GET = Request("GET", "http://h/")


class Piecewise(Response):
    """An answer in pieces, which notes that it was closed; an error among the pieces is raised."""

    def __init__(self, pieces: list[bytes | Exception]) -> None:
        super().__init__(200, [("X-From", "inner")], reason="Fine", http_version="2")
        self.pieces = pieces
        self.closings = 0

    def chunks(self) -> Iterator[bytes]:
        while self.pieces:
            piece = self.pieces.pop(0)
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.closings += 1


class AsyncPiecewise(AsyncResponse):
    """The same for async clients; it also notes that its iteration has ended."""

    def __init__(self, inner: Piecewise) -> None:
        super().__init__(inner.status, inner.headers, reason=inner.reason, http_version=inner.http_version)
        self.inner = inner
        self.iterations = 0

    async def chunks(self) -> Any:
        self.iterations += 1
        try:
            for piece in self.inner.chunks():
                await asyncio.sleep(0)
                yield piece
        finally:
            self.iterations -= 1

    async def close(self) -> None:
        self.inner.close()


class Answering(Stepped[T]):
    """Answers with what a function makes; of the colour that is wanted."""

    def __init__(self, answer: Callable[[], Piecewise]) -> None:
        self.answer = answer
        self.made: list[Piecewise] = []
        self.coloured: list[AsyncPiecewise] = []

    def steps(self, request: Request) -> SendSteps:
        self.made.append(self.answer())
        yield from BlockingCall(lambda: None)
        if self.colour is Transport:
            return self.made[-1]
        self.coloured.append(AsyncPiecewise(self.made[-1]))
        return self.coloured[-1]


class AnsweringTransport(Answering[Transport], SteppedTransport):
    """The sync one."""


class AsyncAnsweringTransport(Answering[AsyncTransport], AsyncSteppedTransport):
    """The async one."""


class Around(Stepped[T]):
    """Holds an answering transport of its colour; what becomes of its answers is up to the test."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        kind: Any = AnsweringTransport if self.colour is Transport else AsyncAnsweringTransport
        self.inner: Answering[Any] = kind(lambda: Piecewise(list(pieces)))

    def forward(self, request: Request) -> Forward:
        return Forward(cast(Transport, self.inner), request)


class Hold(Step[None]):
    """A wait without an end, which an interrupt ends."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.over = threading.Event()

    def do(self) -> None:
        self.begun.set()
        assert self.over.wait(10)

    async def do_async(self) -> None:
        self.begun.set()
        await asyncio.to_thread(self.over.wait, 10)

    def interrupt(self) -> None:
        self.over.set()


def stepped(transport: Transport) -> Any:
    """The stepped transport behind the face."""
    return transport.transport if isinstance(transport, FacadeTransport) else transport


# -- requests ----------------------------------------------------------------------------------------------------


def test_a_response_in_memory_is_read_in_either_colour(make: Make) -> None:
    class Canned(Stepped[T]):
        def steps(self, request: Request) -> SendSteps:
            yield from ()
            return BufferedResponse(418, [("X-A", "b")], b"tea", reason="Teapot")

    response = make(Canned).send(GET)
    assert (response.status, response.reason, response.headers["x-a"], response.read()) == (418, "Teapot", "b", b"tea")


def test_a_forwarded_response_is_handed_through(make: Make) -> None:
    class Through(Around[T]):
        def steps(self, request: Request) -> SendSteps:
            return (yield from self.forward(request))

    response = make(Through, b"a", b"b").send(GET)
    assert (response.http_version, response.read()) == ("2", b"ab")


def test_steps_read_and_close_what_they_have_forwarded(make: Make) -> None:
    class Twice(Around[T]):
        def steps(self, request: Request) -> SendSteps:
            first = yield from self.forward(request)
            body = yield from ReadBody(first)
            second = yield from self.forward(request)
            yield from Close(second)
            return BufferedResponse(200, content=body)

    transport = make(Twice, b"a", b"b")
    assert transport.send(GET).read() == b"ab"
    assert [answer.closings for answer in stepped(transport).inner.made] == [1, 1]


def test_forwarded_responses_are_closed_where_the_steps_fail(make: Make) -> None:
    class Failing(Around[T]):
        def steps(self, request: Request) -> SendSteps:
            yield from self.forward(request)
            yield from self.forward(request)
            raise ValueError("afterwards")

    transport = make(Failing, b"a")
    with pytest.raises(ValueError, match="afterwards"):
        transport.send(GET)
    assert [answer.closings for answer in stepped(transport).inner.made] == [1, 1]


def test_a_blocking_call_leaves_the_event_loop_alone(make: Make) -> None:
    class Calling(Stepped[T]):
        def steps(self, request: Request) -> SendSteps:
            name = yield from BlockingCall(lambda: threading.current_thread().name)
            here = threading.current_thread().name
            return BufferedResponse(200, content=f"{name == here}".encode())

    transport = make(Calling)
    assert transport.send(GET).read() == (b"False" if isinstance(transport, FacadeTransport) else b"True")


def test_closing_the_transport_interrupts_the_requests_on_their_way(make: Make) -> None:
    hold = Hold()

    class Holding(Stepped[T]):
        def steps(self, request: Request) -> SendSteps:
            yield from hold
            raise ConnectionError("CONNECTION_LOST", "the transport was closed")

    transport = make(Holding)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(transport.send, GET)
        assert hold.begun.wait(10)
        transport.close()
        with pytest.raises(ConnectionError, match="closed"):
            sending.result(10)


def test_the_steps_of_close_are_done_each_time(make: Make) -> None:
    done: list[str] = []

    class Closing(Stepped[T]):
        def steps(self, request: Request) -> SendSteps:
            yield from ()
            return BufferedResponse(200)

        def close_steps(self) -> CloseSteps:
            yield from BlockingCall(lambda: done.append("closed"))

    transport = make(Closing)
    transport.close()
    transport.send(GET).read()
    transport.close()
    assert done == ["closed", "closed"]


# -- bodies ------------------------------------------------------------------------------------------------------


class Shouting(Around[T]):
    """Answers in capitals; notes how its bodies went out."""

    def __init__(self, *pieces: bytes | Exception, hold: Hold | None = None) -> None:
        super().__init__(*pieces)
        self.hold = hold
        self.notes: list[str] = []

    def steps(self, request: Request) -> SendSteps:
        response = yield from self.forward(request)
        return SteppedResponse.around(response, self.body(), left=self.leave)

    def body(self) -> BodySteps:
        try:
            while (piece := (yield from NextChunk())) is not None:
                yield piece.upper()
            if self.hold is not None:
                yield from self.hold
        except ConnectionError as error:
            self.notes.append(error.code)
            raise
        finally:
            self.notes.append("ended")

    def leave(self) -> CloseSteps:
        yield from BlockingCall(lambda: self.notes.append("left"))


def test_a_body_is_made_of_another_one(make: Make) -> None:
    transport = make(Shouting, b"a", b"", b"b")
    response = transport.send(GET)
    assert (response.status, response.reason, response.headers["x-from"]) == (200, "Fine", "inner")
    assert list(response.chunks()) == [b"A", b"B"]
    assert stepped(transport).notes == ["ended"]
    assert stepped(transport).inner.made[0].closings


def test_an_error_of_the_wrapped_body_is_thrown_in_and_comes_out(make: Make) -> None:
    transport = make(Shouting, b"a", ConnectionError("CONNECTION_LOST", "broken"))
    chunks = transport.send(GET).chunks()
    assert next(chunks) == b"A"
    with pytest.raises(ConnectionError, match="broken"):
        next(chunks)
    assert stepped(transport).notes == ["CONNECTION_LOST", "ended"]
    assert stepped(transport).inner.made[0].closings


@pytest.mark.parametrize("read", [0, 1])
def test_a_reader_that_leaves_closes_the_body_once(make: Make, read: int) -> None:
    transport = make(Shouting, b"a", b"b")
    response = transport.send(GET)
    assert [next(response.chunks()) for _ in range(read)] == [b"A"] * read
    for _ in range(2):
        response.close()
    assert list(response.chunks()) == []
    assert stepped(transport).notes == ["ended"] * read + ["left"]
    assert stepped(transport).inner.made[0].closings
    assert not any(answer.iterations for answer in stepped(transport).inner.coloured)


def test_closing_ends_a_wait_of_the_body_and_the_reading_ends_silently(make: Make) -> None:
    hold = Hold()
    transport = make(Held, hold)
    response = transport.send(GET)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(list, response.chunks())
        assert hold.begun.wait(10)
        response.close()
        assert reading.result(10) == [b"A"]
    assert stepped(transport).notes == ["ended", "left"]


class Held(Shouting[T]):
    """Waits at the end of its body."""

    def __init__(self, hold: Hold) -> None:
        super().__init__(b"a", hold=hold)


def test_closing_the_transport_ends_the_reading_with_an_error(make: Make) -> None:
    hold = Hold()
    transport = make(Held, hold)
    response = transport.send(GET)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(list, response.chunks())
        assert hold.begun.wait(10)
        transport.close()
        with pytest.raises(ConnectionError, match="the transport was closed"):
            reading.result(10)
    assert stepped(transport).notes == ["ended", "left"]


def test_two_readers_at_once_are_refused_and_the_first_goes_on(make: Make) -> None:
    hold = Hold()
    response = make(Held, hold).send(GET)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(list, response.chunks())
        assert hold.begun.wait(10)
        with pytest.raises(ConfigurationError, match="is being read already"):
            next(response.chunks())
        hold.over.set()
        assert reading.result(10) == [b"A"]


def test_an_iteration_that_was_left_is_taken_up_again(make: Make) -> None:
    response = make(Shouting, b"a", b"b").send(GET)
    chunks = response.chunks()
    assert next(chunks) == b"A"
    assert list(chunks) == [b"B"]
    assert list(response.chunks()) == []


def test_a_body_needs_another_one_to_read_from(make: Make) -> None:
    class Alone(Stepped[T]):
        def steps(self, request: Request) -> SendSteps:
            yield from ()
            return SteppedResponse(200, (), self.body())

        def body(self) -> BodySteps:
            yield b"a"
            yield from NextChunk()

    chunks = make(Alone).send(GET).chunks()
    assert next(chunks) == b"a"
    with pytest.raises(TypeError, match="wraps no other"):
        next(chunks)


def test_a_cancelled_reader_has_the_body_cleaned_up() -> None:
    hold = Hold()

    class Coloured(Held[AsyncTransport], AsyncSteppedTransport): ...

    async def main() -> None:
        transport = Coloured(hold)
        response = await transport.send(GET)
        reading = asyncio.ensure_future(response.read())
        assert await asyncio.to_thread(hold.begun.wait, 10)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        hold.over.set()
        assert transport.notes == ["ended"]
        assert transport.inner.made[0].closings
        assert not any(answer.iterations for answer in transport.inner.coloured)

    asyncio.run(main())


def test_a_transport_keeps_no_response_alive() -> None:
    class Coloured(Shouting[Transport], SteppedTransport): ...

    transport = Coloured(b"a")
    response = weakref.ref(transport.send(GET))
    gc.collect()
    assert response() is None
    transport.close()
