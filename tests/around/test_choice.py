"""Transports that hold others: what they open, and what they close."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from muxi.errors import ConfigurationError
from muxi.transport import (
    AsyncTransport,
    BufferedResponse,
    Forward,
    Request,
    Response,
    SendSteps,
    SteppedTransport,
    Transport,
    replayed,
)
from muxi_transports.around import Slot, Wrapping
from muxi_transports.memory import AsyncMemoryTransport


class Noting(Transport):
    """Answers, and notes that it was closed; may fail at that."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.closings = 0

    def send(self, request: Request) -> Response:
        return replayed(BufferedResponse(200))

    def close(self) -> None:
        self.closings += 1
        if self.fails:
            raise ValueError("not closed")


class Several(Wrapping[Transport], SteppedTransport):
    """Holds several transports, and opens them all."""

    def __init__(self, *choices: object) -> None:
        self.held = [self.slot(choice) for choice in choices]  # type: ignore[arg-type]  # a wrong one is refused

    def steps(self, request: Request) -> SendSteps:
        for slot in self.held[1:]:
            slot.get()
        return (yield from Forward(self.held[0].get(), request))


def test_each_transport_that_was_opened_is_closed_also_where_one_fails() -> None:
    first, second, given = Noting(fails=True), Noting(), Noting()
    several = Several(lambda: first, lambda: second, given)
    several.send(Request("GET", "http://h/")).read()
    with pytest.raises(ValueError, match="not closed"):
        several.close()
    assert (first.closings, second.closings, given.closings) == (1, 1, 0)
    several.close()
    assert first.closings == 1


@pytest.mark.parametrize("choice", ["no-such-transport", AsyncMemoryTransport(), 3])
def test_what_is_no_transport_of_this_colour_is_refused_at_once(choice: str | AsyncTransport | int) -> None:
    with pytest.raises(ConfigurationError):
        Several(choice)


def test_a_forked_process_does_not_wait_for_a_thread_that_it_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    opening, gate = threading.Event(), threading.Event()
    made: list[Transport] = []

    def make() -> Transport:
        if not opening.is_set():
            opening.set()
            assert gate.wait(10)
        made.append(Noting())
        return made[-1]

    slot = Slot(make, None, "a function")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(slot.get)
        assert opening.wait(10)
        monkeypatch.setattr(os, "getpid", lambda: -1)
        try:
            assert pool.submit(slot.get).result(10) in made
        finally:
            gate.set()
            first.result(10)
