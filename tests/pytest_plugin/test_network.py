"""Clients of a test reach this machine alone, unless it names hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import Pytest

NETWORK = """
import socket, threading
import pytest
from muxi import FormationClient, AsyncFormationClient, MuxiError
from muxi_transports.requests import RequestsTransport
from muxi_transports.faulty import FaultyTransport

@pytest.fixture
def nobody():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]

class Mine(RequestsTransport):
    pass

CHOICES = [
    "requests", lambda: RequestsTransport(), lambda: Mine(), lambda: FaultyTransport(RequestsTransport()),
    lambda: FaultyTransport("requests"),
]

def reach(url, choice="requests"):
    transport = choice if isinstance(choice, str) else choice()
    with FormationClient(url=url, client_key="fmc_x", transport=transport, max_retries=0) as client:
        client.health()
"""


@pytest.mark.slow  # starts an interpreter with pytest
def test_other_hosts_are_refused_and_this_machine_is_not(run_pytest: Pytest) -> None:
    source = (
        NETWORK
        + """
import asyncio
from muxi.testing.network import NetworkBlocked

@pytest.mark.parametrize("choice", CHOICES)
def test_refused(muxi_world, choice):
    with pytest.raises(NetworkBlocked, match='mark the test with @pytest.mark.muxi_network."muxi.invalid"') as caught:
        reach("https://muxi.invalid", choice)
    assert not isinstance(caught.value, MuxiError)

def test_refused_async(muxi_world):
    async def ask():
        async with AsyncFormationClient(url="https://muxi.invalid", client_key="fmc_x", transport="aiohttp") as client:
            await client.health()
    with pytest.raises(NetworkBlocked):
        asyncio.run(ask())

def test_loopback(muxi_world, nobody):
    with pytest.raises(MuxiError, match="CONNECTION_REFUSED"):
        reach(f"http://127.0.0.1:{nobody}")

@pytest.mark.muxi_network
def test_allowed(muxi_world):
    with pytest.raises(MuxiError, match="CONNECTION_FAILED|DNS_ERROR"):
        reach("https://muxi.invalid")

@pytest.mark.muxi_network("muxi.invalid")
def test_one_host_allowed(muxi_world):
    with pytest.raises(MuxiError, match="CONNECTION_FAILED|DNS_ERROR"):
        reach("https://muxi.invalid")
    with pytest.raises(NetworkBlocked):
        reach("https://other.invalid")

def test_nothing_is_refused_without_a_fixture():
    with pytest.raises(MuxiError, match="CONNECTION_FAILED|DNS_ERROR"):
        reach("https://muxi.invalid")
"""
    )
    run = run_pytest(source)
    assert run.counts == {"passed": 10}, run.output


@pytest.mark.slow  # starts an interpreter with pytest
def test_a_setting_refuses_them_in_all_tests(run_pytest: Pytest, tmp_path: Path) -> None:
    source = (
        NETWORK
        + """
client = FormationClient(url="https://muxi.invalid", client_key="fmc_x", max_retries=0)

def test_refused():
    with pytest.raises(RuntimeError, match="tests reach no host but this machine"):
        reach("https://muxi.invalid")

def test_made_on_import():
    with pytest.raises(RuntimeError, match="tests reach no host but this machine"):
        client.health()

@pytest.mark.muxi_network
def test_allowed(nobody):
    with pytest.raises(MuxiError, match="CONNECTION_FAILED|DNS_ERROR"):
        reach("https://muxi.invalid")
"""
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmuxi_block_network = true\n", encoding="utf-8")
    run = run_pytest(source)
    assert run.counts == {"passed": 3}, run.output


# -- async plugins of others ---------------------------------------------------------------------------------------
