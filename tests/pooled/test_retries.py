"""Never lost, never doubled, on every lane: what is sent again follows from what happened on the connection."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from http.client import responses

import pytest

from muxi import ConnectionError, FormationClient, MuxiError, StreamInterrupted, TimeoutError, meta
from muxi.clock import ManualClock
from muxi.transport import BufferedResponse, Request, Response, Transport
from tests.answers import answer, chat_answer, chat_events, failure, flat, plain
from tests.pooled.conftest import ServerFactory
from tests.transports.raw_server import Peer
from tests.transports.scripts import CHUNKED, chunk

Script = Callable[[Peer], None]

#: Calls by what is known of their operation: a read, one with an idempotency key, one that may be done twice.
CALLS: dict[str, Callable[[FormationClient], object]] = {
    "safe": lambda client: client.get_memories("ada"),
    "keyed": lambda client: client.chat("hi"),
    "never": lambda client: client.add_memory("likes tea", user_id="ada"),
}
STARTING = "Formation 'bot' is not running (status: starting)"


def answering(response: BufferedResponse) -> Script:
    """Answer a request, and go on reading."""

    def script(peer: Peer) -> None:
        fields = [f"{name}: {value}" for name, value in response.headers.items()]
        peer.answer(response.content, f"{response.status} {responses.get(response.status, '')}", *fields)

    return script


def _close(peer: Peer) -> None:
    peer.close()


def _break_in_the_head(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nX: ")
    peer.close()


def _break_in_the_body(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n{")
    peer.close()


#: What happens to the first attempt, and the calls that are made again.
ROWS: dict[str, tuple[Script, set[str]]] = {
    "429": (answering(failure(429)), {"safe", "keyed", "never"}),
    "503 with Retry-After": (answering(failure(503, retry_after="1")), {"safe", "keyed", "never"}),
    "503, starting": (answering(flat(503, "Formation unavailable", STARTING)), {"safe", "keyed", "never"}),
    "408": (answering(plain(408)), {"safe", "keyed"}),
    "502": (answering(plain(502)), {"safe", "keyed"}),
    "503": (answering(plain(503)), {"safe", "keyed"}),
    "504": (answering(plain(504)), {"safe", "keyed"}),
    "500 of a proxy": (answering(plain(500, b"<html>")), {"safe", "keyed"}),
    "500 of the platform": (answering(failure(500)), set()),
    "closed without an answer": (_close, {"safe", "keyed"}),
    "reset without an answer": (lambda peer: peer.reset(), {"safe", "keyed"}),
    "broken in the head": (_break_in_the_head, {"safe", "keyed"}),
    "broken in the body": (_break_in_the_body, {"safe", "keyed"}),
    "no answer in time": (lambda peer: peer.wait_for_end(), {"safe", "keyed"}),
}


def client_of(transport: Transport, url: str) -> FormationClient:
    """A client that waits for no retry."""
    return FormationClient(url=url, client_key="k", transport=transport, clock=ManualClock(), timeout=0.5)


def first_then(first: Script, then: BufferedResponse) -> Script:
    """A server to whose first request something happens; it answers all others."""

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            if len(peer.server.requests) == 1:
                first(peer)
            else:
                answering(then)(peer)

    return script


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("row", ROWS)
def test_what_happened_decides_whether_a_call_is_made_again(
    serve: ServerFactory, lane: Transport, row: str, call: str
) -> None:
    first, repeated = ROWS[row]
    good = chat_answer() if call == "keyed" else answer({"memories": [], "id": "m"})
    server = serve(first_then(first, good))
    client = client_of(lane, server.url)
    if call in repeated:
        assert meta(CALLS[call](client)).attempts == 2
    else:
        with pytest.raises(MuxiError) as caught:
            CALLS[call](client)
        assert caught.value.attempts == 1
    assert len(server.requests) == (2 if call in repeated else 1)


class _Listening(Transport):
    """A transport whose second request finds a server."""

    def __init__(self, inner: Transport, nobody: str, url: str) -> None:
        self._inner, self._nobody, self._url = inner, nobody, url
        self.seen: list[tuple[str, bool]] = []

    def send(self, request: Request) -> Response:
        base = self._url if self.seen else self._nobody
        target = request.url.partition("/v1")[2]
        try:
            return self._inner.send(
                Request(request.method, f"{base}/v1{target}", request.headers, request.body, timeouts=request.timeouts)
            )
        except ConnectionError as error:
            self.seen.append((error.code, error.connected))
            raise

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_was_not_connected_is_always_made_again(serve: ServerFactory, lane: Transport, call: str) -> None:
    good = chat_answer() if call == "keyed" else answer({"memories": [], "id": "m"})
    server = serve(first_then(answering(good), good))
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # taken, so that no other program listens there
        transport = _Listening(lane, f"http://127.0.0.1:{deaf.getsockname()[1]}", server.url)
        result = CALLS[call](client_of(transport, server.url))

    assert meta(result).attempts == 2
    assert transport.seen == [("CONNECTION_REFUSED", False)]
    assert len(server.requests) == 1


@pytest.mark.parametrize("row", ["closed without an answer", "502", "no answer in time"])
def test_a_removal_that_finds_nothing_after_a_lost_attempt_is_done(
    serve: ServerFactory, lane: Transport, row: str
) -> None:
    server = serve(first_then(ROWS[row][0], failure(404, "NOT_FOUND", "Memory not found")))

    done: object = client_of(lane, server.url).delete_memory("ada", "m")
    assert done == {}
    assert [request.method for request in server.requests] == ["DELETE", "DELETE"]


@pytest.mark.parametrize("ending", ["closed", "reset", "silent"])
def test_a_stream_is_not_begun_again_once_its_first_event_is_here(
    serve: ServerFactory, lane: Transport, ending: str
) -> None:
    events = chat_events("one", "two").content
    beginning = events[: events.index(b"\n\n") + 2]
    head = CHUNKED[:-2] + b"Content-Type: text/event-stream\r\n\r\n"

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(head + chunk(beginning))
        if ending == "reset":
            peer.reset()
        elif ending == "silent":
            peer.wait_for_end()

    server = serve(script)
    client = client_of(lane, server.url).with_options(idle_timeout=0.2)

    def read() -> Iterator[object]:
        with client.chat_stream("hi") as stream:
            yield from stream

    got: list[object] = []
    with pytest.raises((StreamInterrupted, ConnectionError, TimeoutError)):
        got.extend(read())
    assert len(server.requests) == 1
