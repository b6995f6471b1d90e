"""Lookups of names by async clients: bounded, and holding up neither the loop's other work nor its end."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from muxi import AsyncFormationClient, TimeoutError
from muxi.errors import ConnectionError
from muxi_transports.aiohttp import AiohttpTransport
from tests.pooled.test_lookup import Resolver, lookups
from tests.transports.conftest import ServerFactory
from tests.transports.raw_server import PATIENCE, Peer
from tests.transports.scripts import ok
from tests.transports.test_bounds import deaf_addresses

__all__ = ["deaf_addresses"]  # a fixture

SHORT = 0.15
URL = "http://slow.invalid"


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """A resolver of the system that never answers for one name, until the test is over."""
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.released.set()
    for thread in lookups():
        thread.join(PATIENCE)


def client(url: str = URL, *, transport: AiohttpTransport | None = None, **bounds: Any) -> AsyncFormationClient:
    made = transport or AiohttpTransport(trust_env=False)
    return AsyncFormationClient(url=url, client_key="k", max_retries=0, transport=lambda: made, **bounds)


async def failure(asking: AsyncFormationClient) -> TimeoutError:
    """The error of a call, which comes about when its bound has passed."""
    async with asking:
        started = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            await asking.health()
        assert SHORT / 2 < time.monotonic() - started < 8 * SHORT
    return caught.value


_BOUNDS = pytest.mark.parametrize(
    ("bounds", "code", "bound"),
    [
        ({"connect_timeout": SHORT, "timeout": 9.0}, "CONNECT_TIMEOUT", "connect"),
        ({"connect_timeout": 9.0, "timeout": SHORT}, "TIMEOUT", "timeout"),
    ],
    ids=["connect_timeout", "timeout"],
)


@_BOUNDS
def test_a_resolver_that_never_answers_is_bounded_as_connecting_is(
    resolver: Resolver, bounds: dict[str, Any], code: str, bound: str
) -> None:
    error = asyncio.run(failure(client(**bounds)))

    assert (error.code, error.bound, error.connected) == (code, bound, False)
    assert resolver.count == 1
    # The loop has ended, though the lookup goes on: asyncio waits for the threads of its executor only.
    assert [thread.daemon for thread in lookups()] == [True]


@_BOUNDS
@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h", "socks4"])
def test_the_lookup_of_a_proxy_is_bounded_too(
    resolver: Resolver, scheme: str, bounds: dict[str, Any], code: str, bound: str
) -> None:
    async def scenario() -> TimeoutError:
        proxies = {"all": f"{scheme}://slow.invalid:3128"}
        try:
            return await failure(client("http://127.0.0.1:9", transport=AiohttpTransport(proxies=proxies), **bounds))
        finally:
            assert resolver.count == 1
            assert [thread.daemon for thread in lookups()] == [True]

    error = asyncio.run(scenario())

    assert (error.code, error.bound, error.connected) == (code, bound, False)


@_BOUNDS
@pytest.mark.parametrize("scheme", ["socks5", "socks4"])
def test_a_name_that_is_looked_up_for_a_proxy_is_bounded_too(
    resolver: Resolver, serve: ServerFactory, scheme: str, bounds: dict[str, Any], code: str, bound: str
) -> None:
    proxies = {"all": f"{scheme}://127.0.0.1:{serve(lambda peer: peer.wait_for_end()).port}"}
    error = asyncio.run(failure(client(transport=AiohttpTransport(proxies=proxies), **bounds)))

    assert (error.code, error.bound, error.connected) == (code, bound, False)
    assert [thread.daemon for thread in lookups()] == [True]


def test_many_calls_that_want_one_name_share_one_lookup_and_leave_the_executor_free(resolver: Resolver) -> None:
    async def scenario() -> list[object]:
        async with client(connect_timeout=SHORT) as asking:
            calls = [asking.health() for _ in range(60)]
            work = asyncio.to_thread(threading.active_count)
            found: list[object] = list(await asyncio.gather(work, *calls, return_exceptions=True))
            assert isinstance(found[0], int)
            return found[1:]

    assert {type(error) for error in asyncio.run(scenario())} == {TimeoutError}
    assert (resolver.count, len(lookups())) == (1, 1)


async def closed_while_it_waits(asking: AsyncFormationClient, has_begun: Callable[[], bool]) -> ConnectionError:
    """The error of a call whose client is closed."""
    call = asyncio.ensure_future(asking.health())
    while not has_begun():  # noqa: ASYNC110  nothing tells that connecting has begun
        await asyncio.sleep(0.001)
    await asking.close()
    with pytest.raises(ConnectionError) as caught:
        await asyncio.wait_for(call, PATIENCE)
    assert not call.cancelled()
    return caught.value


def test_closing_a_client_ends_the_wait_for_a_lookup(resolver: Resolver) -> None:
    error = asyncio.run(closed_while_it_waits(client(timeout=60.0, connect_timeout=60.0), resolver.asked.is_set))

    assert (error.code, error.connected) == ("CONNECTION_LOST", False)


def test_closing_a_client_ends_the_wait_for_one_of_its_connections(serve: ServerFactory) -> None:
    asked = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        asked.set()
        peer.wait_for_end()

    async def scenario() -> list[object]:
        transport = AiohttpTransport(pool_size=1, pool_block=True)
        asking = client(serve(script).url, transport=transport, timeout=60.0, connect_timeout=60.0)
        calls = [asyncio.ensure_future(asking.health()) for _ in range(2)]
        await asyncio.to_thread(asked.wait, PATIENCE)
        await asking.close()
        return list(await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), PATIENCE))

    assert [getattr(error, "code", error) for error in asyncio.run(scenario())] == ["CONNECTION_LOST"] * 2


def test_closing_a_client_ends_its_connecting(deaf_addresses: str) -> None:
    async def scenario() -> ConnectionError:
        asking = client(deaf_addresses, timeout=60.0, connect_timeout=60.0)
        tasks = len(asyncio.all_tasks())
        return await closed_while_it_waits(asking, lambda: len(asyncio.all_tasks()) > tasks + 1)

    assert asyncio.run(scenario()).code == "CONNECTION_LOST"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 does not count the cancellations of a task")
def test_a_call_that_is_cancelled_while_its_client_is_closed_is_cancelled(resolver: Resolver) -> None:
    async def scenario() -> None:
        asking = client(timeout=60.0, connect_timeout=60.0)
        call = asyncio.ensure_future(asking.health())
        await asyncio.to_thread(resolver.asked.wait, PATIENCE)
        call.cancel()
        await asking.close()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(scenario())


def test_a_lookup_that_ends_in_time_serves_all_that_wait(resolver: Resolver, serve: ServerFactory) -> None:
    async def scenario() -> list[Any]:
        async with client(f"{URL}:{serve(ok).port}") as asking:
            calls = [asyncio.ensure_future(asking.health()) for _ in range(3)]
            await asyncio.to_thread(resolver.asked.wait, PATIENCE)
            resolver.released.set()
            return await asyncio.gather(*calls, return_exceptions=True)

    answers = asyncio.run(scenario())
    # The script's answer is no JSON object; it has come.
    assert {getattr(answer, "code", answer) for answer in answers} == {"UNEXPECTED_ANSWER"}


def test_an_unknown_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    async def scenario() -> ConnectionError:
        async with client("http://unknown.invalid") as asking:
            with pytest.raises(ConnectionError) as caught:
                await asking.health()
        return caught.value

    error = asyncio.run(scenario())
    assert (error.code, error.connected) == ("DNS_ERROR", False)
    assert "Name or service not known" in error.message
