"""Every method that takes a folder reports its packing before the upload."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muxi import AsyncServerClient, ServerClient
from muxi.bundles import plan
from tests.server.bench import AFS, Bench, Script, archive, events, folder, ok

DONE = events(("complete", {"id": "my-bot"}))
#: Methods with what they are given beside the bundle, and what the server answers.
METHODS: dict[str, Callable[[], tuple[list[Any], Any]]] = {
    "deploy_formation": lambda: ([], ok(id="my-bot")),
    "update_formation": lambda: (["my-bot"], ok(id="my-bot")),
    "deploy_formation_stream": lambda: ([], DONE),
    "update_formation_stream": lambda: (["my-bot"], DONE),
}


@pytest.mark.parametrize("client", [ServerClient, AsyncServerClient])
def test_every_method_that_takes_a_folder_has_the_argument(client: type) -> None:
    taking = {
        name
        for name, method in inspect.getmembers(client, callable)
        if not name.startswith("_") and "bundle_path" in inspect.signature(method).parameters
    }
    assert taking == set(METHODS)
    assert all("packing" in inspect.signature(getattr(client, name)).parameters for name in taking)


@pytest.mark.parametrize("method", METHODS)
def test_packing_is_reported_by_bytes_before_the_upload(bench: Bench, tmp_path: Path, method: str) -> None:
    path = folder(tmp_path / "bot", a_txt="12", b_txt="")
    size = plan(path).size
    first, reply = METHODS[method]()
    seen: list[tuple[str, int, int]] = []
    threads: set[int] = set()

    def packing(done: int, total: int) -> None:
        threads.add(threading.get_ident())
        seen.append(("packing", done, total))

    bench.run(
        Script(reply), method, *first, path, packing=packing,
        progress=lambda done, total: seen.append(("sending", done, total)),
    )  # fmt: skip
    packed = [(done, total) for what, done, total in seen if what == "packing"]
    assert packed == [(2, size), (2, size), (size, size)]
    assert [what for what, _, _ in seen] == ["packing"] * 3 + ["sending"]
    # The loop of an async client goes on meanwhile.
    assert (threads == {threading.get_ident()}) is (bench.colour == "sync")


@pytest.mark.parametrize("method", METHODS)
def test_an_archive_is_not_packed(bench: Bench, method: str) -> None:
    first, reply = METHODS[method]()
    data = archive({"my-bot/formation.afs": AFS})
    seen: list[int] = []
    bench.run(Script(reply), method, *first, data, packing=lambda done, total: seen.append(done))
    assert seen == []


@pytest.mark.parametrize("method", METHODS)
def test_an_error_of_the_function_ends_the_call_before_anything_is_sent(
    bench: Bench, tmp_path: Path, method: str
) -> None:
    first, reply = METHODS[method]()
    script = Script(reply)

    def fail(done: int, total: int) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        bench.run(script, method, *first, folder(tmp_path / "bot"), packing=fail)
    assert script.requests == []
