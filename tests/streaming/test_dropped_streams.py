"""Streams that are dropped in numbers are finished by the next call, one after the other and not inside each other."""

from __future__ import annotations

import gc
import sys

from muxi import FormationClient, hookimpl
from muxi.call import Call
from muxi.transport import BufferedResponse, Request, Response, Transport, replayed


class AnsweringTransport(Transport):
    """Answers a stream with one event and no end, and anything else with an envelope."""

    def send(self, request: Request) -> Response:
        if request.stream:
            event = b'data: {"token": {"type": "content", "content": "x"}}\n\n' * 2
            return replayed(BufferedResponse(200, [("Content-Type", "text/event-stream")], event))
        return replayed(BufferedResponse(200, [("Content-Type", "application/json")], b'{"success":true,"data":{}}'))


class FinishedCalls:
    """Counts the calls that have ended."""

    def __init__(self) -> None:
        self.operations: list[str] = []

    @hookimpl
    def muxi_call_finished(self, call: Call[object]) -> None:
        self.operations.append(call.operation)


def test_more_streams_than_the_interpreter_has_frames_are_finished_by_the_next_call() -> None:
    finished = FinishedCalls()
    count = sys.getrecursionlimit() + 100
    settings = {"url": "http://127.0.0.1", "client_key": "k", "validate_responses": "off"}
    with FormationClient(transport=AnsweringTransport(), plugins=[finished], **settings) as client:  # type: ignore[arg-type]  # texts
        for _ in range(count):
            next(client.chat_stream("Hello!"))
        gc.collect()
        client.health()
        assert finished.operations.count("chat_stream") == count
