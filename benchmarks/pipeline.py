"""The pipeline alone: CPU of a call and of an event over a transport that answers from memory, and what each part adds.

Prints a JSON object of CPU microseconds.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from muxi import FormationClient, hookimpl
from muxi.transport import Headers, Request, Response, Transport

MEMORY = {
    "content": "Prefers Python",
    "created_at": "2026-11-22T15:42:30.945568",
    "metadata": {"type": "preference", "timestamp": 1795362150.9442844},
    "scope": "user",
    "scope_id": "14",
}
MEMORIES = json.dumps(
    {
        "object": "memory_list",
        "timestamp": 1795362270462,
        "type": "memory_list.retrieved",
        "request": {"id": "req_0ln7S1mtsrsswV53JEcjV", "idempotency_key": None},
        "success": True,
        "error": None,
        "data": {
            "memories": [{**MEMORY, "id": f"memory-{number}"} for number in range(10)],
            "count": 10,
        },
    }
).encode()
INCOMPLETE = json.dumps({"success": True, "data": {"count": 10}}).encode()
EVENTS = 2000
_TOKEN = b'data: {"token": {"request_id": "r", "type": "content", "content": "word ", "timestamp": 1.5}}\n\n'
_END = (
    b'data: {"token": {"type": "completed", "content": "", "status": "success"}}\n\n'
    b'event: done\ndata: {"finished": true}\n\n'
)


class Canned(Response):
    """An answer in pieces that are there already."""

    def __init__(self, content_type: str, pieces: list[bytes]) -> None:
        super().__init__(200, Headers([("Content-Type", content_type)]))
        self.pieces = pieces

    def chunks(self) -> Iterator[bytes]:
        yield from self.pieces

    def close(self) -> None:
        """Nothing is held."""


class AnsweringTransport(Transport):
    """Answers at once: a page of memories, or a stream of events in batches or one by one."""

    def __init__(self, content: bytes = MEMORIES, pieces: list[bytes] | None = None) -> None:
        self.content = content
        self.pieces = pieces

    def send(self, request: Request) -> Response:
        """The answer."""
        if self.pieces is not None:
            return Canned("text/event-stream", self.pieces)
        return Canned("application/json", [self.content])


class Observer:
    """A plugin with one hook that does nothing."""

    @hookimpl
    def muxi_response_received(self, response: object, context: object) -> None:
        """Look at nothing."""


class EventObserver:
    """A plugin that is shown each event."""

    @hookimpl
    def muxi_event_received(self, event: object, context: object) -> None:
        """Look at nothing."""


def made(transport: Transport | None = None, **settings: Any) -> FormationClient:
    """A client over a transport from memory."""
    return FormationClient(
        url="http://127.0.0.1", client_key="k", transport=transport or AnsweringTransport(), **settings
    )


def cpu(function: Callable[[], object], runs: int, warm_up: int = 50) -> float:
    """CPU microseconds of one run."""
    for _ in range(warm_up):
        function()
    start = time.process_time()
    for _ in range(runs):
        function()
    return (time.process_time() - start) / runs * 1e6


def call(client: FormationClient) -> Callable[[], object]:
    """One call of a client."""
    return lambda: client.get_memories("ada")


def difference(more: FormationClient, less: FormationClient, turns: int = 7, runs: int = 300) -> float:
    """CPU microseconds by which a call of one client costs more, measured in turn."""
    return statistics.median(cpu(call(more), runs) - cpu(call(less), runs) for _ in range(turns))


def per_event(pieces: list[bytes], **settings: Any) -> float:
    """CPU microseconds of one event of a stream."""
    client = made(AnsweringTransport(pieces=pieces), **settings)
    return cpu(lambda: sum(1 for _ in client.chat_stream("Hello!")), 10, 2) / EVENTS


def main() -> None:
    """Print the figures."""
    usual, unchecked = made(), made(validate_responses="off")
    batches, singles = [*[_TOKEN * 100] * (EVENTS // 100), _END], [*[_TOKEN] * EVENTS, _END]
    figures = {
        "call, defaults": cpu(call(usual), 2000),
        "call whose answer lacks a field": cpu(call(made(AnsweringTransport(INCOMPLETE))), 2000),
        "added by validate_responses=warn": difference(usual, unchecked),
        "added by validate_responses=strict": difference(made(validate_responses="strict"), unchecked),
        "added by a plugin with one hook": difference(made(plugins=[Observer()]), usual),
    }
    for name in sorted(_names()):
        figures[f"added by {name}"] = difference(usual, made(disable_plugins=[name]))
    figures["event, in batches"] = per_event(batches)
    figures["event, one by one"] = per_event(singles)
    figures["event, in batches, with a plugin that is shown each"] = per_event(batches, plugins=[EventObserver()])
    print(json.dumps(figures))


def _names() -> set[str]:
    """The names of the built-in plugins."""
    from muxi.config import FormationConfig
    from muxi.plugins.auth import KeyAuth
    from muxi.plugins.builtin import builtin_plugins

    config = FormationConfig(url="http://127.0.0.1", client_key="k").resolved()
    return {name for name, _ in builtin_plugins(config, KeyAuth("k", None))}


if __name__ == "__main__":
    main()
