"""A server that refuses an upload answers at once and resets the connection under the rest of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from muxi import AsyncServerClient, ServerClient
from muxi.errors import AuthenticationError, ConflictError, MuxiError
from tests.server.bench import AFS, KEY, SECRET, archive
from tests.transports.raw_server import Peer, RawServer, serving

MEBIBYTE = 1024 * 1024

REFUSALS: list[tuple[str, str, type[MuxiError]]] = [
    ("409 Conflict", "Formation 'my-bot' already exists. Use PUT to update.", ConflictError),
    ("401 Unauthorized", "Invalid signature", AuthenticationError),
]


class Refusing:
    """Reads the head of a request and refuses it, in one of the ways in which that goes."""

    def __init__(self, status: str, message: str, way: str) -> None:
        code, _, phrase = status.partition(" ")
        self.status = status
        self.body = json.dumps({"error": phrase, "message": message, "code": int(code)}).encode() + b"\n"
        self.way = way

    def __call__(self, peer: Peer) -> None:
        peer.head()
        if self.way == "reset in the middle":
            read = len(peer.buffer)
            while read < 8 * MEBIBYTE:
                read += len(peer.sock.recv(MEBIBYTE))
        headers = ("Content-Type: application/json", *(() if self.way == "kept" else ("Connection: close",)))
        peer.answer(self.body, self.status, *headers)
        if self.way.startswith("reset"):
            peer.reset()
        else:
            peer.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of 50 MiB, which does not shrink."""
    path = tmp_path_factory.mktemp("large") / "my-bot.tar.gz"
    # Stored blocks: what matters here is how much is sent, and compressing would take its time.
    import gzip

    noise = bytes(50 * MEBIBYTE)
    tar = archive({"my-bot/formation.afs": AFS, "my-bot/noise": noise}, compressed="")
    path.write_bytes(gzip.compress(tar, compresslevel=0, mtime=0))
    assert path.stat().st_size > 50 * MEBIBYTE
    return path


@pytest.fixture(params=["reset", "reset in the middle", "closed", "kept"])
def way(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture(params=REFUSALS, ids=lambda it: it[0])
def refusal(request: pytest.FixtureRequest) -> tuple[str, str, type[MuxiError]]:
    found: tuple[str, str, type[MuxiError]] = request.param
    return found


@pytest.fixture
def server(refusal: tuple[str, str, type[MuxiError]], way: str) -> Iterator[RawServer]:
    with serving(Refusing(refusal[0], refusal[1], way)) as server:
        yield server


@pytest.mark.parametrize("colour", ["requests", "aiohttp"])
def test_a_refused_upload_is_reported_as_what_it_is(
    server: RawServer, refusal: tuple[str, str, type[MuxiError]], large: Path, colour: str
) -> None:
    _, message, kind = refusal
    seen: list[int] = []
    total = large.stat().st_size

    def upload() -> None:
        with ServerClient(url=server.url, key_id=KEY, secret_key=SECRET, transport="requests") as client:
            client.deploy_formation(large, progress=lambda sent, _: seen.append(sent))

    async def upload_async() -> None:
        async with AsyncServerClient(url=server.url, key_id=KEY, secret_key=SECRET, transport="aiohttp") as client:
            await client.deploy_formation(large, progress=lambda sent, _: seen.append(sent))

    with pytest.raises(kind) as caught:
        upload() if colour == "requests" else asyncio.run(upload_async())
    assert message in caught.value.message
    assert caught.value.attempts == 1
    assert len(server.requests) == 1
    assert server.requests[0].values("content-length") == [str(total).encode()]
    # It was not sent to its end, to nobody.
    assert not seen or max(seen) < total
