"""The plugin, in the in-memory world of muxi-client: with state, and without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from acme_muxi import USAGE, CostCentre, Ledger, Usage, cost_centre

from muxi import AsyncFormationClient, FormationClient, NotFoundError
from muxi.transport import Request, Response
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport


class Spy(MemoryTransport):
    """The in-memory world, and who paid for each request to it."""

    def __init__(self) -> None:
        super().__init__(EmbeddedFormation())
        self.payers: list[str | None] = []

    def send(self, request: Request) -> Response:
        self.payers.append(request.headers.get("X-Acme-Cost-Centre"))
        return super().send(request)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins are given by the test; that of the installed package has the same name and would be in the way."""
    monkeypatch.setenv("MUXI_DISABLE_PLUGINS", "acme.cost_centre")


@pytest.fixture
def formation(own: None, ledger: Ledger, spy: Spy) -> Iterator[FormationClient]:
    plugin = CostCentre(ledger, "search")
    with FormationClient(transport=spy, url="http://memory", client_key="any", plugins=[plugin]) as client:
        yield client


def test_every_request_says_who_pays(formation: FormationClient, spy: Spy) -> None:
    formation.health()
    with cost_centre("marketing"):
        formation.health()

    assert spy.payers == ["search", "marketing"]


def test_calls_failures_and_text_are_counted(formation: FormationClient, ledger: Ledger) -> None:
    text = formation.chat_stream("Hello!", user_id="ada").result()["content"]
    with pytest.raises(NotFoundError):
        formation.get_request_status("req_of_nobody", user_id="ada")

    assert ledger.of("search") == Usage(calls=2, failures=1, attempts=2, characters=len(text))
    assert ledger.of("marketing") == Usage()


def test_tasks_pay_each_for_itself(own: None, ledger: Ledger) -> None:
    async def work(client: AsyncFormationClient, name: str, times: int) -> None:
        with cost_centre(name):
            for _ in range(times):
                await client.health()

    async def scenario() -> None:
        transport = AsyncMemoryTransport(EmbeddedFormation())
        async with AsyncFormationClient(
            transport=transport, url="http://memory", client_key="any", plugins=[CostCentre(ledger)]
        ) as client:
            await asyncio.gather(work(client, "search", 3), work(client, "marketing", 2), client.health())

    asyncio.run(scenario())

    assert [ledger.of(name).calls for name in ("search", "marketing", "unassigned")] == [3, 2, 1]


def test_it_is_there_when_the_package_is_installed(spy: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_COST_CENTRE", "installed")
    before = USAGE.of("installed").calls

    with FormationClient(transport=spy, url="http://memory", client_key="any") as client:
        client.health()

    assert spy.payers == ["installed"]
    assert USAGE.of("installed").calls == before + 1


@pytest.mark.parametrize("value", ["1", "acme.cost_centre"])
def test_it_can_be_gone_without(spy: Spy, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MUXI_DISABLE_PLUGINS", value)

    with FormationClient(transport=spy, url="http://memory", client_key="any") as client:
        client.health()

    assert spy.payers == [None]
