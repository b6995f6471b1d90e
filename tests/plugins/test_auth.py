"""Keys from functions, asked again where one was refused; and tokens beside them."""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from muxi import AuthenticationError, ConfigurationError, ManualClock, MuxiError, PluginError, hookimpl
from muxi.plugins import BearerAuth, CachedKey
from muxi.plugins.signature import sign
from muxi.redact import is_secret_header
from muxi.transport import IterableBody, Request, plaintext
from tests.answers import (
    SECRET_KEY,
    Colour,
    Playback,
    answer,
    chat_answer,
    chat_events,
    failure,
    flat,
    json_answer,
    refused,
)

CLIENT_HEADER, ADMIN_HEADER = "X-Muxi-Client-Key", "X-Muxi-Admin-Key"


def unauthorized() -> Any:
    return failure(401, "UNAUTHORIZED", "Invalid client API key.")


class Vault:
    """Gives one key after the other, and counts how often it is asked."""

    def __init__(self, *keys: str) -> None:
        self._keys = iter(keys)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        return next(self._keys)

    async def later(self) -> str:
        await asyncio.sleep(0)
        return self()

    def function(self, colour: Colour) -> Callable[[], Any]:
        """The vault as a client of this colour takes it."""
        return self.later if colour.asynchronous else self


# A refused key


@pytest.mark.parametrize("max_retries", [3, 0])
def test_a_refused_key_is_asked_for_again_and_the_call_repeated_once(colour: Colour, max_retries: int) -> None:
    vault = Vault("old", "new", "newer")
    play = Playback(unauthorized(), chat_answer(), chat_answer())
    client = colour.formation(play, client_key=vault.function(colour), max_retries=max_retries)
    colour.run(client.chat, "hi")
    assert play.header(CLIENT_HEADER) == ["old", "new"]
    assert play.waits == [0]
    assert vault.asked == 2
    colour.run(client.chat, "hi")
    assert play.header(CLIENT_HEADER)[-1] == "newer", "the next call asks anew"


def test_a_key_that_is_refused_again_is_an_error(colour: Colour) -> None:
    vault = Vault("old", "new", "newest")
    play = Playback(unauthorized(), unauthorized())
    with pytest.raises(AuthenticationError, match="2 attempts"):
        colour.run(colour.formation(play, client_key=vault.function(colour)).chat, "hi")
    assert vault.asked == 2


def test_the_same_key_again_is_not_sent_again(colour: Colour) -> None:
    vault = Vault("old", "old")
    play = Playback(unauthorized())
    with pytest.raises(AuthenticationError) as caught:
        colour.run(colour.formation(play, client_key=vault.function(colour)).chat, "hi")
    assert (caught.value.attempts, vault.asked) == (1, 2)


def test_a_key_that_is_a_text_is_never_tried_again(colour: Colour) -> None:
    with pytest.raises(AuthenticationError) as caught:
        colour.run(colour.formation(unauthorized()).chat, "hi")
    assert caught.value.attempts == 1


def test_the_key_that_was_not_used_is_not_asked_for(colour: Colour) -> None:
    vault = Vault()
    with pytest.raises(AuthenticationError):
        colour.run(colour.formation(unauthorized(), admin_key=vault.function(colour)).chat, "hi")
    assert vault.asked == 0


def test_an_admin_key_is_asked_for_again_likewise(colour: Colour) -> None:
    vault = Vault("old", "new")
    play = Playback(unauthorized(), answer({}))
    colour.run(colour.formation(play, admin_key=vault.function(colour)).get_buffer_stats)
    assert play.header(ADMIN_HEADER) == ["old", "new"]


def test_a_stream_is_opened_with_the_new_key(colour: Colour) -> None:
    play = Playback(unauthorized(), chat_events("Hi"))
    client = colour.formation(play, client_key=Vault("old", "new").function(colour))
    stream = colour.run(client.chat_stream, "hi")
    assert colour.run(stream.result)["content"] == "Hi"
    assert play.header(CLIENT_HEADER) == ["old", "new"]


