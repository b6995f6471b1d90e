"""A fork at any moment leaves the child with locks that it can take."""

from __future__ import annotations

import ast
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import muxi
from muxi import FormationClient, ManualClock
from muxi.forks import renew_after_fork
from muxi.plugins import AuditTrail, CircuitBreaker, ConcurrencyLimit, RateLimit, Retry
from muxi.transport import Request, Response, Transport, replayed
from tests.answers import answer

#: Locks that are not made anew, each with the reason.
KEPT = {
    "muxi/streaming/streams.py": "of one stream, which only the parent reads",
    "muxi/transport/once.py": "a flag, whose state is the parent's",
    "muxi/transport/stepped_response.py": "of one response, which only the parent reads",
}

PATIENCE = 20.0


def test_every_lock_of_the_package_is_made_anew_or_has_its_reason() -> None:
    root = Path(muxi.__file__).parent
    forgotten = []
    for path in root.rglob("*.py"):
        name = f"muxi/{path.relative_to(root).as_posix()}"
        if name.startswith(("muxi/testing/", "muxi/cli/")) or name in KEPT:
            continue
        source = path.read_text("utf-8")
        for node in ast.walk(ast.parse(source)):
            if not (isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call)):
                continue
            if ast.unparse(node.value.func) in ("threading.Lock", "threading.RLock", "threading.Condition"):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                attribute = ast.unparse(target).removeprefix("self.")
                if f'"{attribute}")' not in source or "renew_after_fork(" not in source:
                    forgotten.append(f"{name}: {attribute}")
    assert not forgotten


class Answering(Transport):
    def send(self, request: Request) -> Response:
        return replayed(answer({}))


def in_child(work: Callable[[], object]) -> int:
    """The exit status of a child that does some work; -1 where it did not end."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    ended = threading.Event()
    status: list[int] = []

    def wait() -> None:
        status.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    if not ended.wait(PATIENCE):
        os.kill(child, 9)
        assert ended.wait(PATIENCE)
        return -1
    return status[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_can_call_though_a_thread_of_the_parent_held_every_lock(tmp_path: Path) -> None:
    client = FormationClient(
        url="http://localhost",
        client_key="k",
        transport=lambda: Answering(),
        plugins=[
            AuditTrail(tmp_path / "audit.jsonl"),
            CircuitBreaker(),
            ConcurrencyLimit(5),
            RateLimit(100),
            Retry(),
        ],
    )
    held, released = threading.Event(), threading.Event()

    def hold() -> None:
        locks = [client._core.lock, client._core.fresh._lock, client._core.schemas._lock]
        locks += [plugin._lock for _, plugin in plugins if hasattr(plugin, "_lock")]
        for lock in locks:
            lock.acquire()
        held.set()
        released.wait(2 * PATIENCE)
        for lock in locks:
            lock.release()

    plugins: list[tuple[str, Any]] = client._core.hooks._manager.list_name_plugin()
    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)

    def call_and_close() -> None:
        with client:
            client.get_memories("ada")

    try:
        status = in_child(call_and_close)
    finally:
        released.set()
        thread.join()
    assert status == 0
    assert len(client.get_memories("ada")) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_locks_of_any_kind_are_made_anew() -> None:
    class Owner:
        def __init__(self) -> None:
            self.lock, self.again = threading.Lock(), threading.RLock()
            self.condition, self.event = threading.Condition(), threading.Event()
            renew_after_fork(self, "lock", "again", "condition", "event")

    owner = Owner()
    clock = ManualClock()

    def work() -> None:
        assert owner.lock.acquire(timeout=1)
        assert owner.again.acquire(timeout=1)
        assert owner.condition.acquire(timeout=1)
        assert not owner.event.is_set()
        clock.advance(1)

    held = threading.Event()
    done = threading.Event()

    def hold() -> None:
        with owner.lock, owner.again, owner.condition, clock._condition:
            held.set()
            done.wait(2 * PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)
    try:
        assert in_child(work) == 0
    finally:
        done.set()
        thread.join()
