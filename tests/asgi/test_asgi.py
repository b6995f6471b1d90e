"""What is ASGI's own: the life of an application, leaving, loops and threads, and whole chats through it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

import fastapi
import fastapi.responses
import pytest

from muxi import AsyncFormationClient, FormationClient, ManualClock
from muxi.errors import ConfigurationError, ConnectionError, TimeoutError
from muxi.transport import BytesBody, IterableBody, Request, Timeouts
from muxi_transports.asgi import AsgiTransport, SyncAsgiTransport
from muxi_transports.memory import EmbeddedFormation, Part, Pause, Turn, WorldApp
from tests.transports.scripts import failure, get, pieces

PATIENCE = 10.0


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


# -- the life of an application --------------------------------------------------------------------------------


class Living:
    """An application that notes its life."""

    def __init__(self, failing: str = "") -> None:
        self.diary: list[str] = []
        self.failing = failing

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.diary.append("startup")
            scope["state"]["number"] = 7
            if self.failing == "startup":
                await send({"type": "lifespan.startup.failed", "message": "no database"})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.diary.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.diary.append(f"request {scope['state']['number']}")
        await hello(scope, receive, send)


def test_an_application_starts_once_and_is_shut_down_by_close() -> None:
    app = Living()
    with SyncAsgiTransport(app) as transport:
        assert app.diary == []
        for _ in range(2):
            assert transport.send(get("http://h/")).read() == b"hello"
    assert app.diary == ["startup", "request 7", "request 7", "shutdown"]

    assert transport.send(get("http://h/")).read() == b"hello"
    transport.close()
    assert app.diary[4:] == ["startup", "request 7", "shutdown"]


def test_requests_at_once_wait_for_one_start() -> None:
    app = Living()
    with SyncAsgiTransport(app) as transport, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: transport.send(get("http://h/")).read(), range(4)))
    assert app.diary.count("startup") == 1


def test_a_failed_start_is_no_connection_and_is_tried_again() -> None:
    app = Living("startup")
    with SyncAsgiTransport(app) as transport:
        error = failure(transport, get("http://h/"))
        assert isinstance(error, ConnectionError)
        assert (error.code, error.connected) == ("CONNECTION_FAILED", False)
        assert "no database" in error.message
        app.failing = ""
        assert transport.send(get("http://h/")).read() == b"hello"


def test_a_slow_start_keeps_the_bound_of_connecting_and_goes_on() -> None:
    go = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await asyncio.to_thread(go.wait, PATIENCE)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            return
        await hello(scope, receive, send)

    with SyncAsgiTransport(app) as transport:
        error = failure(transport, get("http://h/", timeouts=Timeouts(connect=0.02)))
        assert isinstance(error, TimeoutError)
        assert (error.bound, error.connected) == ("connect", False)
        go.set()
        assert transport.send(get("http://h/")).read() == b"hello"


@pytest.mark.parametrize("mode", ["auto", "on", "off"])
def test_an_application_without_a_lifespan(mode: Any) -> None:
    scopes: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope["type"])
        if scope["type"] != "http":
            raise NotImplementedError
        await hello(scope, receive, send)

    with SyncAsgiTransport(app, lifespan=mode) as transport:
        if mode == "on":
            error = failure(transport, get("http://h/"))
            assert "did not start" in error.message
        else:
            assert transport.send(get("http://h/")).read() == b"hello"
    assert scopes == {"auto": ["lifespan", "http"], "on": ["lifespan"], "off": ["http"]}[mode]


def test_settings_of_no_use_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="'auto', 'on' or 'off'"):
        AsgiTransport(hello, lifespan="yes")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ConfigurationError, match="ASGI application"):
        SyncAsgiTransport("app:app")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ConfigurationError, match="async transport"):
        FormationClient(transport=AsgiTransport(hello), url="http://localhost")


# -- leaving ---------------------------------------------------------------------------------------------------


def test_an_application_hears_that_its_client_has_left() -> None:
    heard = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["more_body"] is False
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        if (await receive())["type"] == "http.disconnect":
            heard.set()

    async def run() -> None:
        async with AsgiTransport(app, lifespan="off") as transport:
            response = await transport.send(get("http://h/", stream=True))
            async for chunk in response.chunks():
                assert chunk == b"first"
                break
            await response.close()
            await asyncio.wait_for(heard.wait(), PATIENCE)

    asyncio.run(run())


def test_one_that_only_sends_is_told_by_an_error() -> None:
    ended: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        except OSError as error:
            ended.append(error)
            raise

    async def run() -> None:
        async with AsgiTransport(app, lifespan="off") as transport:
            await (await transport.send(get("http://h/"))).close()

    asyncio.run(run())
    assert len(ended) == 1


def test_a_cancelled_send_leaves() -> None:
    heard = asyncio.Event()
    called = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        called.set()
        if (await receive())["type"] == "http.disconnect":
            heard.set()

    async def run() -> None:
        async with AsgiTransport(app, lifespan="off") as transport:
            sending = asyncio.ensure_future(transport.send(get("http://h/")))
            await called.wait()
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            assert sending.cancelled()
            await asyncio.wait_for(heard.wait(), PATIENCE)

    asyncio.run(run())


def test_close_ends_a_wait_for_the_head_and_cancels_what_does_not_end() -> None:
    cancelled = threading.Event()
    called = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        called.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    transport = SyncAsgiTransport(app, lifespan="off", grace=0.01)
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(transport.send, get("http://h/"))
        assert called.wait(PATIENCE)
        transport.close()
        with pytest.raises(ConnectionError, match="closed"):
            sending.result(PATIENCE)
    assert cancelled.is_set()


def test_work_after_the_answer_is_finished_before_the_transport_is_closed() -> None:
    answered, done = threading.Event(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        await asyncio.to_thread(answered.wait, PATIENCE)
        for _ in range(100):
            await asyncio.sleep(0)
        done.set()

    with SyncAsgiTransport(app, lifespan="off") as transport:
        assert transport.send(get("http://h/")).read() == b"hello"
        assert not done.is_set()
        answered.set()
    assert done.is_set()


@pytest.mark.parametrize("as_it_is", [False, True])
def test_what_is_raised_after_the_answer_is_logged_or_comes_out(
    as_it_is: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        raise LookupError("afterwards")

    with SyncAsgiTransport(app, lifespan="off", raise_app_exceptions=as_it_is) as transport:
        if as_it_is:
            with pytest.raises(LookupError, match="afterwards"):
                transport.send(get("http://h/")).read()
        else:
            assert transport.send(get("http://h/")).read() == b"hello"
    assert ("LookupError: afterwards" in caplog.text) is not as_it_is


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "http.response.start", "status": 200, "headers": []}],
        [{"type": "http.response.body", "body": b""}],
        [{"type": "http.response.start", "status": 200}] * 2,
        [{"type": "websocket.accept"}],
    ],
    ids=["nothing", "no body", "no start", "two starts", "another protocol"],
)
def test_an_answer_that_is_none_is_a_lost_connection(messages: list[dict[str, Any]]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    with SyncAsgiTransport(app, lifespan="off") as transport:
        error = failure(transport, get("http://h/"))
    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("CONNECTION_LOST", True)


# -- loops and threads -----------------------------------------------------------------------------------------


def test_a_transport_belongs_to_one_loop_as_long_as_there_is_that() -> None:
    transport = AsgiTransport(hello, lifespan="off")

    async def use() -> bytes:
        return await (await transport.send(get("http://h/"))).read()

    assert asyncio.run(use()) == b"hello"
    assert asyncio.run(use()) == b"hello"

    async def use_in_two() -> None:
        await use()
        with ThreadPoolExecutor() as pool, pytest.raises(ConfigurationError, match="another one"):
            pool.submit(asyncio.run, use()).result(PATIENCE)

    asyncio.run(use_in_two())


def test_an_application_that_would_wait_for_itself_is_told_so() -> None:
    transport: SyncAsgiTransport

    async def app(scope: Any, receive: Any, send: Any) -> None:
        transport.send(get("http://h/"))

    transport = SyncAsgiTransport(app, lifespan="off", raise_app_exceptions=True)
    with transport, pytest.raises(ConfigurationError, match="wait for itself"):
        transport.send(get("http://h/"))


def test_the_thread_ends_with_the_transport() -> None:
    with SyncAsgiTransport(hello) as transport:
        transport.send(get("http://h/")).read()
        assert "muxi-asgi" in {thread.name for thread in threading.enumerate()}
    assert "muxi-asgi" not in {thread.name for thread in threading.enumerate()}


# -- frameworks ------------------------------------------------------------------------------------------------


def test_fastapi_with_a_lifespan_bodies_and_a_stream_that_is_left() -> None:
    diary: list[str] = []
    left = threading.Event()

    @asynccontextmanager
    async def lifespan(app: fastapi.FastAPI) -> AsyncIterator[dict[str, str]]:
        diary.append("up")
        yield {"name": "ada"}
        diary.append("down")

    app = fastapi.FastAPI(lifespan=lifespan)

    @app.post("/echo")
    async def echo(request: fastapi.Request) -> fastapi.Response:
        return fastapi.Response(await request.body(), headers={"X-Name": request.state.name})

    @app.get("/stream")
    async def stream() -> fastapi.responses.StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            try:
                yield b"data: 1\n\n"
                await asyncio.Event().wait()
            finally:
                left.set()

        return fastapi.responses.StreamingResponse(events(), media_type="text/event-stream")

    with SyncAsgiTransport(app) as transport:
        for body in (BytesBody(b"onetwo"), IterableBody(pieces), IterableBody(pieces, 6)):
            response = transport.send(Request("POST", "http://h/echo", body=body))
            assert (response.headers["x-name"], response.read()) == ("ada", b"onetwo")
        streamed = transport.send(get("http://h/stream", stream=True))
        assert next(streamed.chunks()) == b"data: 1\n\n"
        streamed.close()
        assert left.wait(PATIENCE)
    assert diary == ["up", "down"]


# -- whole chats -----------------------------------------------------------------------------------------------


def talkative(turn: Turn) -> Iterator[Part]:
    yield "You said: "
    yield Pause(1)
    yield turn.message


@pytest.fixture
def world() -> EmbeddedFormation:
    world = EmbeddedFormation(client_key="fmc_test", clock=ManualClock())
    world.agent("assistant", talkative)
    return world


SETTINGS: dict[str, Any] = {"url": "http://localhost", "client_key": "fmc_test"}


def test_several_sync_clients_chat_with_a_formation(world: EmbeddedFormation) -> None:
    def chat(client: FormationClient, number: int) -> str:
        return "".join(client.chat_stream(f"Hi {number}", user_id=f"user-{number}").text())

    with SyncAsgiTransport(WorldApp(world), clock=world.clock) as transport:
        clients = [FormationClient(transport=transport, **SETTINGS) for _ in range(2)]
        assert clients[0].clock is world.clock
        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(lambda number: chat(clients[number % 2], number), range(16)))
        assert texts == [f"You said: Hi {number}" for number in range(16)]
        for client in clients:
            client.close()


def test_several_async_clients_chat_with_a_formation(world: EmbeddedFormation) -> None:
    async def chat(client: AsyncFormationClient, number: int) -> str:
        stream = client.chat_stream(f"Hi {number}", user_id=f"user-{number}")
        return "".join([piece async for piece in stream.text()])

    async def run() -> list[str]:
        async with AsgiTransport(WorldApp(world), clock=world.clock) as transport:
            clients = [AsyncFormationClient(transport=transport, **SETTINGS) for _ in range(2)]
            try:
                return await asyncio.gather(*(chat(clients[number % 2], number) for number in range(16)))
            finally:
                for client in clients:
                    await client.close()

    assert asyncio.run(run()) == [f"You said: Hi {number}" for number in range(16)]


def test_a_chat_that_is_left_is_cancelled() -> None:
    left = threading.Event()
    world = EmbeddedFormation(client_key="fmc_test", clock=ManualClock(auto_advance=False))

    @world.agent("assistant")
    def endless(turn: Turn) -> Iterator[Part]:
        try:
            yield "first"
            yield Pause(3600)
        finally:
            left.set()

    with SyncAsgiTransport(WorldApp(world)) as transport, FormationClient(transport=transport, **SETTINGS) as client:
        with client.chat_stream("Hi", user_id="ada") as stream:
            assert next(iter(stream.text())) == "first"
        assert left.wait(PATIENCE)
