"""Secrets appear nowhere: not in reprs, errors, logs, traces or pickles; and go nowhere they should not."""

from __future__ import annotations

import logging
import pickle
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from muxi import (
    ConfigurationError,
    Context,
    FormationClient,
    FormationConfig,
    MuxiError,
    PluginError,
    ServerClient,
    ServerConfig,
    hookimpl,
)
from muxi.plugins import auth
from muxi.plugins.secret import KeySource
from muxi.redact import REDACTED, is_secret_header, mask, redact_text
from muxi.transport import Headers, Request, plaintext
from tests.answers import Colour, Playback, answer, chat_answer, chat_events, died, failure, flat, refused

#: None of them looks like a key, so that no pattern finds them.
CLIENT, ADMIN, SECRET, HEADER, PASSWORD = "hush-client", "hush-admin", "hush-secret", "hush-header", "hush-word"


class Snoop:
    """Sees everything that plugins see, as text and pickled where that is possible."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def look(self, thing: object) -> None:
        self.seen += [repr(thing), str(thing)]

    @hookimpl(trylast=True)
    def muxi_prepare_request(self, request: Request, context: Context) -> None:
        self.look(request)

    @hookimpl
    def muxi_intercept(self, request: Request, context: Context) -> None:
        assert set(request.headers) & {"X-Muxi-Client-Key", "X-Muxi-Admin-Key", "Authorization"}
        for thing in (request, request.headers, context, context.options, context.call):
            self.look(thing)

    @hookimpl
    def muxi_response_received(self, response: Any, context: Context) -> None:
        self.look(response)

    @hookimpl
    def muxi_attempt_failed(self, error: Exception) -> None:
        self.look(error)
        self.seen.append(repr(pickle.dumps(error)))

    @hookimpl
    def muxi_call_finished(self, call: Any, outcome: Any) -> None:
        for thing in (call, outcome):
            self.look(thing)
        self.seen.append(repr(pickle.dumps(call)))


def test_no_secret_appears_anywhere_on_the_way_of_a_call(
    colour: Colour,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MUXI_TRACE_PLUGINS", "1")
    caplog.set_level(logging.DEBUG)
    snoop = Snoop()
    shared: dict[str, Any] = {"plugins": [snoop], "headers": {"X-Corp-Auth": HEADER}, "debug": True}
    play = Playback(
        refused(),
        failure(429, "RATE_LIMITED", "slow down", retry_after="1"),
        answer({}),
        chat_answer(),
        chat_events("x"),
        failure(401, "UNAUTHORIZED", "Invalid client API key."),
        died(),
        flat(401, "Unauthorized", "Invalid signature"),
    )
    formation = colour.formation(play, client_key=CLIENT, admin_key=lambda: ADMIN, **shared)
    server = colour.server(play, secret_key=SECRET, max_retries=0, **shared)
    colour.run(formation.get_memories, "ada")
    colour.run(formation.chat, "x")
    colour.run(colour.run(formation.chat_stream, "x").close)
    for client, call in ((formation, "get_buffer_stats"), (server, "start_formation"), (server, "status")):
        with pytest.raises(MuxiError) as caught:
            colour.run(getattr(client, call), *(["bot"] if call == "start_formation" else []))
        snoop.look(caught.value)
        snoop.look("".join(traceback.format_exception(caught.value)))
    for client in (formation, server):
        snoop.look(client)
        snoop.look(client.with_options(headers={"X-Api-Key": HEADER}))
        snoop.look(client.with_raw_response)
    output = capsys.readouterr()
    everything = [*snoop.seen, caplog.text, output.err, output.out]
    assert len(play.requests) == 8
    assert "muxi_prepare_request" in output.err, "it was traced"
    assert "get_memories (GET /memories)" in caplog.text, "it was logged"
    for secret in (CLIENT, ADMIN, SECRET, HEADER):
        assert not [text for text in everything if secret in text], secret


@pytest.mark.parametrize(
    "make",
    [
        lambda: FormationConfig(url="http://h", client_key=CLIENT, admin_key=ADMIN, headers={"A": HEADER}),
        lambda: FormationConfig(url="http://h", client_key=CLIENT, admin_key=ADMIN, headers={"A": HEADER}).resolved(),
        lambda: ServerConfig(url="http://h", key_id="id", secret_key=SECRET),
        lambda: FormationClient(url="http://h", client_key=CLIENT, admin_key=ADMIN, transport="memory"),
        lambda: ServerClient(url="http://h", key_id="id", secret_key=SECRET, transport="memory"),
        lambda: KeySource("client_key", CLIENT, asynchronous=False),
        lambda: auth.KeyAuth(CLIENT, ADMIN),
    ],
)
def test_what_holds_secrets_does_not_show_them(make: Callable[[], object]) -> None:
    thing = make()
    for text in (repr(thing), str(thing), f"{thing}"):
        assert "hush" not in text


@pytest.mark.parametrize(
    "url",
    [
        f"http://ada:{PASSWORD}@host",
        f"http://{PASSWORD}@host:port",
        f"http://ada:{PASSWORD}/x@host",
        f"ftp://ada:{PASSWORD}@host",
        f"http://host/?key={PASSWORD}",
        f"http://host/#{PASSWORD}",
        f"ada:{PASSWORD}@host",
    ],
)
def test_a_url_with_a_secret_in_it_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FormationClient(url=url, client_key="x")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in repr(FormationConfig(url=url)) or "#" in url


def test_a_key_that_cannot_be_a_header_is_not_shown(colour: Colour) -> None:
    with pytest.raises(ConfigurationError, match="client_key=") as caught:
        colour.run(colour.formation(client_key=f"{CLIENT}\r\nX: y").get_memories, "ada")
    assert CLIENT not in "".join(traceback.format_exception(caught.value))


def test_headers_that_hold_secrets_are_known_by_their_names() -> None:
    secret = [
        "Authorization",
        "cookie",
        "X-Muxi-Client-Key",
        "X-API-Key",
        "api_key",
        "X-Auth-Token",
        "X-Amz-Signature",
    ]
    assert [name for name in secret if not is_secret_header(name)] == []
    plain = ["Accept", "Content-Type", "X-Muxi-User-ID", "X-Muxi-Idempotency-Key", "User-Agent", "Retry-After"]
    assert [name for name in plain if is_secret_header(name)] == []
    assert repr(Headers({"X-API-Key": PASSWORD, "Accept": "a"})) == (
        f"Headers([('X-API-Key', '{REDACTED}'), ('Accept', 'a')])"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key fmc_abc-1 and muxi_sk_9", "key fmc_[redacted] and muxi_sk_[redacted]"),
        ("sk_muxi_abc", "sk_muxi_[redacted]"),
        ("MUXI-HMAC key=a, timestamp=1, signature=ab+/=", "MUXI-HMAC key=a, timestamp=1, signature=[redacted]"),
        ("http://ada:word@host/x", "http://[redacted]@host/x"),
        ("http://ada:wo/rd@host/x", "http://[redacted]@host/x"),
        ("GET http://host/x?a=1&api_key=word&b=2", "GET http://host/x?a=1&api_key=[redacted]&b=2"),
        ("http://vault/v1?X-Vault-Token=word#top", "http://vault/v1?X-Vault-Token=[redacted]#top"),
        ("nothing here", "nothing here"),
    ],
)
def test_texts_are_redacted_by_what_secrets_look_like(text: str, shown: str) -> None:
    assert redact_text(text) == shown


def test_what_a_vault_says_when_it_fails_is_redacted(colour: Colour) -> None:
    def sealed() -> str:
        raise LookupError(f"http://ada:{PASSWORD}@vault/?token={PASSWORD} is sealed for fmc_{CLIENT}")

    with pytest.raises(PluginError, match="is sealed") as caught:
        colour.run(colour.formation(client_key=sealed).get_memories, "ada")
    assert PASSWORD not in str(caught.value)
    assert CLIENT not in str(caught.value)


def test_given_secrets_are_redacted_whatever_they_look_like() -> None:
    assert redact_text(f"it was {PASSWORD}", (PASSWORD, "")) == f"it was {REDACTED}"
    assert (mask(PASSWORD), mask(None)) == (REDACTED, None)


# Where keys go


@pytest.fixture
def _nothing_warned_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plaintext, "_warned", set())


@pytest.mark.usefixtures("_nothing_warned_yet")
def test_a_key_over_plain_http_is_warned_about_once_for_each_host(colour: Colour) -> None:
    play = Playback(*(answer({}) for _ in range(4)))
    client = colour.formation(play, url="http://formation.example")
    with pytest.warns(UserWarning, match=r"a key is sent to formation.example over plain http.*use https"):
        colour.run(client.get_memories, "ada")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        colour.run(client.get_memories, "ada")
        colour.run(colour.formation(play, url="http://formation.example:81").get_memories, "ada")
    with pytest.warns(UserWarning, match="other.example"):
        colour.run(colour.formation(play, url="http://other.example").get_memories, "ada")


@pytest.mark.usefixtures("_nothing_warned_yet")
@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.9", "http://[::1]:1", "http://bot.localhost", "https://h.example"]
)
def test_loopback_and_https_are_no_matter(colour: Colour, url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        colour.run(colour.formation(answer({}), url=url).get_memories, "ada")


@pytest.mark.usefixtures("_nothing_warned_yet")
def test_a_call_without_a_key_is_no_matter(colour: Colour) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        colour.run(colour.formation(answer({}), url="http://formation.example").health)