def test_a_failure_before_the_refusal_and_one_after_it_are_repeated_as_ever(colour: Colour) -> None:
    vault = Vault("one", "two", "three", "four")
    play = Playback(refused(), unauthorized(), failure(429, retry_after="1"), chat_answer())
    colour.run(colour.formation(play, client_key=vault.function(colour)).chat, "hi")
    assert play.header(CLIENT_HEADER) == ["one", "two", "three", "four"]


def test_a_body_that_can_be_sent_only_once_is_not_sent_again(colour: Colour) -> None:
    from muxi.call import Call, Key

    vault = Vault("old", "new")
    client = colour.formation(Playback(unauthorized()), client_key=vault.function(colour))
    with pytest.raises(AuthenticationError):
        colour.run(client.send, Call("POST", "/x", content=IterableBody(iter([b"x"])), key=Key.CLIENT))
    assert vault.asked == 1


def test_a_vault_that_fails_when_it_is_asked_again_leaves_the_refusal(
    colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    client = colour.formation(unauthorized(), client_key=Vault("old").function(colour))
    with pytest.raises(AuthenticationError, match="Invalid client API key"):
        colour.run(client.chat, "hi")
    assert "the plugin 'muxi.auth' failed in muxi_retry_delay" in caplog.text


def test_a_vault_that_fails_at_first_is_the_calls_failure(colour: Colour) -> None:
    def sealed() -> str:
        raise LookupError("sealed")

    with pytest.raises(PluginError, match=r"'muxi.auth' failed in muxi_prepare_request: LookupError: sealed"):
        colour.run(colour.formation(client_key=sealed).chat, "hi")


def test_a_function_that_wants_to_know_is_told_which_key_was_refused(colour: Colour) -> None:
    told: list[str | None] = []

    def ask(refused: str | None = None) -> str:
        told.append(refused)
        return "new" if refused else "old"

    async def ask_later(*, refused: str | None = None) -> str:
        return ask(refused)

    play = Playback(unauthorized(), chat_answer())
    colour.run(colour.formation(play, client_key=ask_later if colour.asynchronous else ask).chat, "hi")
    assert told == [None, "old"]
    assert play.header(CLIENT_HEADER) == ["old", "new"]


def test_a_function_without_a_signature_is_a_function_too(colour: Colour) -> None:
    class Odd:
        __signature__ = "none"

        def __call__(self) -> str:
            return "key"

    play = Playback(chat_answer())
    colour.run(colour.formation(play, client_key=Odd()).chat, "hi")
    assert play.header(CLIENT_HEADER) == ["key"]


@pytest.mark.parametrize("nothing", ["", "  ", None, 7])
def test_a_function_that_returns_no_key_is_named(colour: Colour, nothing: object) -> None:
    with pytest.raises(ConfigurationError, match="the function given as client_key= returned"):
        colour.run(colour.formation(client_key=lambda: nothing).chat, "hi")


def test_an_async_function_on_a_sync_client_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="client_key= is an async function"):
        Colour().formation(client_key=Vault("key").later)


# The server's secret


def ok() -> Any:
    return json_answer(200, {"success": True, "data": {"formations": []}})


def test_a_refused_signature_is_made_again_with_the_secret_of_now(colour: Colour) -> None:
    vault = Vault("muxi_sk_old", SECRET_KEY)
    play = Playback(flat(401, "Unauthorized", "Invalid signature"), ok())
    client = colour.server(play, secret_key=vault.function(colour), max_retries=0)
    colour.run(client.list_formations)
    timestamp = int(play.clock.time())
    signatures = [str(header).rpartition("signature=")[2] for header in play.header("Authorization")]
    assert signatures == [sign(secret, timestamp, "GET", "/rpc/formations") for secret in ("muxi_sk_old", SECRET_KEY)]
    assert all(base64.b64decode(signature) for signature in signatures)


def test_the_same_secret_signs_nothing_again(colour: Colour) -> None:
    vault = Vault(SECRET_KEY, SECRET_KEY)
    client = colour.server(flat(401, "Unauthorized", "Invalid signature"), secret_key=vault.function(colour))
    with pytest.raises(AuthenticationError) as caught:
        colour.run(client.list_formations)
    assert (caught.value.attempts, vault.asked) == (1, 2)


