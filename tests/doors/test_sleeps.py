"""No test sleeps until something will have happened, and none fails because this machine is busy.

A test waits for an event, moves a clock of its own, or counts steps. Where time itself is the subject, or another
program gives no event, the file is listed here with its reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

_DELAYS = "a server delays or drips an answer, so that a real bound is exceeded"
_POLLS = "another process or thread has no event to wait for; the state is looked at until it is reached"

#: Folders and files that may sleep, with the number of places and the reason.
SLEEPS: dict[str, tuple[int, str]] = {
    "batch/support.py": (1, "a server that takes its time, so that a process is killed in the middle of a batch"),
    "batch/test_batches.py": (1, _POLLS),
    "batch/test_executors.py": (1, _POLLS),
    "batch/test_kills.py": (1, "a process is killed at a random moment"),
    "beside/test_surroundings.py": (1, "a slow server, for which greenlets wait side by side"),
    "cli/test_batch.py": (1, "a process is killed at a random moment"),
    "plugins/test_concurrency.py": (1, _POLLS),
    "pooled/test_closing_while_connecting.py": (2, "a thread connects, which its other end does not see"),
    "pooled/test_connections.py": (2, "a thread waits in the kernel or for a lock, for which there is no event"),
    "transports/raw_server.py": (2, "the other end of a connection has no event for what its kernel has received"),
    "transports/test_aiohttp.py": (1, "the loop sees the end of a connection, for which there is no event"),
    "transports/test_aiohttp_forks.py": (1, "a request is written, for which the loop has no event"),
    "transports/test_aiohttp_lookup.py": (1, _POLLS),
    "transports/test_bounds.py": (3, _DELAYS),
    "transports/test_http_failures.py": (3, _DELAYS),
    "transports/test_in_process.py": (1, "an application reads its request for longer than it may be silent"),
    "transports/test_requests.py": (1, _DELAYS),
}
#: Files that compare the time which has passed with an upper bound, likewise.
BOUNDS: dict[str, tuple[int, str]] = {
    "beside/programs/run_gevent.py": (1, "twenty waits at once take a twentieth of those in turn; half is allowed"),
    "browser/test_trace_page.py": (
        1,
        "a page with ten thousand calls is quick: the promise itself, in a room of its own",
    ),
}
#: Rooms with a life of their own, which neither the fast suite nor the slow one runs as a whole.
ROOMS = {
    "soak": "load over minutes, with pauses drawn at random",
    "live": "the platform's own processes, which are polled",
}

_SLEEPING = {"time.sleep", "asyncio.sleep", "anyio.sleep", "trio.sleep", "sleep"}
# Files without these need no look at their syntax.
_MAY_SLEEP = re.compile(r"\bsleep\(|\bwait\(")
_MAY_BE_BOUND = re.compile(r"(monotonic|perf_counter|time)\(\) -")
_CLOCKS = {"time.monotonic", "time.perf_counter", "time.time", "monotonic", "perf_counter"}


def sleeps(source: str) -> list[int]:
    """Return the lines that sleep for some time."""
    if not _MAY_SLEEP.search(source):
        return []
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and _sleeps(node)]


def _sleeps(call: ast.Call) -> bool:
    given = call.args[0] if call.args else None
    if ast.unparse(call.func) in _SLEEPING:
        return not (isinstance(given, ast.Constant) and given.value == 0)
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "wait":
        return False
    # A wait for an event that does not come is a sleep too.
    unset = isinstance(call.func.value, ast.Call) and ast.unparse(call.func.value.func).endswith("Event")
    brief = isinstance(given, ast.Constant) and isinstance(given.value, float) and given.value < 1
    return (unset and given is not None) or brief


def bounds(source: str) -> list[int]:
    """Return the lines on which a difference of two readings of the machine's clock has an upper bound."""
    if not _MAY_BE_BOUND.search(source):
        return []
    return [node.lineno for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Compare) and _bounds(node)]


def _bounds(node: ast.Compare) -> bool:
    if len(node.ops) > 1:
        return False
    operator, right = node.ops[0], node.comparators[0]
    larger = isinstance(operator, ast.Lt | ast.LtE) and _is_elapsed(node.left)
    return larger or (isinstance(operator, ast.Gt | ast.GtE) and _is_elapsed(right))


def _is_elapsed(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and isinstance(node.left, ast.Call)
        and ast.unparse(node.left.func) in _CLOCKS
    )


def _files() -> Iterator[tuple[str, str]]:
    for path in sorted(TESTS.rglob("*.py")):
        relative = path.relative_to(TESTS)
        if relative.parts[0] not in ROOMS and path != Path(__file__):
            yield relative.as_posix(), path.read_text(encoding="utf-8")


def _differences(found: dict[str, list[int]], listed: dict[str, tuple[int, str]]) -> list[str]:
    """What is not as it is listed."""
    return [
        f"tests/{name}: lines {lines}, and {count} places are listed"
        for name in sorted({*found, *listed})
        if len(lines := found.get(name, [])) != (count := listed.get(name, (0, ""))[0])
    ]


def test_no_test_sleeps_without_a_reason() -> None:
    found = {name: lines for name, source in _files() if (lines := sleeps(source))}
    assert not _differences(found, SLEEPS)


def test_no_test_fails_because_the_machine_is_slow() -> None:
    found = {name: lines for name, source in _files() if (lines := bounds(source))}
    assert not _differences(found, BOUNDS)


@pytest.mark.parametrize("listed", [SLEEPS, BOUNDS], ids=["sleeps", "bounds"])
def test_each_entry_has_its_reason(listed: dict[str, tuple[int, str]]) -> None:
    assert all(count and len(reason) > 20 for count, reason in listed.values())


@pytest.mark.parametrize(
    "source",
    [
        "time.sleep(0.1)",
        "await asyncio.sleep(seconds)",
        "sleep(1)",
        "threading.Event().wait(3)",
        "looked.wait(0.01)",
    ],
)
def test_a_sleep_is_found(source: str) -> None:
    assert sleeps(f"async def f():\n    {source}\n") == [2]


@pytest.mark.parametrize(
    "source",
    ["await asyncio.sleep(0)", "clock.sleep(5)", "ended.wait(PATIENCE)", "asyncio.Event().wait()", "gate.wait(5)"],
)
def test_a_wait_for_an_event_is_no_sleep(source: str) -> None:
    assert not sleeps(f"async def f():\n    {source}\n")


@pytest.mark.parametrize("source", ["time.monotonic() - started < 1", "2 >= time.perf_counter() - begun"])
def test_an_upper_bound_of_time_is_found(source: str) -> None:
    assert bounds(f"assert {source}") == [1]


@pytest.mark.parametrize("source", ["time.monotonic() - started >= 1", "time.process_time() - begun < 1", "1 < x - y"])
def test_other_comparisons_are_none(source: str) -> None:
    assert not bounds(f"assert {source}")
