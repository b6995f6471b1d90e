"""Finalizers wait for no lock: a collector runs anywhere, in a thread that may hold any.

Each finalizer of the package is found in its source, and each is run with every lock of the package watched. One that
acquires a ``Lock`` would wait for ever where its thread holds it. An ``RLock`` would let its thread in, in the middle
of a change; and where two threads collect at once, each would wait for what the other holds.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import muxi
import muxi_transports
from muxi import AsyncFormationClient, Clock, FormationClient, ManualClock, SystemClock, bundles
from muxi.plugins import AuditTrail, ConcurrencyLimit
from muxi.transport import Request
from muxi_transports.aiohttp import AiohttpTransport
from muxi_transports.asgi import AsgiTransport
from muxi_transports.memory import AsyncMemoryTransport, MemoryTransport
from muxi_transports.memory.alarm import Alarm
from muxi_transports.wsgi import WsgiTransport
from tests.hello import DONE, HELLO, Diary
from tests.scripted import HOLD, Script, ScriptedAsyncTransport, ScriptedTransport

#: Each finalizer by module and function, and how many the function has.
FINALIZERS = {
    "muxi.forks": "forgets owners of locks",
    "muxi.bundles.source": "closes a temporary file",
    "muxi.plugins.lease": "releases what a call holds",
    "muxi.streaming.streams": "ends streams",
    "muxi.transport.stepped": "forgets responses",
    "muxi.transport.stepped_response": "has bodies closed by another thread",
    "muxi_transports.aiohttp.response": "closes sockets",
    "muxi_transports.aiohttp.session": "does nothing",
    "muxi_transports.aiohttp.socks": "does nothing",
    "muxi_transports.aiohttp.transport": "closes sockets, and warns",
    "muxi_transports.asgi.transport": "leaves applications",
    "muxi_transports.memory.alarm": "has an alarm stopped by another thread",
    "muxi_transports.pooled.plain": "closes idle connections",
    "muxi_transports.pooled.response": "closes sockets",
    "muxi_transports.wsgi.transport": "has applications left by another thread",
}


def finalizers_in(source: str) -> int:
    """How many finalizers there are in a source: ``__del__``, and callbacks of ``weakref``."""
    found = 0
    if not any(word in source for word in ("__del__", "finalize", "ref(", "WeakMethod")):
        return found  # syntax trees of all modules take seconds
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == "__del__":
            found += 1
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += name in ("weakref.finalize", "finalize")
            found += name in ("weakref.ref", "weakref.WeakMethod", "ref", "WeakMethod") and len(node.args) > 1
    return found


def test_every_finalizer_of_the_package_is_known() -> None:
    found = set()
    for package in (muxi, muxi_transports):
        root = Path(next(iter(package.__path__)))
        for path in root.rglob("*.py"):
            if finalizers_in(path.read_text("utf-8")):
                module = ".".join((package.__name__, *path.relative_to(root).with_suffix("").parts))
                found.add(module.removesuffix(".__init__"))
    assert found == FINALIZERS.keys(), "write a scenario for a new one below"


class Watch:
    """Notes each wait for a lock of the package in a finalizer."""

    def __init__(self) -> None:
        self.finalizing = threading.local()
        self.waits: list[str] = []

    def note(self, blocking: bool) -> None:
        if blocking and getattr(self.finalizing, "on", False):
            import traceback

            self.waits.append(f"a lock in {''.join(traceback.format_stack(limit=8)[:-2])}")

    @contextmanager
    def collecting(self) -> Iterator[None]:
        self.finalizing.on = True
        try:
            yield
            gc.collect()
        finally:
            self.finalizing.on = False


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Locks that are made from here on report to the watch."""
    gc.collect()  # what other tests have left is not this one's
    watch = Watch()
    for kind in ("Lock", "RLock"):  # a Condition and an Event make theirs of these
        original = getattr(threading, kind)
        monkeypatch.setattr(threading, kind, partial(_watched, original, watch))
    return watch


def _watched(original: Callable[[], Any], watch: Watch) -> _Watched:
    return _Watched(original(), watch)


class _Watched:
    def __init__(self, lock: Any, watch: Watch) -> None:
        self._lock, self._watch = lock, watch

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        self._watch.note(blocking)
        taken: bool = self._lock.acquire(blocking, timeout)
        return taken

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


