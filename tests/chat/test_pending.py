"""Work that goes on in the background: telling it from an answer, and waiting for it."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muxi import (
    AsyncFormationClient,
    FormationClient,
    NotFoundError,
    PendingTurn,
    ResultForgotten,
    TimeoutError,
    TurnFailed,
    pending,
)
from muxi.clock import ManualClock
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport, Pause, Turn


def recorded(wire: Path, name: str) -> dict[str, Any]:
    body: str = json.loads((wire / "captures" / "formation" / f"{name}.json").read_text("utf-8"))["response"]["body"]
    data: dict[str, Any] = json.loads(body)["data"]
    return data


def status(state: str, **more: Any) -> dict[str, Any]:
    return {"request_id": "r", "user_id": "ada", "status": state, "progress": None, "created_at": 1.0, **more}


def test_a_turn_that_becomes_a_workflow_is_pending(both: Any, answers: Callable[..., Any], wire: Path) -> None:
    answer = both(lambda client: client.chat("Build"), answers(recorded(wire, "async_chat_sync_complex")))
    turn = pending(answer)
    assert turn == PendingTurn(
        request_id="req_eGZ7xfAUDg98oNbklTR7K",
        message="Your workflow has been approved and is now running in the background. "
        "I'll notify you when it's complete.",
        workflow_id="wrk_PczOx864OTY_8DwXs5CSY",
        user_id="alice",
        session_id="c-3",
    )
    assert pickle.loads(pickle.dumps(turn)) == turn  # noqa: S301  our own


def test_an_escalated_turn_is_pending(wire: Path) -> None:
    turn = pending(recorded(wire, "esc_fail_sync"))
    assert turn is not None
    assert (turn.request_id, turn.escalated, turn.delivery) == ("esc-4", True, "webhook")
    assert turn.message.startswith("This has failed. I'm going to retry")
    assert turn.session_id == "sess_NeV8tKZwqURhQIPofILh5"


def test_the_third_shape_of_the_wire_is_pending() -> None:
    message = {"status": "processing", "request_id": "r", "delivery": "polling", "poll_url": "/v1/requests/r"}
    turn = pending({"message": message, "user_id": "ada", "session_id": None, "request_id": None})
    assert turn == PendingTurn("r", "", user_id="ada", delivery="polling")


def test_a_trigger_that_was_started_is_pending(both: Any, answers: Callable[..., Any]) -> None:
    # The id is in the envelope alone.
    answer = both(lambda client: client.chat("x"), answers({"status": "processing"}))
    assert pending(answer) == PendingTurn("req_envelope", "")


def test_the_message_of_an_escalated_stream_is_pending() -> None:
    message = {"role": "assistant", "content": "Later.", "metadata": {"status": "escalated", "request_id": "r"}}
    assert pending(message) == PendingTurn("r", "Later.", escalated=True)


@pytest.mark.parametrize("name", ["chat_request_id", "ui_sync", "chat_sync_complex2"])
def test_an_answer_a_question_and_an_approval_are_not_pending(wire: Path, name: str) -> None:
    assert pending(recorded(wire, name)) is None


@pytest.mark.parametrize("answer", [{}, {"message": None}, {"message": {"status": "error"}}, {"status": "completed"}])
def test_nothing_else_is_pending(answer: dict[str, Any]) -> None:
    assert pending(answer) is None


def test_a_request_is_waited_for_less_and_less_often(
    both: Any, answers: Callable[..., Any], clock: ManualClock
) -> None:
    script = answers(*(status("processing") for _ in range(12)), status("completed", result="done"))
    begun = clock.monotonic()
    result = both(lambda client: client.wait_for_request("r", "ada"), script)
    assert result["result"] == "done"
    assert len(script.requests) == 13
    # 0.25 s, half as long again each time, and 5 s from the ninth pause on.
    pauses = [min(5.0, 0.25 * 1.5**n) for n in range(12)]
    assert clock.monotonic() - begun == pytest.approx(sum(pauses))


def test_a_question_ends_the_wait(both: Any, answers: Callable[..., Any]) -> None:
    result = both(lambda client: client.wait_for_request("r", "ada"), answers(status("awaiting_clarification")))
    assert result["status"] == "awaiting_clarification"


def test_a_turn_of_an_embedded_formation_is_waited_for(both: Any, formation: EmbeddedFormation) -> None:
    both(lambda client: client.chat({"message": "Hi", "request_id": "mine"}, user_id="ada"))
    assert both(lambda client: client.wait_for_request("mine", "ada"))["result"] == "You said: Hi"


def test_a_request_that_failed_is_an_error(both: Any, answers: Callable[..., Any]) -> None:
    script = answers(status("running"), status("failed", error="no model", report={"tried": 2}))
    with pytest.raises(TurnFailed, match="no model") as caught:
        both(lambda client: client.wait_for_request("r", "ada"), script)
    assert (caught.value.code, caught.value.request_id) == ("REQUEST_FAILED", "r")
    assert caught.value.details["report"] == {"tried": 2}


def test_a_request_that_was_cancelled_is_an_error(both: Any, answers: Callable[..., Any]) -> None:
    with pytest.raises(TurnFailed, match="has been cancelled") as caught:
        both(lambda client: client.wait_for_request("r", "ada"), answers(status("cancelled")))
    assert caught.value.code == "REQUEST_CANCELLED"


def test_a_result_that_was_forgotten_is_told_from_an_unknown_request(both: Any, answers: Callable[..., Any]) -> None:
    with pytest.raises(ResultForgotten, match="was processing when last seen") as caught:
        both(lambda client: client.wait_for_request("r", "ada"), answers(status("processing"), "REQUEST_NOT_FOUND"))
    assert isinstance(caught.value, NotFoundError)
    assert (caught.value.status_code, caught.value.details["status"]) == (404, "processing")
    assert pickle.loads(pickle.dumps(caught.value)).details == caught.value.details  # noqa: S301  our own
    with pytest.raises(NotFoundError) as unknown:
        both(lambda client: client.wait_for_request("r", "ada"), answers("REQUEST_NOT_FOUND"))
    assert unknown.value.code == "REQUEST_NOT_FOUND"
    assert not isinstance(unknown.value, ResultForgotten)


def test_a_formation_that_is_not_found_has_forgotten_nothing(both: Any, answers: Callable[..., Any]) -> None:
    with pytest.raises(NotFoundError) as caught:
        both(lambda client: client.wait_for_request("r", "ada"), answers(status("running"), "FORMATION_NOT_FOUND"))
    assert caught.value.code == "FORMATION_NOT_FOUND"


def test_a_wait_has_an_end(both: Any, answers: Callable[..., Any], clock: ManualClock) -> None:
    begun = clock.monotonic()
    with pytest.raises(TimeoutError, match="still processing after 2 s") as caught:
        both(lambda client: client.wait_for_request("r", "ada", timeout=2), answers(status("processing")))
    assert clock.monotonic() - begun == 2
    assert caught.value.details["status"] == "processing"


def test_a_wait_of_no_time_looks_once(both: Any, answers: Callable[..., Any]) -> None:
    script = answers(status("processing"))
    with pytest.raises(TimeoutError):
        both(lambda client: client.wait_for_request("r", "ada", timeout=0), script)
    assert len(script.requests) == 1


class Interrupting(ManualClock):
    """A clock whose second wait is interrupted from outside."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error
        self.waits = 0

    def sleep(self, seconds: float) -> None:
        self.waits += 1
        if self.waits == 2:
            raise self._error
        super().sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


