"""What the platform's quick start shows for Python, word for word, over the in-memory transport and over HTTP.

The blocks are texts, so that nothing adapts them but the address and the keys, which every reader fills in. Both
generations of the event shape are here: ``type``/``text``, and the raw ``event``/``data``.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, cast

import pytest

from muxi import registry
from muxi.registry import TransportPair
from muxi_transports.memory import (
    AsyncMemoryTransport,
    EmbeddedFormation,
    EmbeddedServer,
    MemoryTransport,
    serve,
)

IMPORTS = """
from muxi import FormationClient, ServerClient, MuxiError, AuthenticationError, RateLimitError
"""

FORMATION = """
from muxi import FormationClient, ServerClient, MuxiError, AuthenticationError, RateLimitError

formation = FormationClient(server_url="http://localhost:7890", formation_id="my-assistant", client_key="…")
for event in formation.chat_stream({"message": "Hello!"}, user_id="user_123"):
    if event.get("type") == "text":
        print(event.get("text"), end="", flush=True)
    elif event.get("type") == "done":
        break

formation.add_memory("User prefers Python", user_id="user_123")
formation.get_memories(user_id="user_123"); formation.clear_user_buffer(user_id="user_123")
"""

FORMATION_ASYNC = """
from muxi import AsyncFormationClient

formation = AsyncFormationClient(server_url="http://localhost:7890", formation_id="my-assistant", client_key="…")
async for event in await formation.chat_stream({"message": "Hello!"}, user_id="user_123"):
    if event.get("type") == "text":
        print(event.get("text"), end="", flush=True)
    elif event.get("type") == "done":
        break

await formation.add_memory("User prefers Python", user_id="user_123")
await formation.get_memories(user_id="user_123"); await formation.clear_user_buffer(user_id="user_123")
"""

SERVER = """
from muxi import ServerClient

server = ServerClient(url="http://localhost:7890", key_id="muxi_pk_…", secret_key="muxi_sk_…")
server.deploy_formation(bundle_path="my-bot.tar.gz")
server.list_formations(); server.stop_formation(formation_id="my-bot"); server.start_formation(formation_id="my-bot")
"""

SERVER_ASYNC = """
from muxi import AsyncServerClient

server = AsyncServerClient(url="http://localhost:7890", key_id="muxi_pk_…", secret_key="muxi_sk_…")
await server.deploy_formation(bundle_path="my-bot.tar.gz")
await server.list_formations()
await server.stop_formation(formation_id="my-bot")
await server.start_formation(formation_id="my-bot")
"""

RAW = """
from muxi import FormationClient, ServerClient

server = ServerClient(
    url="http://localhost:7890",
    key_id="muxi_pk_…",
    secret_key="muxi_sk_…",
)
print(server.status())

formation = FormationClient(
    server_url="http://localhost:7890",
    formation_id="my-assistant",
    client_key="…",
    admin_key="…",
)
print(formation.health())
for evt in formation.chat_stream({"message": "hi"}):
    print(evt)
"""

RAW_ASYNC = """
from muxi import AsyncFormationClient, AsyncServerClient

server = AsyncServerClient(
    url="http://localhost:7890",
    key_id="muxi_pk_…",
    secret_key="muxi_sk_…",
)
print(await server.status())

formation = AsyncFormationClient(
    server_url="http://localhost:7890",
    formation_id="my-assistant",
    client_key="…",
    admin_key="…",
)
print(await formation.health())
async for evt in await formation.chat_stream({"message": "hi"}):
    print(evt)
"""

RAW_LEFT_EARLY = """
from muxi import AsyncFormationClient

formation = AsyncFormationClient(server_url="http://localhost:7890", formation_id="my-assistant", client_key="…")
async for evt in await formation.chat_stream({"message": "hi"}):
    print(evt)
    break
"""

RAW_FRAMES = """
import json
from muxi import FormationClient

formation = FormationClient(server_url="http://localhost:7890", formation_id="my-assistant", client_key="…")
answer = ""
for evt in formation.chat_stream({"message": "hi", "user_id": "user_123"}):
    if evt["event"] == "done":
        break
    token = json.loads(evt["data"])["token"]
    if token["type"] == "completed":
        answer = token["content"]
