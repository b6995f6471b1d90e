"""A short chat as bytes, and a plugin that writes down what it is told of it: for the tests of streams."""

from __future__ import annotations

import json
from operator import methodcaller
from typing import Any

from muxi import hookimpl
from muxi.call import Key
from muxi.context import Context, Outcome
from muxi.errors import (
    ConnectionError,
)
from muxi.streaming.call import StreamCall
from tests.scripted import (
    Held,
)

KEEPALIVE = b": keepalive\n\n"
DONE = b'event: done\ndata: {"finished":true}\n\n'
LOST = ConnectionError("CONNECTION_LOST", "the connection broke")
PROXIED: dict[str, Any] = {"server_url": "http://localhost:7890", "formation_id": "bot"}


def token(kind: str, content: str, **more: object) -> bytes:
    return b"data: " + json.dumps({"token": {"type": kind, "content": content, **more}}).encode() + b"\n\n"


HELLO, WORLD = token("content", "Hello "), token("content", "world")
COMPLETED = token("completed", "Hello world", status="success")
ANSWER = (KEEPALIVE, HELLO, WORLD, COMPLETED, DONE)
FRAMES: StreamCall[Any] = StreamCall("GET", "/news", key=Key.CLIENT, events="frames")

#: What can be done with a stream.
NEXT, EVENTS, RESULT = methodcaller("next"), methodcaller("events"), methodcaller("result")


def TEXT(held: Held) -> list[str]:  # noqa: N802  beside the others
    return list(held.text())


class Diary:
    """A plugin that writes down what it is told."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.outcomes: list[Outcome] = []

    @hookimpl
    def muxi_call_started(self, context: Context) -> None:
        self.entries.append(f"started {context.call.operation}")

    @hookimpl
    def muxi_event_received(self, event: dict[str, Any]) -> None:
        self.entries.append(event["type"])

    @hookimpl
    def muxi_call_finished(self, outcome: Outcome, context: Context) -> None:
        self.entries.append(f"finished {context.call.operation}")
        if context.call.operation == "chat_stream":
            self.outcomes.append(outcome)

    @property
    def ends(self) -> int:
        return self.entries.count("finished chat_stream")


def types(held: Held) -> list[str]:
    return [event["type"] for event in held.events()]
