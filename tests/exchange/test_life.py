"""The decisions of a call's life: what is checked before it is sent, and when it is sent again."""

from __future__ import annotations

import os
from typing import Any

import pytest
from marshmallow import INCLUDE, Schema, fields

from muxi import (
    ConfigurationError,
    ConnectionError,
    Context,
    MuxiError,
    NotFoundError,
    ValidationError,
    hookimpl,
    meta,
)
from muxi.call import Call, Key, Repeat
from muxi.operations.limits import Range
from muxi.streaming.call import StreamCall
from muxi.transport import BufferedResponse, Request
from tests.answers import (
    Colour,
    Playback,
    answer,
    died,
    failure,
    refused,
)
from tests.diary import Diary

OPEN: dict[str, Any] = {"key": Key.NONE}
UNKNOWN = failure(404, "REQUEST_NOT_FOUND", "Request not found")
FIRED = {"request_id": "req_1", "status": "processing", "message": "Accepted"}


def frames(path: str = "/x", **rest: Any) -> StreamCall[Any]:
    """A stream made by hand."""
    return StreamCall("GET", path, **{"events": "frames", **OPEN, **rest})


class Waits:
    """Replaces ``muxi.retry``: every attempt that may be repeated is, after a number of seconds."""

    name = "muxi.retry"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @hookimpl
    def muxi_retry_delay(self) -> float:
        return self.seconds


# Before anything is sent


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (Call("GET", "/x", headers={"X-A": "b\r\nX-C: d"}, **OPEN), ValidationError, "headers cannot be sent"),
        (Call("GET", "/x", timeout=-1, **OPEN), ValidationError, "timeout takes a number of seconds above 0, got -1"),
        (frames(events="unheard"), ConfigurationError, "no reader is registered for a stream of 'unheard'"),
        (Call("GET", "/x", query={"limit": 0}, limits={"limit": Range(1, 9)}, **OPEN), ValidationError, "query.limit"),
        (Call("POST", "/x", content="text", **OPEN), ValidationError, "content= takes bytes"),
        (Call("POST", "/x", accepts="ChatRequest", body={}, **OPEN), ValidationError, "message: Missing data"),
        (Call("GET", "/x", into=os.devnull, **OPEN), ValidationError, "is a device, a pipe or a socket"),
    ],
    ids=lambda value: value.path if isinstance(value, Call) else None,
)
def test_what_is_wrong_with_a_call_is_said_with_its_name(
    colour: Colour, call: Call[Any], error: type[MuxiError], said: str
) -> None:
    play = Playback()
    with pytest.raises(error, match=said) as caught:
        colour.run(colour.formation(play).send, call)
    assert play.requests == []
    assert caught.value.call == call.label
    assert caught.value.attempts == 0


@pytest.mark.parametrize("how", ["call", "options"])
def test_what_is_said_of_a_call_shows_none_of_its_secrets(colour: Colour, how: str) -> None:
    headers = {"X-Api-Key": "hushhush"}
    call: Call[Any] = Call(
        "GET", "/x/{id}", params={"id": "a/hushhush"}, headers=headers if how == "call" else {}, **OPEN
    )
    client = colour.formation(headers=headers if how == "options" else {})
    with pytest.raises(ValidationError, match="cannot contain '/'") as caught:
        colour.run(client.send, call)
    assert "hushhush" not in str(caught.value)


class Tree(Schema):
    """A schema that holds itself."""

    class Meta:
        unknown = INCLUDE

    a = fields.Nested(lambda: Tree())


def test_a_payload_that_contains_itself_is_refused_where_its_schema_follows_it(colour: Colour) -> None:
    class Registers:
        @hookimpl
        def muxi_register_schemas(self, registry: Any) -> None:
            registry.replace_request("grow", Tree)

    cycle: dict[str, Any] = {}
    cycle["a"] = cycle
    play = Playback()
    call: Call[Any] = Call("POST", "/trees", body=cycle, operation="grow", **OPEN)
    with pytest.raises(ValidationError) as caught:
        colour.run(colour.formation(play, plugins=[Registers()]).send, call)
    assert (caught.value.code, caught.value.call) == ("INVALID_BODY", "grow (POST /trees)")
    assert caught.value.message == "the payload is nested too deeply, or contains itself"
    assert caught.value.__cause__ is None
    assert play.requests == []


@pytest.mark.parametrize(
    ("tracked", "body", "is_sent"),
    [(True, {"a": 1}, True), (False, {"a": 1}, False), (True, [1], False), (True, None, False)],
)
def test_a_tracked_call_with_fields_in_its_body_gets_an_id_for_its_work(
    colour: Colour, tracked: bool, body: Any, is_sent: bool
) -> None:
    play, diary = Playback(answer({})), Diary()
    client = colour.formation(play, plugins=[diary])
    colour.run(client.send, Call("POST", "/x", body=body, tracked=tracked, **OPEN))
    given = diary.of("call_finished")[0]["context"].request_id
    assert (given or "")[:4] == ("req_" if is_sent else "")
    if body is not None:
        assert play.body() == ({**body, "request_id": given} if is_sent else body)


