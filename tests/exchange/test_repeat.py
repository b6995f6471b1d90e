"""Never lost, never doubled: what is sent again, when, and what is not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from muxi import (
    STOP,
    ConfigurationError,
    ConnectionError,
    Context,
    MuxiError,
    NotFoundError,
    Outcome,
    RateLimitError,
    ServerError,
    TimeoutError,
    hookimpl,
    meta,
)
from muxi.call import Call, Key, Repeat
from muxi.clock import ManualClock
from muxi.errors import StreamInterrupted, TurnFailed, ValidationError, error_from_answer
from muxi.exchange.repeat import REPEATS, is_gone, is_unknown, may_repeat, repeat_of, was_refused
from muxi.formation import FormationOperations
from muxi.plugins.retry import MAX_RETRY_AFTER, Retry, RetryBudget, backoff
from muxi.plugins.signature import sign
from muxi.server import ServerOperations
from muxi.transport import BufferedResponse
from tests.answers import (
    KEY_ID,
    SECRET_KEY,
    Colour,
    Playback,
    answer,
    chat_answer,
    chat_events,
    died,
    failure,
    flat,
    json_answer,
    plain,
    refused,
    timed_out,
)

SAFE, REMOVAL, KEYED, NEVER = Repeat.SAFE, Repeat.REMOVAL, Repeat.KEYED, Repeat.NEVER
ALWAYS = frozenset(Repeat)
IF_SAFE = frozenset({SAFE, REMOVAL, KEYED})
AT_NO_TIME: frozenset[Repeat] = frozenset()

STARTING = "Formation 'bot' is not running (status: starting)"
STOPPED = "Formation 'bot' is not running (status: stopped)"


def error_of(response: BufferedResponse) -> MuxiError:
    headers = tuple(response.headers.items())
    return error_from_answer(response.status, "", headers, response.content, response.retry_after(0.0))


DECISIONS: dict[str, tuple[MuxiError, frozenset[Repeat]]] = {
    "no connection": (refused(), ALWAYS),
    "no connection, and there will be none": (
        ConnectionError("TLS_ERROR", "", connected=False, permanent=True),
        AT_NO_TIME,
    ),
    "refused by TLS after the handshake": (ConnectionError("TLS_ERROR", "", permanent=True), AT_NO_TIME),
    "no connection in time": (TimeoutError("CONNECT_TIMEOUT", "", bound="connect", connected=False), ALWAYS),
    "429": (error_of(failure(429)), ALWAYS),
    "429 with Retry-After": (error_of(failure(429, retry_after="3")), ALWAYS),
    "503 with Retry-After": (error_of(failure(503, retry_after="3")), ALWAYS),
    "503, the formation is starting": (error_of(flat(503, "Formation unavailable", STARTING)), ALWAYS),
    "503, the formation is stopped": (error_of(flat(503, "Formation unavailable", STOPPED)), IF_SAFE),
    "503 of the formation": (error_of(failure(503, "SERVICE_UNAVAILABLE")), IF_SAFE),
    "408": (error_of(plain(408)), IF_SAFE),
    "502": (error_of(flat(502, "Bad gateway", "Formation did not respond")), IF_SAFE),
    "504": (error_of(plain(504, b"<html>gateway</html>")), IF_SAFE),
    "500 of something in between": (error_of(plain(500, b"<html>oops</html>")), IF_SAFE),
    "500 of a gateway that speaks JSON": (error_of(json_answer(500, {"error": "oops"})), IF_SAFE),
    "the connection died": (died(), IF_SAFE),
    "no answer in time": (timed_out(), IF_SAFE),
    "500 of the formation": (error_of(failure(500)), AT_NO_TIME),
    "500 of the server": (error_of(flat(500, "Internal Server Error", "no")), AT_NO_TIME),
    "501": (error_of(failure(501)), AT_NO_TIME),
    "400": (error_of(failure(400)), AT_NO_TIME),
    "404": (error_of(failure(404)), AT_NO_TIME),
    "404 of something in between": (error_of(plain(404, b"<html>no such host</html>")), AT_NO_TIME),
    "409": (error_of(failure(409)), AT_NO_TIME),
    "422": (error_of(failure(422)), AT_NO_TIME),
    "an interrupted stream": (StreamInterrupted("X", "x"), AT_NO_TIME),
    "a failed turn": (TurnFailed("X", "x"), AT_NO_TIME),
    "something else": (ServerError("X", "x"), AT_NO_TIME),
}


@pytest.mark.parametrize("what", DECISIONS)
@pytest.mark.parametrize("repeat", Repeat)
def test_what_may_be_repeated_follows_from_what_is_known(what: str, repeat: Repeat) -> None:
    error, allowed = DECISIONS[what]
    assert may_repeat(repeat, error, keyed=True) is (repeat in allowed)


@pytest.mark.parametrize("what", [what for what, (error, _) in DECISIONS.items() if not getattr(error, "permanent", 0)])
def test_a_request_was_refused_or_unknown_or_answered(what: str) -> None:
    error, allowed = DECISIONS[what]
    assert is_unknown(error) is (allowed == IF_SAFE)
    assert was_refused(error) is (allowed == ALWAYS)


@pytest.mark.parametrize("what", [what for what, (_, allowed) in DECISIONS.items() if allowed == IF_SAFE])
def test_a_keyed_operation_without_its_key_is_not_safe(what: str) -> None:
    assert not may_repeat(KEYED, DECISIONS[what][0], keyed=False)


def test_every_operation_is_in_the_table_of_repetitions() -> None:
    from muxi.client.endpoints import operation, stream  # what an operation is

    names = {
        name
        for operations in (FormationOperations, ServerOperations)
        for cls in operations.__mro__
        for name, found in vars(cls).items()
        if isinstance(found, operation | stream)
    }
    assert names
    assert names - REPEATS.keys() == set()


@pytest.mark.parametrize(
    ("method", "repeat"),
    [("GET", SAFE), ("HEAD", SAFE), ("OPTIONS", SAFE), ("POST", NEVER), ("PUT", NEVER), ("DELETE", NEVER)],
)
def test_an_operation_that_is_not_in_the_table_is_safe_if_it_only_reads(method: str, repeat: Repeat) -> None:
    assert repeat_of(Call[Any](method, "/x", operation="a_users_own")) is repeat


def test_a_call_can_overrule_the_table() -> None:
    assert repeat_of(Call[Any]("POST", "/x", repeat=SAFE)) is SAFE


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (failure(404, "NOT_FOUND", "Memory not found"), True),
        (flat(404, "Not Found", "Formation not found"), True),
        (flat(404, "Formation not found", "No formation with id 'x'"), False),
        (flat(404, "Draft formation not found", "No draft formation with id 'x'"), False),
        (flat(404, "Not Found", "Endpoint not found"), False),
        (failure(404, "RESOURCE_NOT_FOUND", "Not Found"), False),
        (plain(404, b"<html>nothing here</html>"), False),
        (failure(410, "GONE"), False),
    ],
)
def test_only_the_platforms_word_on_the_thing_itself_means_that_it_is_gone(error: BufferedResponse, gone: bool) -> None:
    assert is_gone(REMOVAL, error_of(error)) is gone
    assert not is_gone(SAFE, error_of(error))


class Impatient:
    """Replaces ``muxi.retry``: always again, after a second, up to the client's number of retries."""

    name = "muxi.retry"

    @hookimpl
    def muxi_retry_delay(self, context: Context) -> Any:
        return STOP if context.attempt > context.options.max_retries else 1.0