# A key that is kept for a while


def test_a_cached_key_is_asked_for_once_until_it_is_too_old(colour: Colour) -> None:
    vault, clock = Vault("one", "two"), ManualClock()
    cached: Any = CachedKey(vault.function(colour), seconds=60, clock=clock)
    play = Playback(*(chat_answer() for _ in range(3)))
    client = colour.formation(play, client_key=cached)
    for wait in (0, 59, 1):
        clock.advance(wait)
        colour.run(client.chat, "hi")
    assert play.header(CLIENT_HEADER) == ["one", "one", "two"]
    assert "one" not in repr(cached)


def test_a_cached_key_is_forgotten_when_it_is_refused(colour: Colour) -> None:
    vault = Vault(" old\n", "new")
    cached: Any = CachedKey(vault.function(colour))
    play = Playback(unauthorized(), chat_answer(), chat_answer())
    client = colour.formation(play, client_key=cached)
    colour.run(client.chat, "hi")
    colour.run(client.chat, "hi")
    assert play.header(CLIENT_HEADER) == ["old", "new", "new"]
    assert vault.asked == 2


def test_a_key_that_others_have_renewed_meanwhile_is_not_asked_for_again() -> None:
    vault = Vault("old", "new")
    cached = CachedKey(vault)
    assert cached() == "old"
    assert [cached(refused="old") for _ in range(3)] == ["new"] * 3
    assert vault.asked == 2


