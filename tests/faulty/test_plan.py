"""Which request meets which fault, and how faulty transports fit in among the others."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi import AsyncFormationClient, ConnectionError, FormationClient
from muxi.errors import ConfigurationError
from muxi.transport import Request
from muxi_transports.faulty import AsyncFaultyTransport, Faults, FaultyTransport, Refuse, ResetAnswer, Stall, Status
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport


def request(method: str = "GET", path: str = "/v1/health") -> Request:
    return Request(method, f"http://memory{path}")


def test_a_script_goes_first_then_the_rules_in_order() -> None:
    faults = Faults(Refuse(), None)
    faults.on("GET /v1/health", Status(503), times=1, skip=1)
    faults.on("/v1", ResetAnswer())
    met = [faults.choose(request()) for _ in range(6)]
    assert met == [Refuse(), None, ResetAnswer(), Status(503), ResetAnswer(), ResetAnswer()]
    assert faults.choose(request(path="/other")) is None
    assert [(struck.method, struck.fault) for struck in faults.struck][:2] == [
        ("GET", Refuse()),
        ("GET", ResetAnswer()),
    ]
    faults.clear()
    assert faults.choose(request()) is None
    assert len(faults.struck) == 5


def test_chance_is_the_same_each_time() -> None:
    def run(seed: int) -> list[bool]:
        faults = Faults(seed=seed)
        faults.on("*", Refuse(), probability=0.3)
        return [faults.choose(request()) is not None for _ in range(200)]

    assert run(1) == run(1) != run(2)
    assert 30 < sum(run(1)) < 90


@given(
    probability=st.sampled_from([0.0, 1.0]), times=st.integers(0, 5), skip=st.integers(0, 5), asked=st.integers(0, 20)
)
def test_no_more_and_no_less_than_was_said(probability: float, times: int, skip: int, asked: int) -> None:
    faults = Faults()
    faults.on("*", Refuse(), times=times, skip=skip, probability=probability)
    met = [faults.choose(request()) for _ in range(asked)]
    expected = min(times, max(0, asked - skip)) if probability else 0
    assert sum(fault is not None for fault in met) == len(faults.struck) == expected


def test_what_is_secret_in_an_address_is_not_listed() -> None:
    faults = Faults(Refuse())
    faults.choose(Request("GET", "http://user:hushhush@memory/v1/health?api_key=hushhush"))
    assert "hushhush" not in repr(faults.struck)


@pytest.mark.parametrize(
    "use",
    [
        lambda faults: faults.script(Refuse),
        lambda faults: faults.script("refuse"),
        lambda faults: faults.on("*", None),
        lambda faults: faults.on("not a rule", Refuse()),
        lambda faults: faults.on("*", Refuse(), probability=2),
        lambda faults: faults.on("*", Refuse(), times=-1),
        lambda faults: faults.on("*", Refuse(), skip=-1),
    ],
)
def test_plans_that_have_no_sense(use: Any) -> None:
    with pytest.raises(ConfigurationError):
        use(Faults())


def test_a_class_is_no_fault_and_the_error_says_what_is() -> None:
    with pytest.raises(ConfigurationError, match=r"give Refuse\(\)"):
        Faults(Refuse)  # type: ignore[arg-type]  # the mistake


def test_one_plan_serves_both_colours() -> None:
    faults, world = Faults(), EmbeddedFormation()
    faults.on("*", Refuse(), times=2)
    sync = FormationClient(
        transport=FaultyTransport(MemoryTransport(world), faults), url="http://memory", client_key="k", max_retries=0
    )
    other = AsyncFormationClient(
        transport=AsyncFaultyTransport(AsyncMemoryTransport(world), faults),
        url="http://memory",
        client_key="k",
        max_retries=0,
    )
    with pytest.raises(ConnectionError):
        sync.health()
    with pytest.raises(ConnectionError):
        asyncio.run(_health(other))
    assert sync.health()["status"]
    assert len(faults.struck) == 2


async def _health(client: AsyncFormationClient) -> Any:
    async with client:
        return await client.health()


def test_a_name_is_wrapped_too_and_closed_with_it() -> None:
    with FormationClient(transport=FaultyTransport("memory"), url="http://memory", client_key="k") as client:
        assert client.health()["status"]


def test_the_other_colour_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="async"):
        FaultyTransport(AsyncMemoryTransport())  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ConfigurationError, match="sync"):
        AsyncFaultyTransport(MemoryTransport())  # type: ignore[arg-type]  # the mistake


def test_a_plan_shows_what_is_in_it() -> None:
    faults = Faults(Refuse())
    faults.on("/v1/chat", Status(503))
    shown = repr(FaultyTransport("memory", faults))
    assert shown.startswith("FaultyTransport(memory, Faults(Refuse(), '/v1/chat': Status(status=503")


def test_a_stall_in_earnest_ends_when_the_stream_is_closed() -> None:
    """On the machine's own clock, from another thread."""
    faults = Faults(Stall(60, after=10))
    client = FormationClient(transport=FaultyTransport("memory", faults), url="http://memory", client_key="k")
    stream = client.chat_stream("Hi", user_id="ada")
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    stream.close()
    reader.join(30)
    assert not reader.is_alive()


def test_a_stall_in_earnest_ends_when_the_async_stream_is_closed() -> None:
    faults = Faults(Stall(60, after=10))

    async def scenario() -> None:
        client = AsyncFormationClient(
            transport=AsyncFaultyTransport("memory", faults), url="http://memory", client_key="k"
        )
        stream = await client.chat_stream("Hi", user_id="ada")
        reader = asyncio.ensure_future(_drain(stream))
        await asyncio.sleep(0)
        await stream.close()
        await asyncio.wait_for(reader, 30)

    asyncio.run(scenario())


async def _drain(stream: Any) -> None:
    async for _ in stream:
        pass