def test_a_post_is_sent_again_where_no_connection_was_made(colour: Colour) -> None:
    play = Playback(refused(), refused(), answer({"id": "m"}))
    client = colour.formation(play)
    result = colour.run(client.add_memory, "likes tea", user_id="ada")
    assert result == {"id": "m"}
    assert meta(result).attempts == 3


def test_a_post_whose_connection_died_is_not_sent_again(colour: Colour) -> None:
    play = Playback(died())
    client = colour.formation(play)
    with pytest.raises(ConnectionError) as caught:
        colour.run(client.add_memory, "likes tea", user_id="ada")
    assert len(play.requests) == 1
    assert caught.value.attempts == 1
    assert caught.value.call == "add_memory (POST /memories)"


def test_a_read_whose_connection_died_is_sent_again(colour: Colour) -> None:
    play = Playback(died(), plain(502), plain(500, b"<html>"), answer({"memories": []}))
    client = colour.formation(play)
    assert colour.run(client.get_memories, "ada") == {"memories": []}
    assert len(play.requests) == 4


def test_a_platforms_500_is_an_answer(colour: Colour) -> None:
    play = Playback(failure(500))
    client = colour.formation(play)
    with pytest.raises(ServerError, match="HTTP 500, request req_wire"):
        colour.run(client.get_memories, "ada")


def test_a_chat_keeps_its_key_and_its_request_id_over_all_attempts(colour: Colour) -> None:
    play = Playback(died(), timed_out(), chat_answer())
    client = colour.formation(play)
    result = colour.run(client.chat, "hi")
    keys = set(play.header("X-Muxi-Idempotency-Key"))
    assert len(keys) == 1
    assert keys == {meta(result).idempotency_key}
    bodies = {b"".join(request.body.chunks()) for request in play.requests if request.body}
    assert len(bodies) == 1