print(answer)
"""


@dataclass
class Reader:
    """Somebody who follows the quick start: a world to talk to, and a way to run what is on the page."""

    server: EmbeddedServer
    url: str
    run: Callable[[str], dict[str, Any]]


@pytest.fixture
def server() -> EmbeddedServer:
    server = EmbeddedServer(key_id="muxi_pk_test", secret_key="muxi_sk_test")
    server.add(EmbeddedFormation("my-assistant", client_key="fmc_test", admin_key="fmc_test", clock=server.clock))
    return server


@pytest.fixture(params=["memory", "loopback"])
def reader(
    request: pytest.FixtureRequest, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Reader]:
    _write_bundle(tmp_path / "my-bot.tar.gz")
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        if request.param == "memory":
            url = "http://localhost:7890"
            pair = TransportPair(lambda: MemoryTransport(server), lambda: AsyncMemoryTransport(server))
            monkeypatch.setitem(registry._registered, "quick-start", pair)
            monkeypatch.setenv("MUXI_TRANSPORT", "quick-start")
        else:
            url = stack.enter_context(serve(server)).url
        yield Reader(server, url, lambda block: _run(_filled_in(block, url)))


def test_the_imports_work(reader: Reader) -> None:
    names = reader.run(IMPORTS)
    assert issubclass(names["AuthenticationError"], names["MuxiError"])
    assert issubclass(names["RateLimitError"], names["MuxiError"])


@pytest.mark.parametrize("block", [FORMATION, FORMATION_ASYNC], ids=["sync", "async"])
def test_the_formation_block(block: str, reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    reader.run(block)
    assert capsys.readouterr().out == "You said: Hello!"
    formation = reader.server.find("my-assistant")
    assert formation is not None
    assert [memory.content for memory in formation.memories.listed("user_123")] == ["User prefers Python"]


@pytest.mark.parametrize("block", [SERVER, SERVER_ASYNC], ids=["sync", "async"])
def test_the_server_block(block: str, reader: Reader) -> None:
    reader.run(block)
    assert reader.server.find("my-bot") is not None
    names = _run(
        _filled_in(
            "from muxi import ServerClient\n"
            'server = ServerClient(url="http://localhost:7890", key_id="muxi_pk_…", secret_key="muxi_sk_…")\n'
            "listed = {formation['id']: formation['status'] for formation in server.list_formations()['formations']}",
            reader.url,
        )
    )
    assert names["listed"] == {"my-assistant": "running", "my-bot": "running"}


@pytest.mark.parametrize("block", [RAW, RAW_ASYNC], ids=["sync", "async"])
def test_the_raw_events(block: str, reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    reader.run(block)
    _, health, *events = [ast.literal_eval(line) for line in capsys.readouterr().out.splitlines()]
    assert health["status"] == "healthy"
    assert events[-1]["event"] == "done"
    tokens = [json.loads(event["data"])["token"] for event in events if event["event"] == "message"]
    assert "".join(token["content"] for token in tokens if token["type"] == "content") == "You said: hi"
    assert tokens[-1]["type"] == "completed"
    assert tokens[-1]["content"] == "You said: hi"


def test_the_raw_frames(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    reader.run(RAW_FRAMES)
    assert capsys.readouterr().out == "You said: hi\n"


def test_a_loop_that_breaks_leaves_nothing_behind(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    reader.run(RAW_LEFT_EARLY)
    assert len(capsys.readouterr().out.splitlines()) == 1


def _filled_in(block: str, url: str) -> str:
    for placeholder, value in (
        ("http://localhost:7890", url),
        ("muxi_pk_…", "muxi_pk_test"),
        ("muxi_sk_…", "muxi_sk_test"),
        ('"…"', '"fmc_test"'),
    ):
        block = block.replace(placeholder, value)
    return block


def _run(block: str) -> dict[str, Any]:
    """Run a block as a notebook would, with ``await`` at its top level, and close the clients it has made."""
    code = cast(CodeType, compile(block, "<quick start>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
    names: dict[str, Any] = {"__name__": "__quick_start__"}

    async def run() -> None:
        try:
            await cast(Awaitable[None], eval(code, names))  # noqa: S307  our own text
        finally:
            for client in _clients(names):
                await client.close()

    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(run())
        return names
    try:
        exec(code, names)  # noqa: S102  likewise
    finally:
        for client in _clients(names):
            client.close()
    return names


def _clients(names: dict[str, Any]) -> list[Any]:
    return [names[name] for name in ("formation", "server") if name in names]


def _write_bundle(path: Path) -> None:
    content = b"id: my-bot\ndescription: A bot\nversion: 1.0.0\n"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("my-bot/formation.yaml")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