def test_a_call_has_no_idempotency_key_of_its_own(colour: Colour) -> None:
    seen: list[str | None] = []

    class Looks:
        @hookimpl
        def muxi_call_started(self, context: Context) -> None:
            seen.append(context.idempotency_key)

    client = colour.formation(answer({}), answer({}), plugins=[Looks()])
    colour.run(client.get_memories, "ada")
    colour.run(client.with_options(idempotency_key="order-7").get_memories, "ada")
    assert seen == [None, "order-7"]


# Attempts


def test_an_attempt_that_failed_names_the_call_to_plugins_before_the_call_has_ended(colour: Colour) -> None:
    seen: list[tuple[str | None, int, str | None]] = []

    class Looks:
        @hookimpl
        def muxi_attempt_failed(self, error: MuxiError) -> None:
            seen.append((error.call, error.attempts, error.request_id))

    client = colour.formation(refused(), answer({}), plugins=[Looks()])
    colour.run(client.send, Call("POST", "/x", body={"request_id": "req_7"}, tracked=True, **OPEN))
    assert seen == [("POST /x", 1, "req_7")]


def test_without_the_retry_plugin_there_is_one_attempt(colour: Colour) -> None:
    play = Playback(refused())
    with pytest.raises(ConnectionError):
        colour.run(colour.formation(play, disable_plugins=["muxi.retry"], deadline=9).get_memories, "ada")
    assert len(play.requests) == 1


@pytest.mark.parametrize(("spent", "wait", "attempts"), [(0, 1, 1), (0, 0.9, 2), (0.8, 0.4, 1), (0.5, 0.4, 2)])
def test_an_attempt_that_would_begin_at_the_deadline_or_later_is_not_made(
    colour: Colour, spent: float, wait: float, attempts: int
) -> None:
    def fail(request: Request) -> BufferedResponse:
        play.clock.advance(spent)
        raise refused()

    play = Playback(fail, answer({}))
    client = colour.formation(play, plugins=[Waits(wait)], deadline=1)
    if attempts == 1:
        with pytest.raises(ConnectionError):
            colour.run(client.get_memories, "ada")
    else:
        colour.run(client.get_memories, "ada")
    assert len(play.requests) == attempts


@pytest.mark.parametrize(("deadline", "looks"), [(0.1, 1), (0.2, 2), (0.31, 3)])
def test_looks_at_work_that_has_just_begun_end_before_the_deadline(colour: Colour, deadline: float, looks: int) -> None:
    play = Playback(answer(FIRED), *[UNKNOWN] * looks)
    client = colour.formation(play)
    colour.run(client.fire_trigger, "t", {}, async_mode=True)
    with pytest.raises(NotFoundError):
        colour.run(client.with_options(deadline=deadline).get_request_status, "req_1", "ada")
    assert len(play.requests) == 1 + looks


def test_a_body_that_can_be_read_once_is_sent_once(colour: Colour) -> None:
    play = Playback(refused())
    call: Call[Any] = Call("PUT", "/x", content=iter([b"x"]), repeat=Repeat.SAFE, **OPEN)
    with pytest.raises(ConnectionError):
        colour.run(colour.formation(play).send, call)
    assert len(play.requests) == 1


def closing(colour: Colour, hook: str) -> tuple[Diary, Playback]:
    """Run a call that is refused, and whose client a plugin closes in one of its hooks."""

    class Closes:
        pass

    def close(self: object) -> Any:
        return client.close()

    close.__name__ = hook
    setattr(Closes, hook, hookimpl(close))
    diary, play = Diary(), Playback(refused())
    client = colour.formation(play, plugins=[diary, Closes()])
    with pytest.raises(ConnectionError, match="CONNECTION_REFUSED"):
        colour.run(client.get_memories, "ada")
    return diary, play


def test_a_client_that_is_closed_during_an_attempt_announces_no_other(colour: Colour) -> None:
    diary, _ = closing(colour, "muxi_attempt_failed")
    assert "retry_delay" not in diary.hooks


def test_a_client_that_is_closed_before_another_attempt_ends_with_the_failure_it_had(colour: Colour) -> None:
    diary, play = closing(colour, "muxi_retry_scheduled")
    assert diary.hooks.count("prepare_request") == len(play.requests) == 1


def test_what_a_repeated_removal_does_not_find_is_the_answer_behind_it(colour: Colour) -> None:
    play = Playback(died(), failure(404, "NOT_FOUND", "Memory not found"))
    raw = colour.run(colour.formation(play).with_raw_response.delete_memory, "ada", "m")
    assert (raw.status_code, raw.data, meta(raw.data).status) == (404, {}, 404)


def test_a_removal_that_finds_nothing_at_once_never_was(colour: Colour) -> None:
    with pytest.raises(NotFoundError):
        colour.run(colour.formation(failure(404, "NOT_FOUND", "Memory not found")).delete_memory, "ada", "m")
