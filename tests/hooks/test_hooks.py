"""Hooks: when they are called and with what, in which order, and what their failures do."""

from __future__ import annotations

import asyncio
import builtins
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from muxi import AuthenticationError, MuxiError, Outcome, PluginError, hookimpl, hookspecs
from muxi.clock import SystemClock
from muxi.transport import BufferedResponse, Request
from tests.answers import AsyncColour, Colour, Playback, answer, chat_events, events, failure, refused
from tests.diary import SPECS, Diary


def test_the_diary_knows_every_hook() -> None:
    assert {name for name in vars(Diary) if name.startswith("muxi_")} == set(SPECS)


def test_every_hook_says_when_it_is_called() -> None:
    for name in SPECS:
        assert (getattr(hookspecs, name).__doc__ or "").count("\n") > 2, name


def test_a_call_meets_the_hooks_in_order(colour: Colour) -> None:
    diary = Diary()
    client = colour.formation(answer({"a": 1}), plugins=[diary])
    colour.run(client.get_memories, "ada")
    colour.run(client.close)
    assert diary.hooks == [
        "register_transports",
        "register_schemas",
        "client_created",
        "call_started",
        "prepare_request",
        "intercept",
        "response_received",
        "call_finished",
        "client_closed",
    ]
    assert diary.of("client_created") == diary.of("client_closed") == [{"client": client}]


def test_each_attempt_meets_them_anew_and_they_are_told_the_whole_truth(colour: Colour) -> None:
    diary = Diary()
    play = Playback(refused(), failure(429, retry_after="2"), answer({"a": 1}))
    colour.run(colour.formation(play, plugins=[diary]).get_memories, "ada")
    assert diary.hooks[3:] == [
        "call_started",
        *("prepare_request", "intercept", "attempt_failed", "retry_delay", "retry_scheduled"),
        *("prepare_request", "intercept", "response_received", "attempt_failed", "retry_delay", "retry_scheduled"),
        *("prepare_request", "intercept", "response_received", "call_finished"),
    ]
    assert [it["attempt"] for it in diary.of("prepare_request")] == [1, 2, 3]
    assert [it["request"] for it in diary.of("prepare_request")] == play.requests
    assert len({id(request) for request in play.requests}) == 3
    assert [str(it["error"].code) for it in diary.of("attempt_failed")] == ["CONNECTION_REFUSED", "INTERNAL_ERROR"]
    assert [it["outcome"].error for it in diary.of("retry_delay")] == [it["error"] for it in diary.of("attempt_failed")]
    assert [it["response"].status for it in diary.of("response_received")] == [429, 200]
    scheduled = diary.of("retry_scheduled")
    assert [round(it["delay"], 3) for it in scheduled] == [round(wait, 3) for wait in play.waits]
    assert [it["error"] for it in scheduled] == [it["error"] for it in diary.of("attempt_failed")]
    (finished,) = diary.of("call_finished")
    assert finished["outcome"].result == {"a": 1}
    assert finished["outcome"].error is None
    assert finished["outcome"].response.status == 200
    contexts = [arguments["context"] for _, arguments in diary.entries if "context" in arguments]
    assert len({id(context) for context in contexts}) == 1, "one context for the whole call"
    (started,) = diary.of("call_started")
    assert started["call"].operation == "get_memories"
    assert contexts[0].call is started["call"] is finished["call"]
    assert contexts[0].attempt == 3
    assert contexts[0].elapsed >= 2


def test_a_call_that_fails_is_finished_with_its_error(colour: Colour) -> None:
    diary = Diary()
    with pytest.raises(AuthenticationError) as caught:
        colour.run(colour.formation(failure(401), plugins=[diary]).get_memories, "ada")
    assert [it["outcome"].error for it in diary.of("call_finished")] == [caught.value]
    assert diary.hooks[-2:] == ["retry_delay", "call_finished"]


def test_a_call_with_a_bad_payload_never_starts(colour: Colour) -> None:
    diary = Diary()
    with pytest.raises(MuxiError):
        colour.run(colour.formation(plugins=[diary]).get_memories, "")
    assert "call_started" not in diary.hooks


def test_a_stream_is_finished_when_it_has_ended_and_each_event_is_seen(colour: Colour) -> None:
    diary = Diary()
    stream = colour.run(colour.formation(chat_events("Hi"), plugins=[diary]).chat_stream, "hi")
    assert "call_finished" not in diary.hooks
    got = colour.collect(lambda: stream)
    assert [it["event"] for it in diary.of("event_received")] == got
    assert diary.hooks[-1] == "call_finished"
    assert diary.hooks.count("call_finished") == 1


