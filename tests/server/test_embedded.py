"""A whole life of a formation on the embedded server, and the formation itself behind it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from muxi import AsyncFormationClient, AsyncServerClient, FormationClient, ServerClient, hookimpl
from muxi.clock import ManualClock
from muxi.errors import ConfigurationError, ConflictError, NotFoundError, ServerError
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, EmbeddedServer, MemoryTransport
from tests.server.bench import KEY, SECRET, Bench, Reply, Script, ScriptedTransport, folder, ok


@pytest.fixture
def server(bench: Bench) -> EmbeddedServer:
    return EmbeddedServer(key_id=KEY, secret_key=SECRET, clock=bench.clock)


@pytest.fixture
def client(bench: Bench, server: EmbeddedServer) -> Any:
    transport: Any = (MemoryTransport if bench.colour == "sync" else AsyncMemoryTransport)(server)
    return bench.client(transport)


class Life:
    """Calls one method after the other, within one event loop where that is needed."""

    def __init__(self, bench: Bench, client: Any) -> None:
        self.client = client
        self._loop = asyncio.new_event_loop() if bench.colour == "async" else None

    def __call__(self, method: str, *args: Any, on: Any = None, **kwargs: Any) -> Any:
        found = getattr(on or self.client, method)(*args, **kwargs)
        return self._loop.run_until_complete(found) if self._loop else found

    def end(self) -> None:
        if self._loop:
            self._loop.close()


@pytest.fixture
def life(bench: Bench, client: Any) -> Any:
    life = Life(bench, client)
    yield life
    life.end()


def test_a_formation_is_deployed_looked_at_stopped_and_deleted(
    life: Life, server: EmbeddedServer, tmp_path: Path
) -> None:
    assert life("ping") >= 1
    assert life("health")["status"] == "ok"
    deployed = life("deploy_formation", bundle_path=folder(tmp_path / "bot", agents__main_afs="id: main\n"))
    assert deployed["formation_id"] == "my-bot"
    found = server.find("my-bot")
    assert found is not None
    assert found.version == "1.2.0"
    with pytest.raises(ConflictError, match="already exists"):
        life("deploy_formation", tmp_path / "bot")
    assert life("list_formations")["formations"][0]["version"]["semantic"] == "1.2.0"
    assert life("get_formation", "my-bot")["healthy"] is True
    with pytest.raises(ConflictError):
        life("start_formation", formation_id="my-bot")
    assert life("stop_formation", formation_id="my-bot")["status"] == "stopped"
    assert life("start_formation", formation_id="my-bot")["status"] == "running"
    assert life("restart_formation", "my-bot")["restart_count"] == 1
    assert life("delete_formation", "my-bot")["id"] == "my-bot"
    with pytest.raises(NotFoundError):
        life("get_formation", "my-bot")


def test_the_same_bundle_is_the_same_version_to_the_server(life: Life, tmp_path: Path) -> None:
    hashes = []
    for place in ("here", "there"):
        life("deploy_formation", folder(tmp_path / place))
        hashes.append(life("get_formation", "my-bot")["version"]["current"])
        life("delete_formation", "my-bot")
    assert hashes[0] == hashes[1]


def test_the_formation_is_reached_through_the_server(life: Life, server: EmbeddedServer) -> None:
    server.add(EmbeddedFormation("my-bot", client_key="fmc_live", clock=server.clock))
    server.add(EmbeddedFormation("my-bot", client_key="fmc_draft", clock=server.clock), draft=True)
    formation = life.client.formation("my-bot", client_key="fmc_live")
    kind = FormationClient if isinstance(life.client, ServerClient) else AsyncFormationClient
    assert isinstance(formation, kind)
    answer = life("chat", "hello", user_id="ada", on=formation)
    assert "hello" in answer["message"]["content"]
    draft = life.client.formation("my-bot", client_key="fmc_draft", mode="draft")
    assert life("health", on=draft)["status"] == "healthy"
    assert "/draft/my-bot/v1" in repr(draft)
    life("close", on=formation)
    assert life("list_formations")["total"] == 1


def test_the_connections_are_shared_and_belong_to_the_server_client() -> None:
    script = Script(Reply({"status": "healthy"}), ok(formations=[], total=0))
    transport = ScriptedTransport(script)
    made: list[ScriptedTransport] = []

    def make() -> ScriptedTransport:
        made.append(transport)
        return transport

    server = ServerClient(url="http://localhost:7890/", key_id=KEY, secret_key=SECRET, transport=make)
    with server.formation("my-bot", client_key="fmc") as formation:
        formation.health()
    assert script.requests[0].url == "http://localhost:7890/api/my-bot/v1/health"
    assert script.closed == 0
    server.list_formations()
    assert len(made) == 1
    server.close()
    assert script.closed == 1
    with pytest.raises(ConfigurationError, match="closed"):
        server.formation("my-bot")


def test_a_formation_client_has_the_settings_of_the_servers() -> None:
    class Note:
        name = "note"
        calls: list[str] = []  # noqa: RUF012

        @hookimpl
        def muxi_call_started(self, call: Any) -> None:
            self.calls.append(call.operation)

    script = Script(*[Reply({"status": "healthy"})] * 2)
    server = ServerClient(
        url="http://localhost:7890",
        key_id=KEY,
        secret_key=SECRET,
        transport=ScriptedTransport(script),
        plugins=[Note()],
        headers={"X-Team": "blue"},
        clock=ManualClock(),
    ).with_options(timeout=5, headers={"X-More": "1"})
    server.formation("my-bot", client_key="k").health()
    request = script.requests[0]
    assert (request.headers["x-team"], request.headers["x-more"]) == ("blue", "1")
    assert request.timeouts.total == 5
    assert "authorization" not in request.headers
    assert Note.calls == ["health"]
    server.formation("my-bot", client_key="k", timeout=7, plugins=[], headers={}).health()
    assert script.requests[1].timeouts.total == 7
    assert "x-team" not in script.requests[1].headers
    assert Note.calls == ["health"]


@pytest.mark.parametrize("formation_id", ["", "..", "a/b", "a?b"])
def test_what_cannot_be_an_id_is_refused(formation_id: str) -> None:
    server = ServerClient(url="http://x", key_id=KEY, secret_key=SECRET, transport=ScriptedTransport(Script()))
    with pytest.raises(ConfigurationError):
        server.formation(formation_id, client_key="k")


def test_keys_of_a_server_are_not_shown() -> None:
    server = ServerClient(url="http://x", key_id=KEY, secret_key=SECRET, transport=ScriptedTransport(Script()))
    assert SECRET not in repr(server) + repr(server._core.config)


def test_a_server_that_does_not_become_ready_is_told(life: Life) -> None:
    with pytest.raises((NotFoundError, ServerError)):
        life("restart_formation", "none")


def test_an_async_formation_client_lives_in_the_same_loop() -> None:
    server = EmbeddedServer(key_id=KEY, secret_key=SECRET, clock=ManualClock())
    server.add(EmbeddedFormation("my-bot", client_key="fmc", clock=server.clock))

    async def scenario() -> str:
        async with AsyncServerClient(
            url="http://localhost", key_id=KEY, secret_key=SECRET, transport=AsyncMemoryTransport(server)
        ) as client:
            formation = client.formation("my-bot", client_key="fmc")
            async with formation:
                text = [piece async for piece in formation.chat_stream("hi", user_id="ada").text()]
            await client.list_formations()
            return "".join(text)

    assert "hi" in asyncio.run(scenario())
