"""The decisions of a call's life: what is checked before it is sent, when it is sent again, what its end is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from marshmallow import INCLUDE, Schema, fields

from muxi import (
    AsyncFormationClient,
    ConfigurationError,
    ConnectionError,
    Context,
    ManualClock,
    MuxiError,
    NotFoundError,
    ServerError,
    TimeoutError,
    ValidationError,
    hookimpl,
    meta,
)
from muxi.call import Call, Key, Repeat
from muxi.exchange.life import MAX_REDIRECTS
from muxi.operations.limits import Range
from muxi.streaming.call import StreamCall
from muxi.transport import BufferedResponse, Request
from tests.answers import (
    AsyncColour,
    AsyncPlaybackTransport,
    Colour,
    Playback,
    answer,
    chat_events,
    died,
    events,
    failure,
    json_answer,
    plain,
    refused,
    timed_out,
)
from tests.diary import Diary
from tests.scripted import Script, ScriptedAsyncTransport, ScriptedTransport

OPEN: dict[str, Any] = {"key": Key.NONE}
UNKNOWN = failure(404, "REQUEST_NOT_FOUND", "Request not found")
FIRED = {"request_id": "req_1", "status": "processing", "message": "Accepted"}
#: An answer that is no list of memories.
MISFIT = {"memories": "none"}
#: Scripted answers of the type that a call expects of a list of memories.
LIST: dict[str, Any] = {"returns": "MemoryPage", **OPEN}


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


# Answers and their schemas


@pytest.mark.parametrize("mode", ["strict", "warn", "off"])
def test_an_answer_that_does_not_fit_is_refused_or_logged_or_let_through(
    colour: Colour, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = colour.formation(answer(MISFIT), validate_responses=mode)
    if mode == "strict":
        with pytest.raises(ValidationError, match="the answer does not have the documented form"):
            colour.run(client.get_memories, "ada")
    else:
        assert colour.run(client.get_memories, "ada") == MISFIT
    assert len(caplog.records) == (mode == "warn")


def test_the_error_of_an_answer_that_does_not_fit_has_the_answer(colour: Colour) -> None:
    response = answer(MISFIT, x_trace="t1")
    with pytest.raises(ValidationError) as caught:
        colour.run(colour.formation(response, validate_responses="strict").get_memories, "ada")
    error = caught.value
    assert (error.status_code, error.request_id, error.call) == (200, "req_wire", "get_memories (GET /memories)")
    assert error.answer is not None
    assert (error.answer.status, error.answer.body) == (200, response.content)
    assert ("X-Trace", "t1") in error.answer.headers


def test_a_text_that_does_not_fit_has_the_id_that_the_call_gave(colour: Colour) -> None:
    call: Call[Any] = Call("POST", "/x", body={"request_id": "req_7"}, tracked=True, plain_text=True, **LIST)
    client = colour.formation(plain(200, b"text", "text/plain"), validate_responses="strict")
    with pytest.raises(ValidationError, match="INVALID_ANSWER") as caught:
        colour.run(client.send, call)
    assert caught.value.request_id == "req_7"


def test_an_answer_that_a_procedure_cannot_read_names_the_call_and_hides_its_keys(colour: Colour) -> None:
    client = colour.formation(answer({"memories": 5, "count": "many"}))
    with pytest.raises(ValidationError, match="INVALID_ANSWER") as caught:
        colour.collect(client.iter_memories, "ada")
    assert (caught.value.call, caught.value.attempts) == ("get_memories (GET /memories)", 1)


def test_files_and_streams_are_not_checked_against_a_schema(colour: Colour, tmp_path: Path) -> None:
    client = colour.formation(Playback(plain(200, b"abc"), events("data: 1")), validate_responses="strict")
    assert colour.run(client.send, Call("GET", "/x", into=tmp_path / "a", **LIST))["size"] == 3
    stream = colour.run(client.send, frames(returns="MemoryPage"))
    assert len(colour.collect(lambda: stream)) == 1


# Redirects


def redirect(status: int, location: str = "/elsewhere", **rest: Any) -> BufferedResponse:
    return BufferedResponse(status, [("Location", location)], **rest)


def test_as_many_redirects_as_are_allowed_are_followed(colour: Colour) -> None:
    play = Playback(*[redirect(307)] * MAX_REDIRECTS, answer({"a": 1}))
    assert colour.run(colour.formation(play).get_memories, "ada") == {"a": 1}


def test_one_redirect_more_is_an_error_with_its_status(colour: Colour) -> None:
    play = Playback(*[redirect(307)] * (MAX_REDIRECTS + 1))
    with pytest.raises(ServerError) as caught:
        colour.run(colour.formation(play).get_memories, "ada")
    error = caught.value
    assert (error.code, error.message, error.status_code) == ("TOO_MANY_REDIRECTS", "more than 5 redirects", 307)


@pytest.mark.parametrize("status", [201, 300, 404])
def test_an_address_in_any_other_answer_is_no_redirect(colour: Colour, status: int) -> None:
    play = Playback(json_answer(status, {"a": 1}, location="/elsewhere"))
    client = colour.formation(play, max_retries=0)
    if status == 201:
        assert colour.run(client.get_memories, "ada") == {"a": 1}
    else:
        with pytest.raises(MuxiError, match=f"HTTP {status}"):
            colour.run(client.get_memories, "ada")
    assert len(play.requests) == 1


def test_a_redirect_without_an_address_is_an_error(colour: Colour) -> None:
    play = Playback(plain(302, b"moved"))
    with pytest.raises(MuxiError, match="HTTP 302"):
        colour.run(colour.formation(play).get_memories, "ada")
    assert len(play.requests) == 1


def test_see_other_leaves_a_request_for_the_head_alone(colour: Colour) -> None:
    play = Playback(redirect(303), plain(204))
    colour.run(colour.formation(play).send, Call("HEAD", "/x", **OPEN))
    assert [request.method for request in play.requests] == ["HEAD", "HEAD"]


def test_the_error_of_a_body_that_cannot_be_redirected_says_what_to_give(colour: Colour) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x"

    with pytest.raises(ConfigurationError) as caught:
        colour.run(colour.formation(redirect(307, "/y")).send, Call("PUT", "/x", content=pieces(), **OPEN))
    assert caught.value.message == (
        "the answer redirects to http://localhost:8001/y, and the body, an iterator, cannot be sent a second time; "
        "give the address it redirects to, or a function that returns the iterator"
    )


# What plugins answer


class Answers:
    """A plugin that answers by itself, and counts how often it was asked."""

    def __init__(self, response: BufferedResponse, name: str = "answers") -> None:
        self.name = name
        self.response = response
        self.asked = 0

    @hookimpl
    def muxi_intercept(self) -> BufferedResponse:
        self.asked += 1
        return self.response


def test_once_a_plugin_has_answered_no_other_is_asked(colour: Colour) -> None:
    later, sooner = Answers(answer({"a": 2}), "later"), Answers(answer({"a": 1}), "sooner")
    client = colour.formation(Playback(), plugins=[later, sooner])
    assert colour.run(client.get_memories, "ada") == {"a": 1}
    assert (sooner.asked, later.asked) == (1, 0)


class Replaces:
    """A plugin that replaces each answer, and counts how often it has seen one."""

    def __init__(self, response: BufferedResponse, name: str = "replaces") -> None:
        self.name = name
        self.response = response
        self.seen = 0

    @hookimpl
    def muxi_response_received(self) -> BufferedResponse:
        self.seen += 1
        return self.response


def test_every_plugin_sees_an_answer_and_the_first_replacement_stands(colour: Colour) -> None:
    later, sooner = Replaces(answer({"a": 2}), "later"), Replaces(answer({"a": 1}), "sooner")
    client = colour.formation(answer({}), plugins=[later, sooner])
    assert colour.run(client.get_memories, "ada") == {"a": 1}
    assert (sooner.seen, later.seen) == (1, 1)


def test_a_stream_that_is_replaced_is_freed_before_the_replacement_is_read(colour: Colour) -> None:
    play = Playback(chat_events("theirs"))
    client = colour.formation(play, plugins=[Replaces(chat_events("mine"))])
    stream = colour.run(client.chat_stream, "x")
    assert play.freed == 1
    assert colour.run(stream.result)["content"] == "mine"


@pytest.mark.parametrize(("call", "freed"), [(Call("GET", "/x", **OPEN), 1), (frames(), 1)], ids=["answer", "stream"])
def test_an_interruption_while_plugins_see_an_answer_frees_it_once(colour: Colour, call: Call[Any], freed: int) -> None:
    class Interrupts:
        @hookimpl
        def muxi_response_received(self) -> None:
            raise KeyboardInterrupt

    play = Playback(events("data: 1") if isinstance(call, StreamCall) else answer({}))
    with pytest.raises(KeyboardInterrupt):
        colour.run(colour.formation(play, plugins=[Interrupts()]).send, call)
    assert play.freed == freed


@pytest.mark.parametrize("call", [Call("GET", "/x", **OPEN), frames()], ids=["answer", "stream"])
def test_a_coroutine_may_be_given_up_while_plugins_see_an_answer(call: Call[Any]) -> None:
    class Hangs:
        @hookimpl
        async def muxi_response_received(self) -> None:
            await asyncio.get_running_loop().create_future()

    async def give_up() -> None:
        play = Playback(events("data: 1") if isinstance(call, StreamCall) else answer({}))
        client = AsyncFormationClient(
            url="http://localhost:1", transport=AsyncPlaybackTransport(play), plugins=[Hangs()], client_key="k"
        )
        coroutine = client.send(call)
        coroutine.send(None)
        coroutine.send(None)
        coroutine.close()

    asyncio.run(give_up())


# Streams


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (plain(200, b"<p>Sign in</p>"), "the answer is not an event stream (text/html): <p>Sign in</p>"),
        (BufferedResponse(200, content=b"Sign in"), "the answer is not an event stream (no content type): Sign in"),
    ],
)
@pytest.mark.parametrize("from_plugin", [True, False])
def test_a_page_in_place_of_a_stream_is_shown(
    colour: Colour, response: BufferedResponse, said: str, from_plugin: bool
) -> None:
    plugins = [Answers(response)] if from_plugin else []
    with pytest.raises(ServerError) as caught:
        colour.run(colour.formation(response, plugins=plugins).send, frames())
    assert (caught.value.code, caught.value.message) == ("UNEXPECTED_ANSWER", said)
    assert caught.value.answer is not None
    assert caught.value.answer.body == response.content


@pytest.mark.parametrize("status", [199, 300])
def test_the_body_of_what_is_no_success_of_a_stream_is_read(colour: Colour, status: int) -> None:
    play = Playback(BufferedResponse(status, [("Content-Type", "text/event-stream")], b"not that"))
    with pytest.raises(ServerError if status < 200 else MuxiError, match=f"HTTP {status}") as caught:
        colour.run(colour.formation(play, max_retries=0).send, frames())
    assert caught.value.answer is not None
    assert caught.value.answer.body == b"not that"
    assert play.freed == 1


@pytest.mark.parametrize("status", [200, 299])
def test_a_stream_is_open_when_its_call_returns(colour: Colour, status: int) -> None:
    play = Playback(BufferedResponse(status, [("Content-Type", "text/event-stream")], b"data: 1\n\n"))
    stream = colour.run(colour.formation(play).send, frames())
    assert play.freed == 0
    assert len(colour.collect(lambda: stream)) == 1
    assert play.freed == 1


# Files


def test_a_file_that_comes_too_late_says_which_bound_it_was(colour: Colour, tmp_path: Path) -> None:
    script = Script(b"begin", timed_out())
    transport = ScriptedAsyncTransport(script) if isinstance(colour, AsyncColour) else ScriptedTransport(script)
    client = colour.formation(transport=transport, clock=ManualClock(), max_retries=0)
    with pytest.raises(TimeoutError, match="raise it with timeout="):
        colour.run(client.send, Call("GET", "/x", into=tmp_path / "a", **OPEN))
    assert list(tmp_path.iterdir()) == []
