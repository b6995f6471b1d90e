"""For each hook: it is called, and what a plugin does that raises, interrupts, or returns rubbish there."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from muxi import STOP, ConnectionError, MuxiError, Outcome, PluginError, hookimpl, hookspecs
from muxi.transport import BufferedResponse, Headers, Request
from tests.answers import AsyncColour, Colour, Playback, answer, chat_events, failure
from tests.diary import SPECS, Diary

#: What a failure in each hook does: it fails the constructor, decides the call, or is logged.
REQUIRED = ("muxi_register_transports", "muxi_register_schemas")
DECISIVE = ("muxi_prepare_request", "muxi_intercept")
OBSERVING = tuple(hook for hook in SPECS if hook not in REQUIRED + DECISIVE)
#: Those that are called where nothing can be awaited.
NEVER_ASYNC = (*REQUIRED, "muxi_client_created")


def plugin(hook: str, act: Callable[..., Any], *, later: bool = False, first: bool = True) -> object:
    """A plugin with one hook, written with the arguments of the contract."""

    async def act_later(**arguments: Any) -> Any:
        await asyncio.sleep(0)
        return act(**arguments)

    names = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    keywords = ", ".join(f"{name}={name}" for name in names)
    source = f"def {hook}(self, {', '.join(names)}): return {'await ' if later else ''}act({keywords})"
    made: dict[str, Any] = {"act": act_later if later else act}
    exec(f"{'async ' if later else ''}{source}", made)  # noqa: S102  built from the contract's own names
    return type("Plugin", (), {"name": "odd", hook: hookimpl(tryfirst=first)(made[hook])})()


def script() -> Playback:
    """A call with a retry, and a stream: together they meet every hook."""
    return Playback(failure(429, retry_after="1"), answer({"a": 1}), chat_events("Hi"))


def live(colour: Colour, play: Playback, *plugins: object) -> list[Any]:
    """A client's whole life: a call, a stream, its end."""
    client = colour.formation(play, plugins=list(plugins))
    try:
        result = colour.run(client.get_memories, "ada")
        stream = colour.run(client.chat_stream, "hi")
        events = colour.collect(lambda: stream)
    finally:
        colour.run(client.close)
    return [result, *events]


class Way(NamedTuple):
    """A colour of clients, and whether a plugin's functions are coroutine functions."""

    colour: Colour
    asynchronous: bool

    def plugin(self, hook: str, act: Callable[..., Any]) -> object:
        """A plugin that is one of these wherever that can be."""
        return plugin(hook, act, later=self.asynchronous and hook not in NEVER_ASYNC)


@pytest.fixture(params=["sync", "async with def", "async with async def"])
def way(request: pytest.FixtureRequest) -> Iterator[Way]:
    """Every way in turn that a hook can be implemented."""
    colour = Colour() if request.param == "sync" else AsyncColour()
    yield Way(colour, request.param == "async with async def")
    colour.end()


def test_a_clients_life_meets_every_hook(colour: Colour) -> None:
    diary = Diary()
    live(colour, script(), diary)
    assert set(diary.hooks) == {name.removeprefix("muxi_") for name in SPECS}


@pytest.mark.parametrize("hook", SPECS)
def test_each_hook_is_given_what_its_contract_says(way: Way, hook: str) -> None:
    seen: list[dict[str, Any]] = []

    def note(**arguments: Any) -> None:
        seen.append(arguments)

    live(way.colour, script(), way.plugin(hook, note))
    assert seen
    assert all(set(arguments) == set(inspect.signature(getattr(hookspecs, hook)).parameters) for arguments in seen)
    assert all(value is not None for arguments in seen for value in arguments.values())