def test_two_chats_have_two_keys(colour: Colour) -> None:
    play = Playback(chat_answer(), chat_answer())
    client = colour.formation(play)
    colour.run(client.chat, "hi")
    colour.run(client.chat, "hi")
    assert len(set(play.header("X-Muxi-Idempotency-Key"))) == 2


def test_the_callers_own_key_is_used(colour: Colour) -> None:
    play = Playback(died(), chat_answer(), chat_answer())
    client = colour.formation(play)
    mine = client.with_options(idempotency_key="order-7")
    assert meta(colour.run(mine.chat, "hi")).idempotency_key == "order-7"
    assert play.header("X-Muxi-Idempotency-Key") == ["order-7", "order-7"]
    headed = client.with_options(headers={"x-muxi-idempotency-key": "order-8"})
    assert meta(colour.run(headed.chat, "hi")).idempotency_key == "order-8"
    assert play.header("X-Muxi-Idempotency-Key")[-1] == "order-8"


def test_an_empty_key_is_refused_because_the_platform_ignores_it(colour: Colour) -> None:
    with pytest.raises(ConfigurationError, match="idempotency_key"):
        colour.formation().with_options(idempotency_key=" ")


def test_a_chat_without_the_idempotency_plugin_is_not_repeated(colour: Colour) -> None:
    play = Playback(died())
    client = colour.formation(play, disable_plugins=["muxi.idempotency"])
    with pytest.raises(ConnectionError):
        colour.run(client.chat, "hi")
    assert play.header("X-Muxi-Idempotency-Key") == [None]


def test_routes_that_honour_no_key_get_none(colour: Colour) -> None:
    play = Playback(answer({"id": "m"}))
    colour.run(colour.formation(play).add_memory, "x", user_id="ada")
    assert play.header("X-Muxi-Idempotency-Key") == [None]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_waited_for_in_full(colour: Colour, status: int) -> None:
    play = Playback(failure(status, retry_after="7"), answer({"id": "m"}))
    colour.run(colour.formation(play).add_memory, "x", user_id="ada")
    assert play.waits == [7.0]


def test_retry_after_as_a_date_is_waited_for_in_full(colour: Colour) -> None:
    clock = ManualClock()
    date = formatdate(clock.time() + 42, usegmt=True)
    play = Playback(failure(429, retry_after=date), answer({"id": "m"}), clock=clock)
    colour.run(colour.formation(play).add_memory, "x", user_id="ada")
    assert play.waits == [42.0]


def test_a_retry_after_beyond_the_cap_is_raised_at_once(colour: Colour) -> None:
    play = Playback(failure(429, retry_after=str(MAX_RETRY_AFTER + 1)))
    with pytest.raises(RateLimitError) as caught:
        colour.run(colour.formation(play).get_memories, "ada")
    assert caught.value.retry_after == MAX_RETRY_AFTER + 1
    assert play.clock.monotonic() == 0


def test_a_formation_that_is_starting_is_waited_for(colour: Colour) -> None:
    play = Playback(flat(503, "Formation unavailable", STARTING), answer({"id": "m"}))
    client = colour.formation(play, server_url="http://localhost:7890", formation_id="bot")
    colour.run(client.add_memory, "x", user_id="ada")
    assert len(play.requests) == 2


@pytest.mark.parametrize("first", [died(), timed_out(), plain(502), plain(500), flat(503, "x", STOPPED)])
def test_a_removal_that_finds_nothing_after_a_lost_attempt_is_done(colour: Colour, first: Any) -> None:
    play = Playback(first, failure(404, "NOT_FOUND", "Memory not found"))
    result = colour.run(colour.formation(play).delete_memory, "ada", "m")
    assert result == {}
    assert meta(result).status == 404
    assert meta(result).attempts == 2


@pytest.mark.parametrize("second", [refused(), failure(429), flat(503, "Formation unavailable", STARTING)])
def test_a_lost_attempt_is_remembered_over_a_refusal(colour: Colour, second: Any) -> None:
    play = Playback(died(), second, failure(404, "NOT_FOUND", "Memory not found"))
    result = colour.run(colour.formation(play).delete_memory, "ada", "m")
    assert (result, meta(result).attempts) == ({}, 3)


@pytest.mark.parametrize("first", [refused(), failure(429), flat(503, "Formation unavailable", STARTING)])
def test_a_removal_that_finds_nothing_after_a_refusal_never_was(colour: Colour, first: Any) -> None:
    play = Playback(first, failure(404, "NOT_FOUND", "Memory not found"))
    with pytest.raises(NotFoundError):
        colour.run(colour.formation(play).delete_memory, "ada", "m")


