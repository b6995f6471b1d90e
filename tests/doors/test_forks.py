"""A fork at any moment leaves the child with locks that it can take."""

from __future__ import annotations

import ast
import os
import re
import threading
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import muxi
import muxi_transports
from muxi import FormationClient, ManualClock
from muxi.forks import renew_after_fork
from muxi.plugins import AuditTrail, CircuitBreaker, ConcurrencyLimit, RateLimit, Retry
from muxi.transport import Request, Response, Transport, replayed
from muxi_transports.failover import FailoverTransport
from muxi_transports.faulty import FaultyTransport
from muxi_transports.memory import MemoryTransport
from muxi_transports.recorded import RecordedTransport
from muxi_transports.routing import RoutingTransport
from muxi_transports.wsgi import WsgiTransport
from tests.answers import answer

#: Locks that are not made anew, each with the reason.
KEPT = {
    "muxi/streaming/streams.py": "of one stream, which only the parent reads",
    "muxi/transport/once.py": "a flag, whose state is the parent's",
    "muxi/transport/stepped_response.py": "of one response, which only the parent reads",
    "muxi_transports/around/choice.py": "made anew by the process that uses it",
    "muxi_transports/asgi/sync.py": "made anew by the process that uses it",
    "muxi_transports/pooled/lease.py": "of one response, which only the parent reads",
    "muxi_transports/http/lookup.py": "made anew by the process that uses it",
    "muxi_transports/pooled/transport.py": "made anew, with all connections, by the process that uses it",
    "muxi_transports/pooled/wire.py": "of one attempt, which only the parent makes",
    "muxi_transports/wsgi/source.py": "of one response, whose thread is the parent's",
}

PATIENCE = 20.0
KINDS = ("threading.Lock", "threading.RLock", "threading.Condition")


def locks_made_in(source: str) -> Iterator[str]:
    """The attributes that a source gives locks to; the text of a lock that goes elsewhere."""
    if not any(kind in source for kind in KINDS):
        return  # syntax trees of all modules take seconds
    tree = ast.parse(source)
    owned: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_lock(node.value):
            assert node.value is not None
            owned.add(node.value)
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            yield ast.unparse(target).removeprefix("self.")
    yield from (ast.unparse(node) for node in ast.walk(tree) if is_lock(node, owned))


def is_lock(node: ast.AST | None, owned: Container[ast.AST] = ()) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in KINDS and node not in owned


def test_every_lock_of_the_package_is_made_anew_or_has_its_reason() -> None:
    forgotten, kept = [], set()
    for package in (muxi, muxi_transports):
        root = Path(next(iter(package.__path__)))
        for path in root.rglob("*.py"):
            name = f"{package.__name__}/{path.relative_to(root).as_posix()}"
            if name.startswith(("muxi/testing/", "muxi/cli/", "muxi/forks.py")):
                continue
            source = path.read_text("utf-8")
            locks = list(locks_made_in(source))
            if name in KEPT:
                kept.update([name] * bool(locks))
                continue
            made_anew = {
                text
                for call in re.findall(r"renew_after_fork\(([^)]*)\)", source)
                for text in re.findall(r'"(\w+)"', call)
            }
            forgotten += [f"{name}: {lock}" for lock in locks if lock not in made_anew]
    assert not forgotten
    assert kept == KEPT.keys(), "there is a reason for a lock that there is no more"


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


#: Transports that are made of parts with locks of their own.
STACKS: Mapping[str, Callable[[Path], Transport]] = {
    "memory": lambda folder: MemoryTransport(),
    "failover": lambda folder: FailoverTransport({"http://one": MemoryTransport()}),
    "recorded": lambda folder: RecordedTransport(folder / "cassette.yaml", MemoryTransport(), "all"),
    "faulty": lambda folder: FaultyTransport(MemoryTransport()),
    "routing": lambda folder: RoutingTransport({}, default=MemoryTransport()),
    "wsgi": lambda folder: WsgiTransport(hello),
}


def hello(environ: object, start_response: Callable[..., object]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer({"memories": [], "count": 0}).content]


def locks_below(*roots: object) -> list[Any]:
    """All locks that objects of the package hold, as far as they can be reached by their attributes."""
    kinds = (type(threading.Lock()), type(threading.RLock()), threading.Condition)
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, kinds):
            found[id(item)] = item
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple | set):
            waiting.extend(item)
        elif type(item).__module__.startswith("muxi"):
            waiting.extend(vars(item).values() if hasattr(item, "__dict__") else ())
    return list(found.values())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("name", STACKS)
def test_a_child_can_use_a_transport_though_a_thread_held_every_lock_in_it(name: str, tmp_path: Path) -> None:
    client = FormationClient(url="http://one", client_key="k", transport=STACKS[name](tmp_path), max_retries=0)
    client.get_memories("ada")
    held, released = threading.Event(), threading.Event()
    locks = locks_below(client)
    assert len(locks) > 4

    def hold() -> None:
        for lock in locks:
            lock.acquire()
        held.set()
        released.wait(2 * PATIENCE)
        for lock in locks:
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(PATIENCE)
    try:
        status = in_child(lambda: client.get_memories("ada"))
    finally:
        released.set()
        thread.join()
    assert status == 0
    client.close()