FAILURES = [
    pytest.param(RuntimeError("oops"), id="raises"),
    pytest.param(OSError("hung up"), id="hangs up"),
    pytest.param(ConnectionError("CONNECTION_LOST", "hung up"), id="hangs up as the SDK says it"),
    pytest.param(StopIteration("spent"), id="StopIteration"),
    pytest.param(AssertionError(), id="asserts"),
]


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("hook", OBSERVING)
def test_a_failure_in_an_observing_hook_is_logged_and_neither_breaks_nor_silences(
    way: Way, hook: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:

    def fail(**arguments: Any) -> None:
        raise error

    expected = live(way.colour, script(), before := Diary())
    play = script()
    assert live(way.colour, play, after := Diary(), way.plugin(hook, fail)) == expected
    assert after.hooks == before.hooks, "nobody is silenced"
    failed = [record for record in caplog.records if record.name == "muxi.plugins"]
    assert {record.getMessage() for record in failed} == {f"the plugin 'odd' failed in {hook}"}
    assert all(record.exc_info for record in failed)
    assert play.freed == 3


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize("hook", DECISIVE)
def test_a_failure_in_a_deciding_hook_is_the_calls(way: Way, hook: str, error: Exception) -> None:
    def fail(**arguments: Any) -> None:
        raise error

    diary = Diary()
    play = Playback()
    with pytest.raises(MuxiError) as caught:
        live(way.colour, play, diary, way.plugin(hook, fail))
    assert play.requests == []
    assert caught.value.call == "get_memories (GET /memories)"
    assert [it["outcome"].error for it in diary.of("call_finished")] == [caught.value]
    if isinstance(error, MuxiError):
        assert caught.value is error
    else:
        assert isinstance(caught.value, PluginError)
        assert (caught.value.plugin, caught.value.hook) == ("odd", hook)


@pytest.mark.parametrize("hook", DECISIVE)
def test_a_plugin_may_refuse_an_attempt_so_that_it_is_repeated(way: Way, hook: str) -> None:
    refusals = [ConnectionError("POOL_EXHAUSTED", "no slot is free", connected=False)]

    def refuse(**arguments: Any) -> None:
        if refusals:
            raise refusals.pop()

    play = Playback(answer({"a": 1}))
    client = way.colour.formation(play, plugins=[way.plugin(hook, refuse)])
    assert way.colour.run(client.get_memories, "ada") == {"a": 1}
    assert len(play.requests) == 1


@pytest.mark.parametrize("error", [RuntimeError("oops"), OSError("hung up"), MuxiError("SEALED", "no")])
@pytest.mark.parametrize("hook", REQUIRED)
def test_a_failure_to_register_fails_the_constructor(colour: Colour, hook: str, error: Exception) -> None:
    def fail(**arguments: Any) -> None:
        raise error

    with pytest.raises(MuxiError) as caught:
        colour.formation(plugins=[plugin(hook, fail)])
    if isinstance(error, MuxiError):
        assert caught.value is error
    else:
        assert f"the plugin 'odd' failed in {hook}: {type(error).__name__}" in caught.value.message


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("hook", SPECS)
def test_whoever_interrupts_the_program_does_so_and_no_connection_is_left(
    colour: Colour, hook: str, interruption: BaseException
) -> None:
    def interrupt(**arguments: Any) -> None:
        raise interruption

    play, diary = script(), Diary()
    with pytest.raises(type(interruption)):
        live(colour, play, diary, plugin(hook, interrupt))
    assert play.freed == len(play.requests)
    if hook in diary.hooks:
        assert diary.hooks.count("call_started") == diary.hooks.count("call_finished")


@pytest.mark.parametrize("hook", [hook for hook in SPECS if hook not in NEVER_ASYNC])
def test_a_task_that_is_cancelled_in_a_hook_ends_and_no_connection_is_left(hook: str) -> None:
    def cancelled(**arguments: Any) -> None:
        raise asyncio.CancelledError

    colour, play = AsyncColour(), script()
    try:
        with pytest.raises(asyncio.CancelledError):
            live(colour, play, plugin(hook, cancelled, later=True))
        assert play.freed == len(play.requests)
    finally:
        colour.end()


RUBBISH: list[object] = ["soon", {"a": 1}, True, float("nan"), object()]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=lambda it: type(it).__name__ if type(it) is object else repr(it))
@pytest.mark.parametrize("hook", [hook for hook in SPECS if hook != "muxi_intercept"])
def test_rubbish_that_a_hook_returns_changes_nothing(way: Way, hook: str, rubbish: object) -> None:
    play = script()
    assert live(way.colour, play, way.plugin(hook, lambda **_: rubbish))[0] == {"a": 1}
    assert play.waits[0] == 1