def test_a_removal_is_not_taken_for_done_on_a_proxys_word(colour: Colour) -> None:
    play = Playback(plain(502), flat(404, "Formation not found", "No formation with id 'bot'"))
    client = colour.formation(play, server_url="http://localhost:7890", formation_id="bot")
    with pytest.raises(NotFoundError):
        colour.run(client.delete_memory, "ada", "m")


def test_cancelling_a_request_that_is_not_there_is_an_error_also_after_a_lost_attempt(colour: Colour) -> None:
    play = Playback(died(), failure(404, "REQUEST_NOT_FOUND"))
    with pytest.raises(NotFoundError):
        colour.run(colour.formation(play).cancel_request, "req_1", "ada")


def test_max_retries_counts_repetitions(colour: Colour) -> None:
    play = Playback(refused(), refused(), refused())
    with pytest.raises(ConnectionError, match="3 attempts"):
        colour.run(colour.formation(play, max_retries=2).get_memories, "ada")


def test_no_retries_means_one_attempt(colour: Colour) -> None:
    play = Playback(refused())
    with pytest.raises(ConnectionError):
        colour.run(colour.formation(play).with_options(max_retries=0).get_memories, "ada")


def test_the_wait_is_jittered_below_a_bound_that_doubles_up_to_a_cap() -> None:
    assert [backoff(attempt) for attempt in (1, 2, 3, 6, 7, 8, 5000)] == [0.5, 1, 2, 16, 30, 30, 30]
    play = Playback(refused(), refused(), refused(), answer({}))
    retry = Retry(random_source=random.Random(7))
    Colour().formation(play, plugins=[retry]).get_memories("ada")
    dice = random.Random(7)
    assert play.waits == [round(dice.uniform(bound / 2, bound), 3) for bound in (0.5, 1, 2)]


def test_a_dead_server_is_not_hammered_once_the_budget_is_spent(colour: Colour) -> None:
    play = Playback(*(refused() for _ in range(23)))
    client = colour.formation(play)
    for _ in range(3):
        with pytest.raises(ConnectionError):
            colour.run(client.with_options(max_retries=10).get_memories, "ada")
    assert len(play.requests) == 3 + 20, "a hundred tokens are twenty retries, shared by all calls"


def test_calls_that_succeed_refill_the_budget() -> None:
    budget = RetryBudget(capacity=10, cost=5, refund=1)
    assert budget.take()
    assert budget.take()
    assert not budget.take()
    for _ in range(20):
        budget.refund()
    assert budget.take()
    assert budget.take()
    assert not budget.take(), "it never holds more than its capacity"


def test_a_deadline_ends_the_waiting(colour: Colour) -> None:
    play = Playback(failure(429, retry_after="7"), failure(429, retry_after="7"))
    client = colour.formation(play, deadline=10)
    with pytest.raises(RateLimitError):
        colour.run(client.get_memories, "ada")
    assert play.waits == [7.0]


def test_a_deadline_bounds_each_attempt_and_is_named(colour: Colour) -> None:
    clock = ManualClock()

    def slow(request: Any) -> BufferedResponse:
        clock.advance(request.timeouts.total)
        raise timed_out()

    play = Playback(failure(429, retry_after="4"), slow, clock=clock)
    with pytest.raises(TimeoutError, match=r"deadline = 10 s; raise it with deadline=") as caught:
        colour.run(colour.formation(play, deadline=10).get_memories, "ada")
    assert caught.value.bound == "deadline"
    assert play.request.timeouts.total == pytest.approx(6)


def test_a_plugin_that_waits_past_the_deadline_keeps_the_request_from_being_sent(colour: Colour) -> None:
    class Slow:
        @hookimpl
        def muxi_prepare_request(self, context: Context) -> None:
            context.clock.sleep(11)

    play = Playback(answer({}))
    with pytest.raises(TimeoutError, match="before it was sent") as caught:
        colour.run(colour.formation(play, deadline=10, plugins=[Slow()]).add_memory, "tea", user_id="ada")
    assert (caught.value.code, caught.value.bound, caught.value.connected) == ("DEADLINE", "deadline", False)
    assert play.requests == []


def test_an_iterator_as_content_makes_a_call_unrepeatable(colour: Colour) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x"

    once: Call[Any] = Call("PUT", "/x", content=pieces(), repeat=SAFE, key=Key.NONE)
    with pytest.raises(ConnectionError):
        colour.run(colour.formation(refused()).send, once)
    again: Call[Any] = Call("PUT", "/x", content=pieces, repeat=SAFE, key=Key.NONE)
    assert colour.run(colour.formation(refused(), answer({"a": 1})).send, again) == {"a": 1}