@pytest.mark.parametrize("hook", ["muxi_prepare_request", "muxi_intercept"])
def test_a_failure_that_decides_the_call_names_the_plugin(colour: Colour, hook: str) -> None:
    class Vault:
        name = "vault"

    def fail(self: Any, request: Request) -> None:
        raise LookupError("sealed")

    fail.__name__ = hook
    setattr(Vault, hook, hookimpl(fail))
    diary = Diary()
    with pytest.raises(PluginError, match=rf"the plugin 'vault' failed in {hook}: LookupError: sealed") as caught:
        colour.run(colour.formation(plugins=[Vault(), diary]).get_memories, "ada")
    assert (caught.value.plugin, caught.value.hook) == ("vault", hook)
    assert caught.value.call == "get_memories (GET /memories)"
    assert isinstance(caught.value.__cause__, LookupError)
    assert diary.hooks[-1] == "call_finished"


def test_a_plugins_own_muxi_error_is_raised_as_it_is(colour: Colour) -> None:
    class Vault:
        @hookimpl
        def muxi_prepare_request(self) -> None:
            raise AuthenticationError("SEALED", "the vault is sealed")

    with pytest.raises(AuthenticationError, match="SEALED"):
        colour.run(colour.formation(plugins=[Vault()]).get_memories, "ada")


def test_a_plugin_that_raises_stop_iteration_ends_no_generator(colour: Colour) -> None:
    class Empty:
        name = "empty"

        @hookimpl
        def muxi_call_started(self) -> None:
            raise StopIteration

        @hookimpl
        def muxi_prepare_request(self) -> None:
            raise StopIteration("nothing left")

    with pytest.raises(PluginError, match="nothing left"):
        colour.run(colour.formation(plugins=[Empty()]).get_memories, "ada")


def test_whoever_interrupts_the_program_in_a_hook_does_so_and_the_call_is_finished(colour: Colour) -> None:
    class Off:
        @hookimpl
        def muxi_call_started(self) -> None:
            raise SystemExit(3)

    diary = Diary()
    with pytest.raises(SystemExit):
        colour.run(colour.formation(plugins=[diary, Off()]).get_memories, "ada")
    (finished,) = diary.of("call_finished")
    assert isinstance(finished["outcome"].error, SystemExit)


def test_the_first_answer_wins_and_none_is_no_answer(colour: Colour) -> None:
    asked: list[str] = []

    def plugin(name: str, result: Any) -> object:
        class Decides:
            @hookimpl
            def muxi_retry_delay(self, outcome: Outcome) -> Any:
                asked.append(name)
                return result

        found = Decides()
        found.name = name  # type: ignore[attr-defined]  # how a plugin gives itself a name
        return found

    play = Playback(refused(), answer({}))
    plugins = [plugin("last", 9.0), plugin("second", 0), plugin("first", None)]
    colour.run(colour.formation(play, plugins=plugins).get_memories, "ada")
    assert asked == ["first", "second"], "the later registered is asked first, and 0 is an answer"
    assert play.waits == [0.0]