def test_an_interrupted_wait_is_over_and_the_request_left_alone(answers: Callable[..., Any]) -> None:
    script = answers(status("processing"))
    settings: dict[str, Any] = {"url": "http://memory", "client_key": "fmc_test", "plugins": [script]}
    formation = EmbeddedFormation()
    with (
        FormationClient(
            transport=MemoryTransport(formation), clock=Interrupting(KeyboardInterrupt()), **settings
        ) as client,
        pytest.raises(KeyboardInterrupt),
    ):
        client.wait_for_request("r", "ada")

    async def cancelled() -> None:
        transport, clock = AsyncMemoryTransport(formation), Interrupting(asyncio.CancelledError())
        async with AsyncFormationClient(transport=transport, clock=clock, **settings) as client:
            await client.wait_for_request("r", "ada")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert {request.method for request in script.requests} == {"GET"}


def test_a_turn_in_progress_is_waited_for_to_its_end(formation: EmbeddedFormation, clock: ManualClock) -> None:
    @formation.agent("assistant")
    def assistant(turn: Turn) -> Any:
        yield "Wait"
        yield Pause(7)
        yield "."

    async def run() -> str:
        transport = AsyncMemoryTransport(formation)
        async with AsyncFormationClient(url="http://memory", client_key="fmc_test", transport=transport) as client:
            turn = asyncio.create_task(client.chat({"message": "Hi", "request_id": "mine"}, user_id="ada"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            ended = await client.wait_for_request("mine", "ada")
            await turn
            return str(ended["result"])

    assert asyncio.run(run()) == "Wait."
