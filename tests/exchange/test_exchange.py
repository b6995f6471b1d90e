"""The life of a call between its hooks: what is sent, how answers are read, redirects, time limits, cancellation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from muxi import (
    AsyncFormationClient,
    ConfigurationError,
    Context,
    FormationClient,
    ManualClock,
    MuxiError,
    Outcome,
    RateLimitError,
    ServerError,
    StreamInterrupted,
    TimeoutError,
    ValidationError,
    hookimpl,
    meta,
)
from muxi.call import Call, Key, Procedure, Wait
from muxi.client.endpoints import procedure
from muxi.streaming.call import StreamCall
from muxi.transport import (
    AsyncResponse,
    AsyncTransport,
    BufferedResponse,
    BytesBody,
    Request,
    Response,
    Transport,
)
from tests.answers import (
    ADMIN_KEY,
    CLIENT_KEY,
    JSON,
    AsyncPlaybackTransport,
    Colour,
    Playback,
    answer,
    chat_answer,
    chat_events,
    events,
    failure,
    flat,
    json_answer,
    plain,
    refused,
    timed_out,
)

OPEN: dict[str, Any] = {"key": Key.NONE}


def test_a_request_has_the_url_the_headers_and_the_body_of_its_call(colour: Colour) -> None:
    play = Playback(chat_answer())
    client = colour.formation(play, url="https://formation.example/base/", headers={"X-Tenant": "t1"})
    colour.run(client.chat, {"message": "Grüße", "session_id": "s"}, user_id="Zoë")
    request = play.request
    assert (request.method, request.url) == ("POST", "https://formation.example/base/v1/chat")
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Muxi-User-ID"] == "Zoë"
    assert request.headers["X-Tenant"] == "t1"
    assert request.headers["X-Muxi-Client-Key"] == CLIENT_KEY
    assert request.headers["X-Muxi-SDK"].startswith("python/")
    body = play.body()
    assert body.pop("request_id") == meta_id(request)
    assert body == {"message": "Grüße", "session_id": "s", "stream": False}
    assert not request.stream


def meta_id(request: Request) -> str:
    assert isinstance(request.body, BytesBody)
    found: str = json.loads(request.body.content)["request_id"]
    assert found.startswith("req_")
    assert len(found) == 25
    return found


def test_the_callers_request_id_is_kept(colour: Colour) -> None:
    play = Playback(chat_answer())
    colour.run(colour.formation(play).chat, {"message": "x", "request_id": "mine"})
    assert play.body()["request_id"] == "mine"


def test_a_payload_is_not_changed_by_being_sent(colour: Colour) -> None:
    payload = {"message": "x"}
    colour.run(colour.formation(chat_answer()).chat, payload)
    assert payload == {"message": "x"}


def test_a_stream_asks_for_events_and_for_no_compression(colour: Colour) -> None:
    play = Playback(chat_events("x"))
    colour.run(colour.run(colour.formation(play).chat_stream, "x").close)
    assert play.request.stream
    assert play.request.headers["Accept"] == "text/event-stream"
    assert play.request.headers["Accept-Encoding"] == "identity"


def test_a_call_that_needs_no_key_sends_none(colour: Colour) -> None:
    play = Playback(json_answer(200, {"status": "healthy"}))
    assert colour.run(colour.formation(play).health) == {"status": "healthy"}
    assert not [name for name in play.request.headers if name.lower().endswith("-key")]


@pytest.mark.parametrize(
    ("keys", "header", "value"),
    [
        ({"client_key": CLIENT_KEY, "admin_key": ADMIN_KEY}, "X-Muxi-Client-Key", CLIENT_KEY),
        ({"client_key": None, "admin_key": ADMIN_KEY}, "X-Muxi-Admin-Key", ADMIN_KEY),
    ],
)
def test_either_key_is_the_client_key_if_there_is_one(
    colour: Colour, keys: dict[str, Any], header: str, value: str
) -> None:
    play = Playback(answer({}))
    colour.run(colour.formation(play, **keys).get_memories, "ada")
    assert {name: text for name, text in play.request.headers.items() if name.endswith("-Key")} == {header: value}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (Key.CLIENT, "client_key= or set MUXI_CLIENT_KEY"),
        (Key.ADMIN, "admin_key= or set MUXI_ADMIN_KEY"),
        (Key.EITHER, "MUXI_CLIENT_KEY.*MUXI_ADMIN_KEY"),
    ],
)
def test_a_missing_key_is_named_before_anything_is_sent(colour: Colour, key: Key, said: str) -> None:
    client = colour.formation(client_key=None, admin_key=None)
    with pytest.raises(ConfigurationError, match=said):
        colour.run(client.send, Call[Any]("GET", "/x", key=key))


# Answers


def test_data_comes_unwrapped_and_the_envelopes_rest_beside_it(colour: Colour) -> None:
    result = colour.run(colour.formation(answer({"count": 0, "timestamp": "theirs"})).get_memories, "ada")
    assert dict(result) == {"count": 0, "timestamp": "theirs"}
    about = meta(result)
    assert about.request_id == result["request_id"] == "req_wire"
    assert (about.timestamp, about.object, about.type) == (1795362270462, "thing", "thing.retrieved")
    assert (about.status, about.attempts) == (200, 1)


@pytest.mark.parametrize(
    ("response", "data"),
    [
        (json_answer(200, {"success": True, "data": {"a": 1}}), {"a": 1}),
        (json_answer(200, {"status": "healthy"}), {"status": "healthy"}),
        (json_answer(200, {"data": {"a": 1}}), {"data": {"a": 1}}),
        (json_answer(200, {"success": True, "port": 1}), {"success": True, "port": 1}),
        (json_answer(200, {"success": True, "data": None}), {"success": True, "data": None}),
        (plain(204), {}),
        (plain(205), {}),
    ],
)
def test_other_shapes_are_the_data_themselves(colour: Colour, response: BufferedResponse, data: Any) -> None:
    assert colour.run(colour.formation(response).health) == data


@pytest.mark.parametrize("content", [b"", b" \n"], ids=["empty", "blank"])
def test_an_answer_without_content_is_no_success(colour: Colour, content: bytes) -> None:
    with pytest.raises(ServerError, match="not a JSON object") as caught:
        colour.run(colour.formation(Playback(plain(200, content))).health)
    assert (caught.value.code, caught.value.status_code) == ("UNEXPECTED_ANSWER", 200)


def test_a_success_that_says_it_is_none_is_an_error(colour: Colour) -> None:
    response = json_answer(200, {"success": False, "error": {"code": "NOPE", "message": "Not today.", "data": None}})
    with pytest.raises(MuxiError, match=r"NOPE: Not today.") as caught:
        colour.run(colour.formation(response).health)
    assert caught.value.status_code == 200


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (plain(200, b"<html><h1>Sign in</h1></html>"), r"not a JSON object \(text/html\): <html><h1>Sign in"),
        (plain(200, b"[1, 2]", "application/json"), r"not a JSON object \(application/json\)"),
        (plain(200, b'{"a": ', "application/json"), r"not a JSON object"),
        (plain(200, b"\xff\xfe\xff", ""), r"not a JSON object \(no content type\)"),
    ],
)
def test_what_is_no_json_object_is_an_error_that_shows_its_beginning(
    colour: Colour, response: BufferedResponse, said: str
) -> None:
    with pytest.raises(ServerError, match=said) as caught:
        colour.run(colour.formation(response).health)
    assert caught.value.code == "UNEXPECTED_ANSWER"
    assert caught.value.answer is not None
    assert caught.value.attempts == 1


def test_a_stream_that_is_none_is_an_error_and_not_an_empty_stream(colour: Colour) -> None:
    play = Playback(plain(200, b"<html>Sign in</html>"))
    with pytest.raises(ServerError, match=r"not an event stream \(text/html\): <html>Sign in"):
        colour.run(colour.formation(play).chat_stream, "x")
    assert play.freed == 1


def test_the_error_of_a_stream_is_raised_by_the_call_itself(colour: Colour) -> None:
    play = Playback(failure(422, "INVALID_PARAMS", "Validation failed"))
    with pytest.raises(ValidationError, match=r"INVALID_PARAMS.*chat_stream \(POST /chat\), HTTP 422"):
        colour.run(colour.formation(play).chat_stream, "x")
    assert play.freed == 1


# Time limits


@pytest.mark.parametrize(
    ("error", "said", "bound"),
    [
        (timed_out("connect"), "raise it with connect_timeout=", "connect"),
        (timed_out("timeout"), r"raise it with timeout= on the client or with_options\(timeout=…\)", "timeout"),
        (timed_out("read"), "raise it with timeout=", "read"),
    ],
)
def test_a_time_limit_says_how_to_raise_it(colour: Colour, error: TimeoutError, said: str, bound: str) -> None:
    with pytest.raises(TimeoutError, match=said) as caught:
        colour.run(colour.formation(error, max_retries=0).get_memories, "ada")
    assert caught.value.bound == bound


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        ({}, "timeout"),
        ({"timeout": 90}, "idle_timeout"),
        ({"idle_timeout": 5}, "idle_timeout"),
        ({"idle_timeout": None}, "timeout"),
        ({"stall_timeout": 5}, "stall_timeout"),
    ],
)
def test_a_stream_that_does_not_begin_names_its_bound(colour: Colour, options: dict[str, Any], bound: str) -> None:
    with pytest.raises(TimeoutError, match=f"raise it with {bound}=") as caught:
        colour.run(colour.formation(timed_out("read"), **options).chat_stream, "x")
    assert caught.value.bound == bound


@pytest.mark.parametrize(
    ("options", "read", "head"),
    [
        ({}, 60.0, 30.0),
        ({"idle_timeout": 5}, 5, 30.0),
        ({"stall_timeout": 7}, 7, 30.0),
        ({"idle_timeout": None}, 300.0, 30.0),
        ({"idle_timeout": None, "stall_timeout": None}, None, 30.0),
        ({"idle_timeout": None, "stall_timeout": None, "timeout": 8}, None, 8),
        ({"idle_timeout": None, "stall_timeout": None, "deadline": 9}, 9, 9),
    ],
)
def test_the_bounds_of_a_stream(
    colour: Colour, options: dict[str, Any], read: float | None, head: float | None
) -> None:
    play = Playback(chat_events("x"))
    colour.run(colour.run(colour.formation(play, **options).chat_stream, "x").close)
    timeouts = play.request.timeouts
    assert (timeouts.read, timeouts.stall, timeouts.head) == (read, read, head)
    assert timeouts.total == options.get("deadline"), "without a deadline a stream may go on for hours"


class Slow(Response):
    """A body that notes how long it may take."""

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__(status, [("Content-Type", "application/json")])
        self.content = content
        self.within: list[float | None] = []

    def chunks(self) -> Iterator[bytes]:
        yield self.content

    def read(self, within: float | None = None, *, limit: int | None = None) -> bytes:
        self.within.append(within)
        return super().read(within, limit=limit)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("options", "within"), [({"timeout": 8}, 8), ({"timeout": 8, "deadline": 5}, 5)])
@pytest.mark.parametrize(
    ("status", "error"),
    [(429, RateLimitError), (200, MuxiError), (500, ServerError)],
)
def test_the_body_of_what_is_no_stream_has_the_time_of_a_plain_answer(
    status: int, error: type[MuxiError], options: dict[str, Any], within: float
) -> None:
    slow = Slow(status, b'{"success": false, "error": {"code": "AGENT_BUSY", "message": "later"}}')

    class Sends(Transport):
        clock = ManualClock()

        def send(self, request: Request) -> Response:
            return slow

    client = FormationClient(url="http://localhost", client_key="k", transport=Sends(), max_retries=0, **options)
    with pytest.raises(error) as caught:
        client.chat_stream("x")
    assert slow.within == [within]
    assert caught.value.code == "AGENT_BUSY"


def test_a_stream_answered_by_an_envelope_keeps_its_code(colour: Colour) -> None:
    envelope = {"success": False, "error": {"code": "AGENT_BUSY", "message": "later"}, "request": {"id": "req_1"}}
    with pytest.raises(MuxiError, match="AGENT_BUSY: later") as caught:
        colour.run(colour.formation(Playback(json_answer(200, envelope))).chat_stream, "x")
    assert (caught.value.code, caught.value.status_code, caught.value.request_id) == ("AGENT_BUSY", 200, "req_1")


def test_the_bounds_of_a_call(colour: Colour) -> None:
    play = Playback(answer({}), answer({}), answer({}))
    client = colour.formation(play, timeout=12, connect_timeout=3)
    colour.run(client.get_memories, "ada")
    assert (play.request.timeouts.total, play.request.timeouts.connect) == (12, 3)
    colour.run(client.with_options(timeout=2).get_memories, "ada")
    assert (play.request.timeouts.total, play.request.timeouts.connect) == (2, 2)
    colour.run(client.send, Call[Any]("POST", "/slow", timeout=600, **OPEN))
    assert play.request.timeouts.total == 600


# Users, ids and headers of callers


@pytest.mark.parametrize("user", ["", "  ", None])
def test_a_user_that_is_needed_is_asked_for(colour: Colour, user: Any) -> None:
    with pytest.raises(ValidationError, match=r"USER_REQUIRED.*user_id=.*get_memories") as caught:
        colour.run(colour.formation().get_memories, user)
    assert caught.value.details["validation_errors"][0]["field"] == "user_id"


@pytest.mark.parametrize("user", [42, b"ada", "\ud800"])
def test_a_user_that_is_no_text_is_refused(colour: Colour, user: Any) -> None:
    with pytest.raises(ValidationError, match="user_id"):
        colour.run(colour.formation().get_memories, user)
    with pytest.raises(ValidationError, match="user_id"):
        colour.run(colour.formation().chat, "x", user_id=user)


@pytest.mark.parametrize("bad", ["ada\r\nX-Muxi-Admin-Key: x", "a\nda", "a\rda", "ada\0"])
def test_a_user_cannot_break_out_of_its_header(colour: Colour, bad: str) -> None:
    play = Playback()
    with pytest.raises(ValidationError, match="INVALID_HEADER"):
        colour.run(colour.formation(play).get_memories, bad)
    assert not play.requests


@pytest.mark.parametrize(
    "headers", [{"X-A": "b\r\nc: d"}, {"X A": "b"}, {"X:A": "b"}, {"": "b"}, {"Ü": "b"}, {"X-A": "\ud800"}, {"X-A": 1}]
)
def test_headers_cannot_break_out_of_their_line(colour: Colour, headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"headers=.*header"):
        colour.formation().with_options(headers=headers)
    with pytest.raises(ConfigurationError, match=r"headers=.*header"):
        colour.formation(headers=headers)


# Procedures


def test_a_wait_for_a_request_looks_until_it_has_ended(colour: Colour) -> None:
    play = Playback(
        *(answer({"status": "processing"}) for _ in range(3)),
        refused(),
        answer({"status": "completed", "result": "done"}),
    )
    result = colour.run(colour.formation(play, disable_plugins=["muxi.log"]).wait_for_request, "req_1", "ada")
    assert result["result"] == "done"
    assert play.waits[:3] == [0.25, 0.375, 0.562]


def test_a_wait_that_takes_too_long_names_its_limit(colour: Colour) -> None:
    play = Playback(*(answer({"status": "processing"}) for _ in range(99)))
    with pytest.raises(TimeoutError, match=r"still processing after 10 s.*\[wait_for_request") as caught:
        colour.run(colour.formation(play).wait_for_request, "req_1", "ada", timeout=10)
    assert caught.value.request_id == "req_1"
    assert play.clock.monotonic() == pytest.approx(10)


def test_slow_looks_count_towards_the_limit_of_a_wait(colour: Colour) -> None:
    def slow(request: Request) -> BufferedResponse:
        play.clock.advance(8)
        return answer({"status": "processing"})

    play = Playback(slow, slow, slow)
    with pytest.raises(TimeoutError):
        colour.run(colour.formation(play).wait_for_request, "req_1", "ada", timeout=10)


def test_an_answer_that_a_procedure_takes_for_a_good_one_is_there_in_the_raw_response(colour: Colour) -> None:
    client = colour.formation(*(failure(500, "INTERNAL_ERROR", "MEMORY_BUFFER_CLEARED") for _ in range(2)))
    result = colour.run(client.clear_all_buffers)
    assert result == {"message": "All buffers cleared"}
    assert meta(result).request_id == "req_wire"
    raw = colour.run(client.with_raw_response.clear_all_buffers)
    assert (raw.status_code, raw.data, raw.request_id) == (500, result, "req_wire")


def test_items_come_page_by_page_and_a_loop_may_stop_early(colour: Colour) -> None:
    def page(first: int, count: int) -> BufferedResponse:
        return answer({"memories": [{"id": str(first + index)} for index in range(count)], "count": count})

    play = Playback(page(0, 100), page(99, 100), page(199, 5))
    ids = [memory["id"] for memory in colour.collect(colour.formation(play).iter_memories, "ada")]
    assert ids == [str(number) for number in range(204)]
    assert [request.url.partition("?")[2] for request in play.requests] == [
        "limit=100&offset=0",
        "limit=100&offset=100",
        "limit=100&offset=200",
    ]


def test_leaving_an_iteration_closes_the_procedure_behind_it() -> None:
    play = Playback(answer({"memories": [{"id": str(number)} for number in range(100)], "count": 100}))
    memories = Colour().formation(play).iter_memories("ada")
    assert next(memories)["id"] == "0"
    memories.close()
    assert len(play.requests) == 1
    assert list(memories) == []


def test_errors_are_raised_inside_a_procedure_and_waits_tell_the_time(colour: Colour) -> None:
    class Operations:
        @procedure
        def patient(self, seconds: float) -> Procedure[list[Any]]:
            seen: list[Any] = []
            try:
                yield Call("GET", "/fails", **OPEN)
            except MuxiError as error:
                seen.append(error.status_code)
            seen.append((yield Wait(seconds)))
            return seen

    client = colour.formation(failure(404))
    mine = type("Mine", (Operations, type(client)), {})
    client.__class__ = mine
    assert colour.run(client.patient, 2.5) == [404, 2.5]


# Cancellation


class Witness:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    @hookimpl
    async def muxi_call_finished(self, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        self.outcomes.append(outcome)


class Hanging(AsyncTransport):
    """Waits for ever, in one place or the other."""

    def __init__(self, *, head: bool) -> None:
        self.head = head
        self.waiting = asyncio.Event()
        self.freed = False

    async def send(self, request: Request) -> AsyncResponse:
        if not self.head:
            return self.Body(self)
        await self.wait()
        raise AssertionError

    async def wait(self) -> None:
        self.waiting.set()
        await asyncio.get_running_loop().create_future()

    class Body(AsyncResponse):
        def __init__(self, transport: Hanging) -> None:
            super().__init__(200, [JSON])
            self.transport = transport

        async def chunks(self) -> Any:
            await self.transport.wait()
            yield b""

        async def close(self) -> None:
            self.transport.freed = True


@pytest.mark.parametrize("head", [True, False])
def test_a_cancelled_call_is_finished_once_with_the_cancellation(head: bool) -> None:
    witness = Witness()

    async def scenario() -> None:
        transport = Hanging(head=head)
        client = AsyncFormationClient(url="http://localhost:1", transport=transport, plugins=[witness], client_key="k")
        task = asyncio.create_task(client.get_memories("ada"))
        await transport.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert transport.freed is not head

    asyncio.run(scenario())
    assert [type(outcome.error) for outcome in witness.outcomes] == [asyncio.CancelledError]


def test_a_call_that_is_cancelled_while_it_waits_for_another_attempt_is_finished_once() -> None:
    witness = Witness()

    async def scenario() -> None:
        from muxi.clock import ManualClock

        play = Playback(refused())
        client = AsyncFormationClient(
            url="http://localhost:1",
            transport=AsyncPlaybackTransport(play),
            plugins=[witness],
            client_key="k",
            clock=ManualClock(auto_advance=False),
        )
        task = asyncio.create_task(client.get_memories("ada"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(play.requests) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert [type(outcome.error) for outcome in witness.outcomes] == [asyncio.CancelledError]


@pytest.mark.parametrize("hook", ["muxi_call_started", "muxi_response_received"])
def test_a_call_that_is_cancelled_inside_a_hook_is_finished_and_frees_its_stream(hook: str) -> None:
    witness = Witness()
    waiting = asyncio.Event()

    class Hangs:
        name = "hangs"

    async def hang(self: Any) -> None:
        waiting.set()
        await asyncio.get_running_loop().create_future()

    hang.__name__ = hook
    setattr(Hangs, hook, hookimpl(hang))
    play = Playback(events())

    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://localhost:1",
            transport=AsyncPlaybackTransport(play),
            plugins=[witness, Hangs()],
            client_key="k",
        )
        call: StreamCall[Any] = StreamCall("GET", "/x", events="frames", **OPEN)
        task = asyncio.create_task(client.send(call))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert [type(outcome.error) for outcome in witness.outcomes] == [asyncio.CancelledError]
    assert play.freed == len(play.requests)


def test_a_coroutine_that_is_given_up_runs_no_hooks() -> None:
    witness = Witness()

    async def scenario() -> None:
        transport = Hanging(head=True)
        client = AsyncFormationClient(url="http://localhost:1", transport=transport, plugins=[witness], client_key="k")
        coroutine = client.get_memories("ada")
        coroutine.send(None)
        coroutine.close()

    asyncio.run(scenario())
    assert witness.outcomes == []


def test_errors_say_how_often_it_was_tried(colour: Colour) -> None:
    play = Playback(refused(), flat(409, "Conflict", "Formation is already stopped"))
    with pytest.raises(MuxiError, match=r"CONFLICT: Formation is already stopped \[stop_formation .*2 attempts"):
        colour.run(colour.server(play).stop_formation, "bot")


def test_the_context_has_the_url_of_the_call(colour: Colour) -> None:
    urls: list[str] = []

    class Looks:
        @hookimpl
        def muxi_call_started(self, context: Context) -> None:
            urls.append(context.url)

    client = colour.formation(answer({}), plugins=[Looks()])
    colour.run(client.get_session, "über uns", "ada")
    assert urls == ["http://localhost:8001/v1/sessions/%C3%BCber%20uns"]


@pytest.mark.parametrize("hook", ["muxi_prepare_request", "muxi_intercept"])
def test_the_time_that_plugins_take_is_taken_off_the_bounds_of_the_request(colour: Colour, hook: str) -> None:
    class Waits:
        pass

    def waits(self: Any, context: Context) -> None:
        context.clock.sleep(4)

    waits.__name__ = hook
    setattr(Waits, hook, hookimpl(waits))
    playback = Playback(answer({}), events())
    client = colour.formation(playback, plugins=[Waits()], deadline=6)
    colour.run(client.get_memories, "ada")
    assert (playback.request.timeouts.total, playback.request.timeouts.connect) == (2, 2)
    with pytest.raises(StreamInterrupted):
        colour.collect(client.chat_stream, "hi", user_id="ada")
    assert (playback.request.timeouts.total, playback.request.timeouts.read) == (2, 2)


def test_a_hook_is_told_the_colour_of_its_client(colour: Colour) -> None:
    told: list[bool] = []

    class Asks:
        @hookimpl
        def muxi_call_started(self, context: Context) -> None:
            told.append(context.asynchronous)

    colour.run(colour.formation(answer({}), plugins=[Asks()]).get_memories, "ada")
    assert told == [colour.asynchronous]