@pytest.mark.parametrize(("hook", "result"), [("muxi_retry_delay", "soon"), ("muxi_response_received", {"a": 1})])
def test_a_result_of_a_kind_that_decides_nothing_counts_as_none(
    colour: Colour, hook: str, result: object, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        name = "odd"

    def decide(self: Any) -> object:
        return result

    decide.__name__ = hook
    setattr(Odd, hook, hookimpl(decide))
    client = colour.formation(refused(), answer({"b": 2}), plugins=[Odd()])
    assert colour.run(client.get_memories, "ada") == {"b": 2}
    assert "the plugin 'odd' returned a" in caplog.text


def test_an_interception_of_the_wrong_kind_names_the_plugin(colour: Colour) -> None:
    class Odd:
        name = "odd"

        @hookimpl
        def muxi_intercept(self) -> Any:
            return {"a": 1}

    with pytest.raises(PluginError, match="'odd' returned a dict from muxi_intercept, which takes BufferedResponse"):
        colour.run(colour.formation(plugins=[Odd()]).get_memories, "ada")


def test_an_interception_answers_without_sending(colour: Colour) -> None:
    class Cache:
        @hookimpl
        def muxi_intercept(self, request: Request) -> BufferedResponse:
            assert request.headers["X-Muxi-Client-Key"], "it sees the request as it would be sent"
            return answer({"cached": True})

    diary = Diary()
    client = colour.formation(plugins=[Cache(), diary])
    assert colour.run(client.get_memories, "ada") == {"cached": True}
    assert "response_received" in diary.hooks


def test_an_interception_answers_a_stream(colour: Colour) -> None:
    class Cache:
        @hookimpl
        def muxi_intercept(self) -> BufferedResponse:
            return chat_events("Hi ", "there")

    client = colour.formation(plugins=[Cache()])
    stream = colour.run(client.chat_stream, "hi")
    assert colour.run(stream.result)["content"] == "Hi there"


def test_an_interception_with_an_error_status_is_that_error(colour: Colour) -> None:
    class Breaker:
        @hookimpl
        def muxi_intercept(self) -> BufferedResponse:
            return failure(401, "UNAUTHORIZED", "Sealed.")

    with pytest.raises(AuthenticationError, match="Sealed"):
        colour.run(colour.formation(plugins=[Breaker()]).chat_stream, "hi")


def test_a_response_can_be_replaced(colour: Colour) -> None:
    class Rewriter:
        @hookimpl
        def muxi_response_received(self, response: Any) -> BufferedResponse | None:
            return answer({"mine": True}) if response.status == 200 else None

    client = colour.formation(answer({"theirs": True}), plugins=[Rewriter()])
    assert colour.run(client.get_memories, "ada") == {"mine": True}


def test_the_first_replacement_counts_and_everybody_else_still_sees_the_answer(colour: Colour) -> None:
    class Rewriter:
        def __init__(self, name: str) -> None:
            self.name = name
            self.seen: list[bytes] = []

        @hookimpl
        def muxi_response_received(self, response: Any) -> BufferedResponse:
            self.seen.append(response.content)
            return answer({"by": self.name})

    one, two, diary = Rewriter("one"), Rewriter("two"), Diary()
    theirs = answer({"by": "them"})
    client = colour.formation(theirs, plugins=[diary, one, two])
    assert colour.run(client.get_memories, "ada") == {"by": "two"}
    assert one.seen == two.seen == [it["response"].content for it in diary.of("response_received")] == [theirs.content]


def test_the_response_of_a_stream_can_be_replaced_and_the_real_one_is_freed(colour: Colour) -> None:
    class Rewriter:
        @hookimpl
        def muxi_response_received(self, response: Any) -> BufferedResponse:
            assert not isinstance(response, BufferedResponse), "the body of a stream is not read for plugins"
            return chat_events("mine")

    play = Playback(chat_events("theirs"))
    stream = colour.run(colour.formation(play, plugins=[Rewriter()]).chat_stream, "hi")
    assert play.freed == 1
    assert colour.run(stream.result)["content"] == "mine"


def test_a_plugin_can_make_calls_with_the_same_client(colour: Colour) -> None:
    class Auditor:
        async_results: list[Any]

        def __init__(self) -> None:
            self.seen: list[Any] = []
            self.client: Any = None

        @hookimpl
        def muxi_client_created(self, client: Any) -> None:
            self.client = client

        @hookimpl
        def muxi_call_finished(self, call: Any) -> Any:
            if call.operation == "get_memories":
                health = self.client.health()
                if asyncio.iscoroutine(health):

                    async def wait() -> None:
                        self.seen.append(await health)

                    return wait()
                self.seen.append(health)
            return None

    auditor = Auditor()
    client = colour.formation(answer({"a": 1}), answer({"status": "healthy"}), plugins=[auditor])
    assert colour.run(client.get_memories, "ada") == {"a": 1}
    assert auditor.seen == [{"status": "healthy"}]


# Order


def recorder(name: str, order: list[str], **options: Any) -> object:
    class Recorder:
        @hookimpl(**options)  # type: ignore[untyped-decorator]  # which options is not told here
        def muxi_prepare_request(self, request: Request) -> None:
            order.append(name)
            request.headers[f"X-{name}"] = str("X-Muxi-Client-Key" in request.headers)

    found = Recorder()
    found.name = name  # type: ignore[attr-defined]  # how a plugin gives itself a name
    return found


def test_the_order_is_pluggys_and_signing_comes_last_of_all(colour: Colour) -> None:
    order: list[str] = []
    plugins = [
        recorder("last", order, trylast=True),
        recorder("one", order),
        recorder("first", order, tryfirst=True),
        recorder("two", order),
    ]
    play = Playback(answer({}))
    colour.run(colour.formation(play, plugins=plugins).get_memories, "ada")
    assert order == ["first", "two", "one", "last"]
    assert [play.request.headers[f"X-{name}"] for name in order] == ["False"] * 4


def test_a_replacement_of_the_signing_plugin_takes_its_place(colour: Colour) -> None:
    class Mine:
        name = "muxi.auth"

        @hookimpl(trylast=True)
        def muxi_prepare_request(self, request: Request) -> None:
            request.headers["Authorization"] = f"over {request.headers.get('X-last')}"

    play = Playback(answer({}))
    plugins = [Mine(), recorder("last", [], trylast=True)]
    colour.run(colour.formation(play, plugins=plugins).get_memories, "ada")
    assert play.request.headers["Authorization"] == "over False"
    assert "X-Muxi-Client-Key" not in play.request.headers


def test_async_implementations_are_awaited_one_by_one() -> None:
    order: list[str] = []

    class Slow:
        name = "slow"

        @hookimpl(tryfirst=True)
        async def muxi_prepare_request(self, request: Request) -> None:
            order.append("slow begins")
            for _ in range(3):
                await asyncio.sleep(0)
            request.headers["X-Token"] = "fetched"
            order.append("slow ends")

    class Quick:
        name = "quick"

        @hookimpl
        def muxi_prepare_request(self, request: Request) -> None:
            order.append(f"quick sees {request.headers.get('X-Token')}")

    class Replaces:
        name = "replaces"

        @hookimpl
        async def muxi_intercept(self) -> BufferedResponse | None:
            await asyncio.sleep(0)
            return answer({"from": "afar"})

    async def scenario() -> None:
        from muxi import AsyncFormationClient

        async with AsyncFormationClient(
            url="http://localhost:1", client_key="k", plugins=[Quick(), Slow(), Replaces()], transport="memory"
        ) as client:
            assert await client.get_memories("ada") == {"from": "afar"}  # type: ignore[comparison-overlap]  # a stub

    asyncio.run(scenario())
    assert order == ["slow begins", "slow ends", "quick sees fetched"]


@pytest.fixture
def async_colour() -> Iterator[Colour]:
    colour = AsyncColour()
    yield colour
    colour.end()


@pytest.mark.parametrize("hook", ["muxi_prepare_request", "muxi_intercept", "muxi_retry_delay"])
def test_a_plugin_that_is_awaited_for_ever_does_not_outlast_the_deadline(async_colour: Colour, hook: str) -> None:
    async def hang(self: object) -> None:
        await asyncio.Event().wait()

    plugin = type("Stuck", (), {"name": "stuck", hook: hookimpl(tryfirst=True)(hang)})()
    client = async_colour.formation(Playback(failure(503)), plugins=[plugin], deadline=0.05, clock=SystemClock())
    with pytest.raises(MuxiError) as caught:
        async_colour.run(client.get_memories, "ada")
    if hook == "muxi_retry_delay":
        assert caught.value.status_code == 503
    else:
        assert caught.value.code == "DEADLINE"
        assert f"'stuck' was awaited in {hook}" in caught.value.message


def test_a_timeout_of_a_plugins_own_is_its_failure(async_colour: Colour) -> None:
    class Hasty:
        name = "hasty"

        @hookimpl
        async def muxi_prepare_request(self) -> None:
            raise builtins.TimeoutError("the vault is slow")

    client = async_colour.formation(Playback(), plugins=[Hasty()], deadline=60, clock=SystemClock())
    with pytest.raises(PluginError, match=r"'hasty' failed.*the vault is slow"):
        async_colour.run(client.get_memories, "ada")


def test_a_hook_that_fails_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        name = "broken"

        @hookimpl
        def muxi_client_created(self) -> None:
            raise RuntimeError("oops")

    Colour().formation(plugins=[Broken()])
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info


def test_frames_that_no_reader_knows_reach_the_hook_as_they_are(colour: Colour) -> None:
    from muxi.call import Key
    from muxi.streaming.call import StreamCall
    from muxi.streaming.chat import Frame

    diary = Diary()
    call: StreamCall[Frame] = StreamCall("GET", "/odd", events="frames", key=Key.NONE)
    stream = colour.run(colour.formation(events("event: tick\ndata: 1"), plugins=[diary]).send, call)
    assert colour.collect(lambda: stream) == [{"event": "tick", "data": "1"}]
    assert [it["event"]["event"] for it in diary.of("event_received")] == ["tick"]