class InCycle:
    """Something in a reference cycle, which only a collector frees."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.cycle = self


def settings(tmp_path: Path, diary: Diary) -> dict[str, Any]:
    return {
        "url": "http://localhost",
        "client_key": "k",
        "plugins": [AuditTrail(tmp_path / "audit.jsonl"), ConcurrencyLimit(2), diary],
    }


def sync_transports() -> dict[str, Callable[[], Any]]:
    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield from (HELLO, HELLO, DONE)

    return {
        "scripted": lambda: ScriptedTransport(Script(HELLO, HOLD)),
        "memory": MemoryTransport,
        "wsgi": lambda: WsgiTransport(application),
    }


@pytest.mark.parametrize("name", ["scripted", "memory", "wsgi"])
def test_a_dropped_stream_waits_for_no_lock(name: str, watch: Watch, tmp_path: Path, diary: Diary) -> None:
    client = FormationClient(transport=sync_transports()[name](), **settings(tmp_path, diary))
    stream = client.chat_stream("Hello", user_id="ada")
    next(stream)
    held: Any = InCycle(stream)
    del stream
    with watch.collecting():
        del held
    assert not watch.waits, "\n".join(watch.waits)
    assert diary.ends == 0
    client.close()
    assert [outcome.left for outcome in diary.outcomes] == [True]


@contextmanager
def serving(*pieces: bytes) -> Iterator[str]:
    """A server that begins a stream on each connection, and goes on with it until the client has left."""
    listener = socket.create_server(("127.0.0.1", 0))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    def answer() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peer.recv(65536)
                peer.sendall(head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces))
                held.append(peer)

    held: list[socket.socket] = []
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        for peer in held:
            peer.close()


def _lanes_with_one_connection() -> dict[str, Callable[[], Any]]:
    """Transports of every lane, whose next request waits for the connection of the one before."""
    import requests
    from requests.adapters import HTTPAdapter

    from muxi_transports.requests import RequestsTransport
    from muxi_transports.urllib3 import Urllib3Transport

    def by_session() -> Any:
        session = requests.Session()
        session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
        return RequestsTransport(session=session)

    one: dict[str, Any] = {"pool_size": 1, "pool_block": True}
    return {
        "requests": lambda: RequestsTransport(**one),
        "urllib3": lambda: Urllib3Transport(**one),
        "requests, full": lambda: RequestsTransport(direct=False, **one),
        "urllib3, full": lambda: Urllib3Transport(direct=False, **one),
        "session": by_session,
        "adapters": lambda: RequestsTransport(adapters={"http://": HTTPAdapter(pool_maxsize=1, pool_block=True)}),
    }


@pytest.mark.parametrize("name", ["requests", "urllib3", "requests, full", "urllib3, full", "session", "adapters"])
def test_a_dropped_stream_gives_its_place_to_the_next(name: str, watch: Watch, tmp_path: Path, diary: Diary) -> None:
    with serving(HELLO, HELLO) as url:
        transport = _lanes_with_one_connection()[name]()
        client = FormationClient(transport=lambda: transport, **{**settings(tmp_path, diary), "url": url})
        for dropped in range(1, 4):
            stream = client.chat_stream("Hello", user_id="ada")
            next(stream)
            held: Any = InCycle(stream)
            del stream
            with watch.collecting():
                del held
            assert not watch.waits, "\n".join(watch.waits)
            assert diary.ends == dropped - 1
        client.close()
    assert [outcome.left for outcome in diary.outcomes] == [True] * 3


@pytest.mark.parametrize("name", ["requests", "urllib3"])
def test_the_idle_connections_of_a_dropped_transport_are_closed_without_a_lock(name: str, watch: Watch) -> None:
    from muxi.transport import Request

    with socket.create_server(("127.0.0.1", 0)) as listener:
        transport = _lanes_with_one_connection()[name]()

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                ends.append(peer.recv(1))

        ends: list[bytes] = []
        thread = threading.Thread(target=answer)
        thread.start()
        transport.send(Request("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/")).read()
        held: Any = InCycle(transport)
        del transport
        with watch.collecting():
            del held
        thread.join(10)
    assert ends == [b""]
    assert not watch.waits, "\n".join(watch.waits)


def test_a_dropped_async_stream_waits_for_no_lock(watch: Watch, tmp_path: Path, diary: Diary) -> None:
    async def scenario(transport: Any) -> None:
        client = AsyncFormationClient(transport=transport, **settings(tmp_path, diary))
        stream = await client.chat_stream("Hello", user_id="ada")
        await anext(stream)
        held: Any = InCycle(stream)
        del stream
        with watch.collecting():
            del held
        for _ in range(20):
            await asyncio.sleep(0)
        await client.close()

    for make in (lambda: ScriptedAsyncTransport(Script(HELLO, HOLD)), AsyncMemoryTransport):
        asyncio.run(scenario(make()))
    assert not watch.waits, "\n".join(watch.waits)
    assert [outcome.left for outcome in diary.outcomes] == [True, True]


def drop(watch: Watch, value: object) -> None:
    """Drop the only reference to something, in a cycle, while the locks are watched."""
    held: Any = InCycle(value)
    del value
    with watch.collecting():
        del held
    assert not watch.waits, "\n".join(watch.waits)


def test_a_dropped_bundle_waits_for_no_lock(watch: Watch, tmp_path: Path) -> None:
    folder = tmp_path / "my-bot"
    folder.mkdir()
    (folder / "formation.afs").write_text("id: my-bot\ndescription: a bot\nversion: 1.0.0\n", "utf-8")
    prepared = bundles.prepare(folder)
    body: Any = prepared.body
    file = body.file
    del body
    references = [prepared]
    del prepared
    drop(watch, references.pop())
    assert file.closed


@pytest.mark.parametrize("clock", [SystemClock, ManualClock])
def test_a_dropped_world_stops_its_alarm_without_a_lock(watch: Watch, clock: Callable[[], Clock]) -> None:
    class World:
        def wake(self) -> None:
            raise AssertionError("it has gone")

    worlds = [World()]
    alarm = Alarm(clock(), worlds[0].wake)
    alarm.set(3600)
    stopped = threading.Event()
    cancel = alarm._cancel

    def cancel_and_tell() -> None:
        cancel()
        stopped.set()

    alarm._cancel = cancel_and_tell
    drop(watch, worlds.pop())
    assert stopped.wait(20)


@pytest.mark.parametrize("same_thread", [False, True])
def test_a_dropped_answer_leaves_its_application_without_a_lock(watch: Watch, same_thread: bool) -> None:
    left = threading.Event()

    def application(environ: object, start_response: Callable[..., object]) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                yield b"x" * 65536
        finally:
            left.set()

    transport = WsgiTransport(application, same_thread=same_thread)
    answers = [transport.send(Request("GET", "http://localhost/"))]
    pieces = [answers[0].chunks()]
    next(pieces[0])
    pieces.clear()
    drop(watch, answers.pop())
    assert left.wait(20)


def test_a_dropped_answer_of_an_asgi_application_waits_for_no_lock(watch: Watch) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async def scenario() -> None:
        async with AsgiTransport(application, lifespan="off") as transport:
            answers = [await transport.send(Request("GET", "http://localhost/"))]
            drop(watch, answers.pop())
            await asyncio.wait_for(left.wait(), 20)

    left = asyncio.Event()
    asyncio.run(scenario())


def test_a_dropped_answer_of_aiohttp_waits_for_no_lock(watch: Watch) -> None:
    async def scenario(url: str) -> None:
        transport = AiohttpTransport()
        answers = [await transport.send(Request("GET", url))]
        drop(watch, answers.pop())
        await transport.close()

    with serving(HELLO) as url:
        asyncio.run(scenario(url))


@pytest.mark.filterwarnings("ignore:an AiohttpTransport was not closed:ResourceWarning")
def test_a_dropped_transport_of_aiohttp_waits_for_no_lock(watch: Watch) -> None:
    async def scenario(url: str) -> None:
        transports = [AiohttpTransport()]
        answer = await transports[0].send(Request("GET", url))
        await answer.close()
        drop(watch, transports.pop())
        await asyncio.sleep(0)

    with serving(HELLO) as url:
        asyncio.run(scenario(url))
