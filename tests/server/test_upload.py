"""Uploads of bundles: the limit of the server is named, and an event loop goes on while a folder is packed."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from muxi import AsyncServerClient, ServerError, bundles
from tests.server.bench import Script, folder, no


@pytest.mark.parametrize("message", ["Failed to save bundle", "Failed to read bundle"])
def test_the_servers_time_limit_is_named(bench: Any, tmp_path: Path, message: str) -> None:
    with pytest.raises(ServerError, match=rf"{message}; the server reads a request for 15 s.*\.muxiignore") as caught:
        bench.run(Script(no(500, message, "Internal Server Error")), "deploy_formation", folder(tmp_path))
    assert "15 s" in repr(caught.value)


@pytest.mark.parametrize("method", ["deploy_formation", "update_formation"])
def test_a_folder_is_packed_in_a_thread_on_an_async_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    packed_in: list[threading.Thread] = []
    real = bundles.prepare

    def prepare(*args: Any, **kwargs: Any) -> Any:
        packed_in.append(threading.current_thread())
        return real(*args, **kwargs)

    monkeypatch.setattr(bundles, "prepare", prepare, raising=False)

    async def scenario() -> None:
        async with AsyncServerClient(url="http://127.0.0.1:9", key_id="k", secret_key="s", max_retries=0) as client:
            arguments = ("my-bot", folder(tmp_path)) if method == "update_formation" else (folder(tmp_path),)
            with pytest.raises(ConnectionError):
                await getattr(client, method)(*arguments)

    asyncio.run(scenario())
    assert packed_in
    assert threading.main_thread() not in packed_in


@pytest.mark.parametrize("method", ["deploy_formation_stream", "update_formation_stream"])
def test_a_streamed_deploy_packs_in_a_thread_which_a_cancellation_stops(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muxi.bundles import packing

    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    files: list[str] = []
    add = packing._add

    def slow(archive: object, entry: Any, path: str, name: str) -> None:
        files.append(name)
        begun.set()
        assert go_on.wait(10)
        try:
            add(archive, entry, path, name)  # type: ignore[arg-type]  # as it was called
        except BaseException:
            ended.set()
            raise

    monkeypatch.setattr(packing, "_add", slow)
    path = folder(tmp_path, other="x")

    async def scenario() -> None:
        async with AsyncServerClient(url="http://127.0.0.1:9", key_id="k", secret_key="s", max_retries=0) as client:
            arguments = ("my-bot", path) if method.startswith("update") else (path,)
            opening = asyncio.ensure_future(getattr(client, method)(*arguments).__aenter__())
            await asyncio.to_thread(begun.wait, 10)  # the loop goes on meanwhile
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            go_on.set()
            assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(scenario())
    assert len(files) == 1