def test_many_threads_ask_once() -> None:
    vault, cached_keys = Vault("key"), []
    cached = CachedKey(vault)
    threads = [threading.Thread(target=lambda: cached_keys.append(cached())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cached_keys == ["key"] * 8
    assert vault.asked == 1


def test_many_tasks_ask_once_and_another_loop_is_no_matter() -> None:
    vault = Vault("key")
    cached = CachedKey(vault.later)

    async def ask() -> list[str]:
        return list(await asyncio.gather(*(cached() for _ in range(8))))

    assert asyncio.run(ask()) == asyncio.run(ask()) == ["key"] * 8
    assert vault.asked == 1


def test_what_is_no_key_is_not_cached(colour: Colour) -> None:
    answers: Iterator[Any] = iter([None, "key"])

    async def later() -> Any:
        return next(answers)

    cached: Any = CachedKey(later if colour.asynchronous else (lambda: next(answers)))
    client = colour.formation(chat_answer(), client_key=cached)
    with pytest.raises(ConfigurationError, match="returned NoneType"):
        colour.run(client.chat, "hi")
    colour.run(client.chat, "hi")


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_key_cannot_be_cached_for_no_time(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="seconds= takes a number above 0"):
        CachedKey(Vault(), seconds=seconds)


# Tokens beside the key


def test_tokens_stand_beside_the_key_and_each_other(colour: Colour) -> None:
    play = Playback(answer({}), answer({}))
    vault = Vault("mesh-1", "mesh-2")
    plugins = [
        BearerAuth("gateway"),
        BearerAuth(vault.function(colour), header="X-Mesh-Ticket", scheme=""),
        BearerAuth("proxy", header="Proxy-Authorization", scheme="Token", name="proxy"),
    ]
    client = colour.formation(play, plugins=plugins)
    colour.run(client.get_memories, "ada")
    colour.run(client.health)
    assert play.header("Authorization") == ["Bearer gateway"] * 2
    assert play.header("X-Mesh-Ticket") == ["mesh-1", "mesh-2"]
    assert play.header("Proxy-Authorization") == ["Token proxy"] * 2
    assert play.header(CLIENT_HEADER) == ["fmc_hushhush1", None]


def test_a_refused_token_is_asked_for_again_and_then_the_key(colour: Colour) -> None:
    tokens, keys = Vault("t1", "t2", "t3"), Vault("k1", "k2", "k3")
    play = Playback(unauthorized(), unauthorized(), chat_answer())
    client = colour.formation(
        play, client_key=keys.function(colour), plugins=[BearerAuth(tokens.function(colour))], max_retries=0
    )
    colour.run(client.chat, "hi")
    assert play.header("Authorization") == ["Bearer t1", "Bearer t2", "Bearer t3"]
    assert play.header(CLIENT_HEADER) == ["k1", "k2", "k3"]


def test_a_refused_token_that_is_a_text_is_an_error(colour: Colour) -> None:
    with pytest.raises(AuthenticationError) as caught:
        colour.run(colour.formation(unauthorized(), plugins=[BearerAuth("t")]).chat, "hi")
    assert caught.value.attempts == 1


def test_a_header_that_the_caller_gives_stays(colour: Colour) -> None:
    play = Playback(answer({}), answer({}))
    client = colour.formation(play, plugins=[BearerAuth("t")])
    colour.run(client.with_options(headers={"authorization": "Bearer mine"}).get_memories, "ada")
    assert play.header("Authorization") == ["Bearer mine"]


def test_two_tokens_in_one_header_are_an_error(colour: Colour) -> None:
    with pytest.raises(PluginError, match=r"'muxi.bearer' is registered twice"):
        colour.formation(plugins=[BearerAuth("a"), BearerAuth("b")])
    client = colour.formation(Playback(), plugins=[BearerAuth("a"), BearerAuth("b", name="other")])
    with pytest.raises(ConfigurationError, match="puts its token into Authorization, where another plugin has put"):
        colour.run(client.get_memories, "ada")


def test_a_token_never_takes_the_place_of_a_signature(colour: Colour) -> None:
    with pytest.raises(ConfigurationError, match=r"'muxi.bearer'.*has its signature; give the token another header"):
        colour.run(colour.server(Playback(), plugins=[BearerAuth("a")]).list_formations)
    play = Playback(ok())
    client = colour.server(play, plugins=[BearerAuth("a", header="Proxy-Authorization")])
    colour.run(client.list_formations)
    assert str(play.request.headers["Authorization"]).startswith("MUXI-HMAC ")
    assert play.request.headers["Proxy-Authorization"] == "Bearer a"


def test_an_async_token_on_a_sync_client_is_refused_by_name() -> None:
    client = Colour().formation(Playback(), plugins=[BearerAuth(Vault("t").later)])
    with pytest.raises(PluginError, match=r"'muxi.bearer' returned an awaitable.*on a sync client"):
        client.chat("hi")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "an empty text"),
        (("  ",), "an empty text"),
        ((None,), "NoneType"),
        (("t", ""), "the name of a header"),
    ],
)
def test_a_token_that_is_none_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        BearerAuth(*arguments)


def test_a_token_shows_nowhere_whatever_its_header_is_called(
    colour: Colour, caplog: pytest.LogCaptureFixture, logger: logging.Logger
) -> None:
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.DEBUG)
    seen: list[str] = []

    class Snoop:
        @hookimpl
        def muxi_intercept(self, request: Request, context: Any) -> None:
            assert request.headers["X-Corp-Ticket"] == "hush-1"
            seen.extend(map(repr, (request, request.headers, context, context.state)))

    plugin = BearerAuth(lambda: "hush-1", header="X-Corp-Ticket", scheme="")
    echo = failure(403, "FORBIDDEN", "hush-1 may not do that")
    client = colour.formation(echo, plugins=[plugin, Snoop()], logger=logger)
    with pytest.raises(MuxiError):
        colour.run(client.chat, "hi")
    assert is_secret_header("x-corp-ticket")
    assert len(caplog.records) >= 3
    everything = [*seen, repr(plugin), str(plugin), caplog.text, repr(client)]
    assert not [text for text in everything if "hush" in text]


def test_a_token_over_plain_http_is_warned_about_once(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plaintext, "_warned", set())
    play = Playback(answer({}), answer({}))
    client = colour.formation(play, plugins=[BearerAuth("t")], url="http://gateway.example")
    with pytest.warns(UserWarning, match=r"a key is sent to gateway.example over plain http"):
        colour.run(client.health)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        colour.run(client.get_memories, "ada")
