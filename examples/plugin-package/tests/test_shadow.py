"""The transport: it keeps every rule of transports, and repeats what it may."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest
from acme_muxi import AsyncShadowTransport, ShadowTransport

from muxi import AsyncFormationClient, FormationClient
from muxi.errors import ConnectionError
from muxi.testing import transport_suite
from muxi.transport import AsyncResponse, AsyncTransport, BytesBody, Headers, Request, Response, Transport
from muxi_transports.memory import AsyncMemoryTransport, MemoryTransport


class TestConformance(transport_suite.TransportSuite):
    def make_transport(self) -> Transport:
        return ShadowTransport(None)


class TestAsyncConformance(transport_suite.AsyncTransportSuite):
    def make_transport(self) -> AsyncTransport:
        return AsyncShadowTransport(None)


class Recorded(MemoryTransport):
    """An in-memory world behind every address but one, which is down."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        if request.url.startswith("http://down"):
            raise ConnectionError("CONNECTION_REFUSED", "down:80 refused the connection", connected=False)
        return super().send(request)


def get(**options: object) -> Request:
    headers = Headers({"X-Muxi-Client-Key": "any"})
    return Request("GET", "http://live:8001/v1/health?deep=1", headers, **options)  # type: ignore[arg-type]  # any field


def test_a_read_is_repeated_at_the_second_address() -> None:
    inner = Recorded()
    transport = ShadowTransport("https://candidate:8443", inner)

    assert transport.send(get()).status == 200
    transport.close()

    assert [request.url for request in inner.sent] == [
        "http://live:8001/v1/health?deep=1",
        "https://candidate:8443/v1/health?deep=1",
    ]
    assert inner.sent[0].headers == inner.sent[1].headers
    assert (transport.count.answered, transport.count.failed) == (1, 0)


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "http://live/v1/chat", body=BytesBody(b"{}")),
        Request("DELETE", "http://live/v1/sessions/s"),
        get(stream=True),
    ],
    ids=["post", "delete", "stream"],
)
def test_nothing_else_is_repeated(request_: Request) -> None:
    inner = Recorded()
    transport = ShadowTransport("http://candidate", inner)

    transport.send(request_).close()
    transport.close()

    assert len(inner.sent) == 1


def test_a_second_address_that_is_down_disturbs_nobody() -> None:
    transport = ShadowTransport("http://down", Recorded())

    assert transport.send(get()).status == 200
    transport.close()

    assert (transport.count.answered, transport.count.failed) == (0, 1)


def test_tasks_repeat_too() -> None:
    class AsyncRecorded(AsyncMemoryTransport):
        urls: ClassVar[list[str]] = []

        async def send(self, request: Request) -> AsyncResponse:
            self.urls.append(request.url)
            return await super().send(request)

    async def scenario() -> AsyncShadowTransport:
        transport = AsyncShadowTransport("http://candidate", AsyncRecorded())
        assert (await transport.send(get())).status == 200
        await transport.close()
        return transport

    count = asyncio.run(scenario()).count

    assert (count.answered, count.failed) == (1, 0)
    assert AsyncRecorded.urls == ["http://live:8001/v1/health?deep=1", "http://candidate/v1/health?deep=1"]


def test_clients_find_it_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_SHADOW_URL", raising=False)
    monkeypatch.setenv("MUXI_TRANSPORT", "acme-shadow")

    client = FormationClient(url="http://127.0.0.1:9", client_key="any", max_retries=0)
    with client, pytest.raises(ConnectionError):  # nobody is there: the answer is that of a real transport
        client.health()

    async def scenario() -> None:
        async with AsyncFormationClient(url="http://127.0.0.1:9", client_key="any", max_retries=0) as client:
            with pytest.raises(ConnectionError):
                await client.health()

    asyncio.run(scenario())