def test_a_text_as_content_is_refused(colour: Colour) -> None:
    with pytest.raises(ValidationError, match="bytes, a path"):
        colour.run(colour.formation().send, Call[Any]("PUT", "/x", content="text", key=Key.NONE))


def test_a_stream_is_opened_again_only_where_it_was_refused(colour: Colour) -> None:
    play = Playback(failure(429, retry_after="1"), refused(), chat_events("Hi"))
    stream = colour.run(colour.formation(play).chat_stream, "hi")
    assert [event["type"] for event in colour.collect(lambda: stream)] == ["text", "completed", "done"]
    with pytest.raises(ConnectionError):
        colour.run(colour.formation(died()).chat_stream, "hi")


def test_a_failed_turn_is_not_repeated(colour: Colour) -> None:
    play = Playback(chat_answer("Too long.", error_code="INPUT_VALIDATION_ERROR"))
    with pytest.raises(TurnFailed, match=r"INPUT_VALIDATION_ERROR: Too long."):
        colour.run(colour.formation(play).chat, "hi")


def test_whoever_replaces_the_retry_plugin_decides_when(colour: Colour) -> None:
    play = Playback(refused(), refused(), answer({}))
    colour.run(colour.formation(play, plugins=[Impatient()]).get_memories, "ada")
    assert play.waits == [1.0, 1.0]


def test_without_a_retry_plugin_nothing_is_repeated(colour: Colour) -> None:
    with pytest.raises(ConnectionError):
        colour.run(colour.formation(refused(), disable_plugins=["muxi.retry"]).get_memories, "ada")


def test_a_wait_below_zero_is_none(colour: Colour) -> None:
    class Eager:
        @hookimpl
        def muxi_retry_delay(self, outcome: Outcome) -> float:
            return -5.0

    play = Playback(refused(), answer({}))
    colour.run(colour.formation(play, plugins=[Eager()]).get_memories, "ada")
    assert play.waits == [0.0]


# The server's signature


def signature_of(play: Playback, at: float, path: str, method: str = "GET") -> str:
    return f"MUXI-HMAC key={KEY_ID}, timestamp={int(at)}, signature={sign(SECRET_KEY, int(at), method, path)}"


def test_each_attempt_is_signed_anew(colour: Colour) -> None:
    play = Playback(failure(429, retry_after="9"), json_answer(200, {"success": True, "data": {"formations": []}}))
    start = play.clock.time()
    colour.run(colour.server(play).list_formations)
    path = "/rpc/formations"
    assert play.header("Authorization") == [signature_of(play, start, path), signature_of(play, start + 9, path)]


EXPIRED = "Request expired (timestamp too old or in future)"


@pytest.mark.parametrize("max_retries", [3, 0])
def test_an_expired_timestamp_is_corrected_by_the_servers_clock_and_signed_once_more(
    colour: Colour, max_retries: int
) -> None:
    clock = ManualClock()
    theirs = clock.time() + 4000
    ok = json_answer(200, {"success": True, "data": {"formations": []}})
    expired = flat(401, "Unauthorized", EXPIRED, date=formatdate(theirs, usegmt=True))
    play = Playback(expired, ok, ok, clock=clock)
    client = colour.server(play, max_retries=max_retries)
    colour.run(client.list_formations)
    colour.run(client.list_formations)
    corrected = signature_of(play, theirs, "/rpc/formations")
    assert play.header("Authorization")[1:] == [corrected, corrected], "the difference is remembered"
    assert play.waits[0] == 0


def test_it_is_signed_again_only_once(colour: Colour) -> None:
    def expired() -> BufferedResponse:
        return flat(401, "Unauthorized", EXPIRED, date=formatdate(1_800_004_000, usegmt=True))

    with pytest.raises(MuxiError, match="Request expired"):
        colour.run(colour.server(expired(), expired()).list_formations)


@pytest.mark.parametrize(
    "refusal",
    [
        flat(401, "Unauthorized", "Invalid signature", date=formatdate(1_800_004_000, usegmt=True)),
        flat(401, "Unauthorized", EXPIRED),
        flat(401, "Unauthorized", EXPIRED, date="the day before yesterday"),
    ],
)
def test_any_other_401_stands(colour: Colour, refusal: BufferedResponse) -> None:
    with pytest.raises(MuxiError) as caught:
        colour.run(colour.server(refusal).list_formations)
    assert caught.value.attempts == 1
