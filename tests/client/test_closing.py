"""Closing a client ends what its calls wait for, at once, and nothing is sent again afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from muxi import (
    AsyncFormationClient,
    ConfigurationError,
    ConnectionError,
    Context,
    FormationClient,
    MuxiError,
    RateLimitError,
    hookimpl,
)
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
from tests.answers import answer, failure

PATIENCE = 10.0


class Waiting:
    """A plugin that tells when a call begins to wait for its next attempt."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.attempts = 0

    @hookimpl
    def muxi_retry_scheduled(self, context: Context) -> None:
        self.begun.set()

    @hookimpl
    def muxi_prepare_request(self, context: Context) -> None:
        self.attempts = context.attempt


class Canned(Transport):
    """Answers always the same."""

    def __init__(self, response: BufferedResponse) -> None:
        self.response = response

    def send(self, request: Request) -> Response:
        return replayed(self.response)


class AsyncCanned(AsyncTransport):
    def __init__(self, response: BufferedResponse) -> None:
        self.response = response

    async def send(self, request: Request) -> AsyncResponse:
        return replayed_async(self.response)


def in_thread(call: Callable[[], Any]) -> Future[Any]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(call)
    pool.shutdown(wait=False)
    return future


def test_a_wait_for_the_next_attempt_ends_with_the_failure_it_had() -> None:
    waiting = Waiting()
    client = FormationClient(
        url="http://localhost", client_key="k", transport=Canned(failure(429, retry_after="100")), plugins=[waiting]
    )
    future = in_thread(lambda: client.get_memories("ada"))
    assert waiting.begun.wait(PATIENCE)
    client.close()
    with pytest.raises(RateLimitError):
        future.result(PATIENCE)
    assert waiting.attempts == 1


def test_so_does_that_of_an_async_client() -> None:
    async def scenario() -> None:
        waiting = Waiting()
        client = AsyncFormationClient(
            url="http://localhost",
            client_key="k",
            transport=AsyncCanned(failure(429, retry_after="100")),
            plugins=[waiting],
        )
        task = asyncio.ensure_future(client.get_memories("ada"))
        await asyncio.to_thread(waiting.begun.wait, PATIENCE)
        await client.close()
        with pytest.raises(RateLimitError):
            await asyncio.wait_for(task, PATIENCE)
        assert waiting.attempts == 1

    asyncio.run(scenario())


def test_a_wait_of_a_procedure_ends_too() -> None:
    looked = threading.Event()

    class Looks:
        @hookimpl
        def muxi_call_finished(self) -> None:
            looked.set()

    client = FormationClient(
        url="http://localhost", client_key="k", transport=Canned(answer({"status": "processing"})), plugins=[Looks()]
    )
    future = in_thread(lambda: client.wait_for_request("req_1", "ada"))
    assert looked.wait(PATIENCE)
    client.close()
    with pytest.raises(ConfigurationError, match="has been closed"):
        future.result(PATIENCE)


class Held(Transport):
    """Keeps a request until it is released, or until the transport is closed."""

    def __init__(self, *, ends_by_itself: bool) -> None:
        self.arrived = threading.Event()
        self.released = threading.Event()
        self.closed = 0
        self.sent = 0
        self._ends_by_itself = ends_by_itself

    def send(self, request: Request) -> Response:
        self.sent += 1
        self.arrived.set()
        assert self.released.wait(PATIENCE)
        if self._ends_by_itself:
            raise ConnectionError("CONNECTION_LOST", "the transport was closed")
        return _Counted(self, answer({}) if not request.stream else _EVENTS)

    def close(self) -> None:
        if self._ends_by_itself:
            self.released.set()


_EVENTS = BufferedResponse(200, [("Content-Type", "text/event-stream")], b"event: done\ndata: {}\n\n")


class _Counted(Response):
    def __init__(self, transport: Held, buffered: BufferedResponse) -> None:
        super().__init__(buffered.status, buffered.headers)
        self._transport = transport
        self._content = buffered.content

    def chunks(self) -> Any:
        yield self._content

    def close(self) -> None:
        self._transport.closed += 1


CALLS: list[Callable[[FormationClient], object]] = [
    lambda client: client.get_memories("ada"),
    lambda client: client.chat_stream("Hello"),
    lambda client: client.with_raw_response.get_memories("ada"),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("ends_by_itself", [True, False])
def test_a_call_that_waits_for_its_answer_ends_with_a_lost_connection(
    call: Callable[[FormationClient], object], ends_by_itself: bool
) -> None:
    transport = Held(ends_by_itself=ends_by_itself)
    client = FormationClient(url="http://localhost", client_key="k", transport=lambda: transport)
    future = in_thread(lambda: call(client))
    assert transport.arrived.wait(PATIENCE)
    client.close()
    transport.released.set()
    with pytest.raises(ConnectionError) as caught:
        future.result(PATIENCE)
    assert (caught.value.code, caught.value.connected, caught.value.attempts) == ("CONNECTION_LOST", True, 1)
    closed = "the transport was closed" if ends_by_itself else "the client was closed before the answer arrived"
    assert caught.value.message == closed
    assert transport.sent == 1
    assert transport.closed == (0 if ends_by_itself else 1)


def test_a_transport_that_belongs_to_others_goes_on() -> None:
    transport = Held(ends_by_itself=False)
    client = FormationClient(url="http://localhost", client_key="k", transport=transport)
    future = in_thread(lambda: client.get_memories("ada"))
    assert transport.arrived.wait(PATIENCE)
    client.close()
    transport.released.set()
    assert future.result(PATIENCE) == {}


def test_plugins_that_are_told_of_the_end_can_still_make_calls() -> None:
    class Says:
        said: object = None

        @hookimpl
        def muxi_client_closed(self, client: Any) -> None:
            try:
                self.said = client.get_memories("ada")
            except MuxiError as error:
                self.said = error

    says = Says()
    FormationClient(
        url="http://localhost", client_key="k", transport=lambda: Canned(answer({})), plugins=[says]
    ).close()
    assert says.said == {}
