"""A formation that carries calls out as the wire says, in this process and over loopback, and counts what it did."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from muxi import AsyncFormationClient, FormationClient, batch
from muxi.batch import BatchResult
from muxi.call import Call, Key, Repeat
from muxi.transport import (
    AsyncResponse,
    AsyncTransport,
    BufferedResponse,
    Request,
    Response,
    Transport,
    replayed,
    replayed_async,
)
from tests.answers import answer, chat_answer, failure

T = TypeVar("T")

KEY_HEADER = "X-Muxi-Idempotency-Key"


class Formation:
    """Carries calls out: a chat with a known key joins the first, everything else is done as often as it is asked.

    Args:
        refuse: returns the answer to a message in place of the agents', or None.
    """

    def __init__(self, refuse: Callable[[str], BufferedResponse | None] = lambda message: None) -> None:
        self.refuse = refuse
        #: How often each message was worked on.
        self.work: Counter[str] = Counter()
        #: How often each key was sent.
        self.keys: Counter[str] = Counter()
        #: The messages under each key.
        self.by_key: dict[str, set[str]] = {}
        self.requests = 0
        self.under_way = 0
        self.most_under_way = 0
        self._lock = threading.Lock()
        self._answers: dict[str, BufferedResponse] = {}

    def handle(self, method: str, path: str, key: str | None, body: bytes) -> BufferedResponse:
        with self._lock:
            self.requests += 1
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return self._handle(method, path, key, body)
        finally:
            with self._lock:
                self.under_way -= 1

    def _handle(self, method: str, path: str, key: str | None, body: bytes) -> BufferedResponse:
        message = str(json.loads(body).get("message", "")) if body else path
        if (refused := self.refuse(message)) is not None:
            return refused
        with self._lock:
            if key and path.endswith("/chat"):
                self.keys[key] += 1
                self.by_key.setdefault(key, set()).add(message)
                if key in self._answers:
                    return self._answers[key]
            self.work[message] += 1
            given = chat_answer(message.upper()) if path.endswith("/chat") else answer({"path": path})
            if key:
                self._answers[key] = given
            return given


class InProcess(Transport):
    """Reaches a formation in this process."""

    def __init__(self, formation: Formation) -> None:
        self.formation = formation
        self.closed = False

    def send(self, request: Request) -> Response:
        return replayed(handled(self.formation, request))

    def close(self) -> None:
        self.closed = True


class AsyncInProcess(AsyncTransport):
    """The same for async clients."""

    def __init__(self, formation: Formation) -> None:
        self.formation = formation

    async def send(self, request: Request) -> AsyncResponse:
        await asyncio.sleep(0)
        return replayed_async(handled(self.formation, request))


def handled(formation: Formation, request: Request) -> BufferedResponse:
    body = b"".join(request.body.chunks()) if request.body is not None else b""
    path = request.url.partition("?")[0]
    return formation.handle(request.method, path, request.headers.get(KEY_HEADER), body)


def chats(count: int, prefix: str = "message") -> list[Call[Any]]:
    return [FormationClient.chat.call(f"{prefix} {number}", user_id="ada") for number in range(count)]


def text_of(result: BatchResult[Any]) -> str:
    """The text of a chat's answer."""
    return str(result.unwrap()["message"]["content"])


def unsafe(number: int = 0) -> Call[Any]:
    """A call that is neither safe nor keyed."""
    return Call("POST", f"/notifications/{number}", body={"message": f"notify {number}"}, repeat=Repeat.NEVER)


class Caller:
    """Runs batches of one colour."""

    def __init__(self, colour: str) -> None:
        self.colour = colour
        #: Clients that were made.
        self.made: list[FormationClient | AsyncFormationClient] = []

    def recipe(self, formation: Formation, **settings: Any) -> Any:
        def make() -> FormationClient | AsyncFormationClient:
            given = {"url": "https://formation", "client_key": "fmc_hushhush1", **settings}
            client: FormationClient | AsyncFormationClient
            if self.colour == "sync":
                client = FormationClient(transport=lambda: InProcess(formation), **given)
            else:
                client = AsyncFormationClient(transport=lambda: AsyncInProcess(formation), **given)
            self.made.append(client)
            return client

        return batch.ClientRecipe(make, name="formation under test")

    def collect(self, calls: Any, recipe: Any, *, most: int | None = None, **settings: Any) -> list[BatchResult[Any]]:
        """Run a batch, to its end or until so many results have come."""
        found: list[BatchResult[Any]] = []
        for result in self.results(calls, recipe, **settings):
            found.append(result)
            if len(found) == most:
                break
        return found

    def results(self, calls: Any, recipe: Any, **settings: Any) -> Iterator[BatchResult[Any]]:
        """Run a batch as an iterator, whatever its colour, and close it at the end."""
        if self.colour == "sync":
            with batch.run(calls, recipe, **settings) as running:
                yield from running
            return
        loop = asyncio.new_event_loop()
        running_async = batch.run_async(calls, recipe, **settings)
        try:
            while True:
                try:
                    yield loop.run_until_complete(anext(running_async))
                except StopAsyncIteration:
                    return
        finally:
            loop.run_until_complete(running_async.aclose())
            loop.close()


def first(items: Iterable[T], count: int) -> list[T]:
    return [item for item, _ in zip(items, range(count), strict=False)]


# -- over loopback -----------------------------------------------------------------------------------------------------


@contextmanager
def serving(formation: Formation, delay: float = 0.0) -> Iterator[str]:
    """Serve a formation over HTTP; the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if delay:
                time.sleep(delay)
            given = formation.handle(self.command, self.path, self.headers.get(KEY_HEADER), body)
            head = f"HTTP/1.1 {given.status} \r\nContent-Type: application/json\r\nContent-Length: {len(given.content)}"
            self.wfile.write(f"{head}\r\n\r\n".encode() + given.content)

        do_GET = do_DELETE = do_POST  # noqa: N815  names of the standard library

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that was killed leaves broken connections, which is no error here."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


__all__ = [
    "Caller",
    "Formation",
    "InProcess",
    "Key",
    "chats",
    "failure",
    "first",
    "serving",
    "text_of",
    "unsafe",
]
