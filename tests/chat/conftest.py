"""Clients of both colours whose answers are written down, and one face for the two."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from muxi import AsyncEventStream, AsyncFormationClient, EventStream, FormationClient, hookimpl
from muxi.clock import ManualClock
from muxi.context import Context
from muxi.transport import BufferedResponse, Headers, Request
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport

Use = Callable[[Any], Any]


class Answers:
    """A plugin that answers in place of a formation, one answer after the other, the last one for ever.

    Args:
        answers: the data of an answer, an error code of HTTP 404, or a whole response.
    """

    def __init__(self, *answers: dict[str, Any] | str | BufferedResponse) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was sent."""
        return [json.loads(b"".join(request.body.chunks())) for request in self.requests if request.body]

    @hookimpl
    def muxi_intercept(self, request: Request, context: Context) -> BufferedResponse:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer if isinstance(answer, BufferedResponse) else enveloped(answer)


def enveloped(answer: dict[str, Any] | str) -> BufferedResponse:
    """An answer in the envelope of the wire."""
    failed = isinstance(answer, str)
    envelope = {
        "object": "error" if failed else "message",
        "timestamp": 1,
        "type": "",
        "request": {"id": "req_envelope", "idempotency_key": None},
        "success": not failed,
        "error": {"code": answer, "message": "Request not found", "data": None} if failed else None,
        "data": {} if failed else answer,
    }
    return BufferedResponse(
        404 if failed else 200, Headers({"content-type": "application/json"}), json.dumps(envelope).encode()
    )


class Both:
    """Runs the same use of a client on a client of one colour or the other."""

    def __init__(self, colour: str, clock: ManualClock, formation: EmbeddedFormation) -> None:
        self.colour = colour
        self._formation = formation
        self._settings: dict[str, Any] = {"url": "http://memory", "client_key": "fmc_test", "clock": clock}

    def __call__(self, use: Use, answers: Answers | None = None) -> Any:
        """What the use comes to; of a stream, its events."""
        settings = {**self._settings, "plugins": [answers] if answers else []}
        if self.colour == "sync":
            with FormationClient(transport=MemoryTransport(self._formation), **settings) as client:
                result = use(client)
                return list(result) if isinstance(result, EventStream) else result
        return asyncio.run(self._run(use, settings))

    async def _run(self, use: Use, settings: dict[str, Any]) -> Any:
        async with AsyncFormationClient(transport=AsyncMemoryTransport(self._formation), **settings) as client:
            result = use(client)
            return [event async for event in result] if isinstance(result, AsyncEventStream) else await result


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def formation(clock: ManualClock) -> EmbeddedFormation:
    return EmbeddedFormation(client_key="fmc_test", clock=clock, seed=1)


@pytest.fixture(params=["sync", "async"])
def both(request: pytest.FixtureRequest, clock: ManualClock, formation: EmbeddedFormation) -> Both:
    """Run something on a client: ``both(lambda client: client.chat("Hi"))``; each test with it runs twice."""
    return Both(request.param, clock, formation)


@pytest.fixture
def answers() -> type[Answers]:
    """Answers written down: ``both(lambda client: …, answers({"message": …}))``."""
    return Answers


def replied(content: str, **metadata: Any) -> dict[str, Any]:
    """The data of an ordinary answer."""
    message = {"role": "assistant", "content": content, "artifacts": None, "metadata": {"session_id": "s", **metadata}}
    return {"message": message, "user_id": "ada", "session_id": "s", "request_id": None}


@pytest.fixture
def reply() -> Callable[..., dict[str, Any]]:
    """The data of an ordinary answer: ``reply("Hello", clarification=True)``."""
    return replied
