"""The embedded world over real HTTP: chunks as they are made, clients that leave, a clean end."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from muxi.clock import Clock, ManualClock
from muxi.errors import ConfigurationError
from muxi.transport import Request
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, Part, Pause, Silence, Turn, WorldApp, serve

HEADERS = {"X-Muxi-Client-Key": "any", "Content-Type": "application/json", "X-Muxi-User-ID": "alice"}


class Gate(Clock):
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def time(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return 60.0 if self.opened.is_set() else 0.0

    def sleep(self, seconds: float) -> None:
        self.reached.set()
        assert self.opened.wait(10)

    async def sleep_async(self, seconds: float) -> None:
        await asyncio.to_thread(self.sleep, seconds)


def paused(turn: Turn) -> Iterator[Part]:
    yield "a "
    yield Pause(1)
    yield "b"


def test_a_delta_arrives_while_the_next_is_not_made_yet() -> None:
    gate = Gate()
    formation = EmbeddedFormation(clock=gate)
    formation.agent("assistant", paused)
    with serve(formation) as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        connection.request("POST", "/v1/chat", json.dumps({"message": "x"}), HEADERS)
        response = connection.getresponse()
        arrived = b""
        while b'"content":"a "' not in arrived:
            arrived += response.read1()
        assert not gate.opened.is_set()
        gate.opened.set()
        assert response.read().endswith(b'event: done\ndata: {"finished":true}\n\n')
        connection.close()


def test_a_client_that_leaves_cancels_its_turn() -> None:
    gate = Gate()
    closed = threading.Event()

    def assistant(turn: Turn) -> Iterator[Part]:
        try:
            yield from paused(turn)
        finally:
            closed.set()

    formation = EmbeddedFormation(clock=gate)
    formation.agent("assistant", assistant)
    with serve(formation) as served:
        response = requests.post(
            served.url + "/v1/chat", json={"message": "x", "request_id": "r"}, headers=HEADERS, stream=True, timeout=10
        )
        assert gate.reached.wait(10)
        response.close()
        assert closed.wait(10)
        gate.opened.set()
        status = requests.get(served.url + "/v1/requests/r", headers=HEADERS, timeout=10).json()
        assert status["data"]["status"] == "cancelled"


def test_a_client_that_leaves_a_stream_without_pauses_is_noticed() -> None:
    stopped = threading.Event()

    def assistant(turn: Turn) -> Iterator[str]:
        try:
            while True:
                yield "on and on "
        finally:
            stopped.set()

    formation = EmbeddedFormation()
    formation.agent("assistant", assistant)
    with serve(formation) as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
            body = b'{"message": "x"}'
            head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
            client.sendall(
                f"POST /v1/chat HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            )
            arrived = b""
            while b"on and on" not in arrived:
                arrived += client.recv(65536)
        assert stopped.wait(10)


def test_the_end_of_serving_ends_open_streams() -> None:
    formation = EmbeddedFormation(clock=ManualClock(auto_advance=False))
    formation.agent("assistant", lambda turn: Silence())
    with serve(formation) as served:
        response = requests.post(
            served.url + "/v1/chat", json={"message": "x"}, headers=HEADERS, stream=True, timeout=10
        )
        chunks = response.iter_content(None)
        assert next(chunks).startswith(b": keepalive")
    rest = b"".join(chunks)
    assert b"done" not in rest
    response.close()
    with pytest.raises(OSError):  # noqa: PT011  whatever the platform says of a closed port
        socket.create_connection(("127.0.0.1", served.port), timeout=1)


def test_a_server_is_served_likewise() -> None:
    with serve(EmbeddedServer()) as served:
        assert requests.get(served.url + "/ping", timeout=10).text == "pong"


def test_without_a_world_a_sandbox_is_served() -> None:
    with serve() as served:
        assert requests.get(served.url + "/api/any-id/v1/health", timeout=10).json()["status"] == "healthy"


def test_a_taken_port_is_an_error_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"), serve(port=taken.getsockname()[1]):
            pass


def test_without_uvicorn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "muxi_transports.memory.listener", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'muxi-client\[cli\]'"), serve():
        pass


def test_the_application_takes_part_in_a_lifespan() -> None:
    sent: list[Any] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(WorldApp(EmbeddedFormation())({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_body_in_pieces_is_put_together(build: Callable[..., Request]) -> None:
    formation = EmbeddedFormation()
    with serve(formation) as served:
        pieces = iter([b'{"message": "in ', b'pieces", "stream": false}'])
        answer = requests.post(served.url + "/v1/chat", data=pieces, headers=HEADERS, timeout=10).json()
    assert answer["data"]["message"]["content"] == "You said: in pieces"