@pytest.mark.parametrize("rubbish", RUBBISH, ids=lambda it: type(it).__name__ if type(it) is object else repr(it))
def test_rubbish_in_place_of_an_answer_fails_the_call(way: Way, rubbish: object) -> None:
    play = Playback()
    with pytest.raises(PluginError, match=r"'odd' returned a \w+ from muxi_intercept, which takes BufferedResponse"):
        live(way.colour, play, way.plugin("muxi_intercept", lambda **_: rubbish))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("status", 0, "with the status 0"),
        ("status", 1000, "with the status 1000"),
        ("status", None, "with the status None"),
        ("status", "200", "with the status '200'"),
        ("content", "{}", "whose content is a str, not bytes"),
    ],
)
def test_an_answer_that_is_none_is_refused(
    colour: Colour, name: str, value: object, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    response = BufferedResponse(200)
    setattr(response, name, value)
    with pytest.raises(PluginError, match=message):
        live(colour, Playback(), plugin("muxi_intercept", lambda **_: response))
    live(colour, script(), plugin("muxi_response_received", lambda **_: response))
    assert message in caplog.text


# What is made of a request


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("headers", {"X": "y"}, "has made request.headers a dict in muxi_prepare_request, not Headers"),
        ("headers", None, "has made request.headers a NoneType in muxi_prepare_request, not Headers"),
        ("url", None, "has made request.url a NoneType in muxi_prepare_request, not str"),
        ("url", b"http://x", "has made request.url a bytes in muxi_prepare_request, not str"),
        ("method", None, "has made request.method a NoneType in muxi_prepare_request, not str"),
        ("body", b"{}", "has made request.body a bytes in muxi_prepare_request, not Body or None"),
        ("timeouts", 3, "has made request.timeouts a int in muxi_prepare_request, not Timeouts"),
    ],
)
def test_a_request_that_is_left_unfit_names_the_plugin(way: Way, name: str, value: object, message: str) -> None:
    def spoil(request: Request, **_: Any) -> None:
        setattr(request, name, value)

    play = Playback()
    with pytest.raises(PluginError, match=f"the plugin 'odd' {message}"):
        live(way.colour, play, way.plugin("muxi_prepare_request", spoil))
    assert play.requests == []


def test_a_request_that_is_returned_and_not_changed_is_an_error(colour: Colour) -> None:
    def replace(request: Request, **_: Any) -> Request:
        return Request(request.method, "http://elsewhere", Headers())

    with pytest.raises(PluginError, match=r"'odd' returned a Request from muxi_prepare_request.*change the one it is"):
        live(colour, Playback(), plugin("muxi_prepare_request", replace))


def test_changes_of_many_plugins_to_one_request_are_all_kept(colour: Colour) -> None:
    def add(name: str, request: Request) -> None:
        request.headers["X-Trail"] = f"{request.headers.get('X-Trail') or ''}{name}"
        request.headers[f"X-{name}"] = "here"
        request.url += f"{'&' if '?' in request.url else '?'}{name}=1"

    def adds(name: str) -> object:
        found: Any = plugin(
            "muxi_prepare_request", lambda request, **_: add(name, request), later=name in later, first=False
        )
        found.name = name
        return found

    later = "bd" if colour.asynchronous else ""
    play = Playback(failure(429, retry_after="1"), answer({}))
    plugins = [adds(name) for name in "abcd"]
    colour.run(colour.formation(play, plugins=plugins).get_memories, "ada")
    for request in play.requests:
        assert request.headers["X-Trail"] == "dcba", "the later registered comes first, on each attempt anew"
        assert request.url.endswith("?d=1&c=1&b=1&a=1")
        assert all(request.headers[f"X-{name}"] == "here" for name in "abcd")
        assert request.headers["X-Muxi-Client-Key"]


# The outcome


def test_whoever_says_stop_or_how_long_decides(way: Way) -> None:
    seen: list[Outcome] = []

    def stop(outcome: Outcome, **_: Any) -> Any:
        seen.append(outcome)
        return STOP

    diary = Diary()
    with pytest.raises(MuxiError, match="429"):
        live(way.colour, Playback(failure(429)), diary, way.plugin("muxi_retry_delay", stop))
    assert len(seen) == 1
    assert "retry_scheduled" not in diary.hooks
    play = script()
    live(way.colour, play, diary, way.plugin("muxi_retry_delay", lambda **_: 7))
    assert play.waits[0] == 7
    assert [it["delay"] for it in diary.of("retry_scheduled")] == [7.0]


def test_no_wait_is_announced_that_would_outlast_the_deadline(colour: Colour) -> None:
    diary = Diary()
    client = colour.formation(failure(429, retry_after="60"), plugins=[diary], deadline=30)
    with pytest.raises(MuxiError, match="429"):
        colour.run(client.get_memories, "ada")
    assert "retry_delay" in diary.hooks
    assert "retry_scheduled" not in diary.hooks
