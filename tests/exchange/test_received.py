"""What becomes of an answer: plugins see it, schemas check it, a stream stays open, a file is written."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from muxi import (
    AsyncFormationClient,
    ManualClock,
    MuxiError,
    ServerError,
    TimeoutError,
    ValidationError,
    hookimpl,
)
from muxi.call import Call, Key
from muxi.streaming.call import StreamCall
from muxi.transport import BufferedResponse
from tests.answers import (
    AsyncColour,
    AsyncPlaybackTransport,
    Colour,
    Playback,
    answer,
    chat_events,
    events,
    plain,
    timed_out,
)
from tests.scripted import Script, ScriptedAsyncTransport, ScriptedTransport

OPEN: dict[str, Any] = {"key": Key.NONE}
#: An answer that is no list of memories.
MISFIT = {"memories": "none"}
#: Scripted answers of the type that a call expects of a list of memories.
LIST: dict[str, Any] = {"returns": "MemoryPage", **OPEN}


def frames(path: str = "/x", **rest: Any) -> StreamCall[Any]:
    """A stream made by hand."""
    return StreamCall("GET", path, **{"events": "frames", **OPEN, **rest})


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


@pytest.mark.parametrize("call", [Call("GET", "/x", **OPEN), frames()], ids=["answer", "stream"])
def test_an_interruption_while_plugins_see_an_answer_frees_it_once(colour: Colour, call: Call[Any]) -> None:
    class Interrupts:
        @hookimpl
        def muxi_response_received(self) -> None:
            raise KeyboardInterrupt

    play = Playback(events("data: 1") if isinstance(call, StreamCall) else answer({}))
    with pytest.raises(KeyboardInterrupt):
        colour.run(colour.formation(play, plugins=[Interrupts()]).send, call)
    assert play.freed == 1


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
