"""Settings: arguments over environment over defaults, and errors that name both."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace
from typing import Any, get_type_hints

import pytest

from muxi import AsyncFormationClient, ConfigurationError, FormationClient, FormationConfig, ServerClient, ServerConfig
from muxi.client.arguments import FormationSettings, ServerSettings
from tests.answers import Colour, Playback, answer, json_answer

Kind = type[FormationConfig] | type[ServerConfig]
Settings = type[FormationSettings] | type[ServerSettings]


def address(**settings: Any) -> str:
    return FormationConfig(**settings).resolved().address().base_url


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"url": "http://localhost:8001"}, "http://localhost:8001/v1"),
        ({"url": "http://localhost:8001/"}, "http://localhost:8001/v1"),
        ({"url": " http://localhost:8001/v1/ "}, "http://localhost:8001/v1"),
        ({"url": "https://h.example/bots/a"}, "https://h.example/bots/a/v1"),
        ({"url": "http://[::1]:8001"}, "http://[::1]:8001/v1"),
        ({"base_url": "http://localhost:8001/v2/"}, "http://localhost:8001/v2"),
        ({"server_url": "http://s:7890/", "formation_id": "bot"}, "http://s:7890/api/bot/v1"),
        ({"server_url": "http://s", "formation_id": "bot", "mode": "draft"}, "http://s/draft/bot/v1"),
        ({"server_url": "http://s", "formation_id": "Bär 1"}, "http://s/api/B%C3%A4r%201/v1"),
    ],
)
def test_there_are_three_ways_to_address_a_formation(settings: dict[str, Any], expected: str) -> None:
    assert address(**settings) == expected


def test_only_a_server_stands_between() -> None:
    assert FormationConfig(server_url="http://s", formation_id="b").address().proxied
    assert not FormationConfig(url="http://s").address().proxied
    assert not ServerConfig(url="http://s").address().proxied


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MUXI_FORMATION_URL": "http://env:1"}, "http://env:1/v1"),
        ({"MUXI_SERVER_URL": "http://env:2", "MUXI_FORMATION_ID": "bot"}, "http://env:2/api/bot/v1"),
    ],
)
def test_the_environment_addresses_it_where_no_argument_does(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert address() == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "http://mine:1"},
        {"base_url": "http://mine:1"},
        {"server_url": "http://mine:1", "formation_id": "mine"},
        {"server_url": "http://mine:1"},
        {"formation_id": "mine"},
    ],
)
def test_any_addressing_argument_switches_all_addressing_variables_off(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    for name in ("MUXI_FORMATION_URL", "MUXI_SERVER_URL"):
        monkeypatch.setenv(name, "http://env:1")
    monkeypatch.setenv("MUXI_FORMATION_ID", "env")
    if settings.keys() & {"server_url", "formation_id"} and len(settings) == 1:
        with pytest.raises(ConfigurationError, match="needs"):
            address(**settings)
    else:
        assert "mine" in address(**settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "url= .*MUXI_FORMATION_URL.*server_url= and formation_id= .*MUXI_SERVER_URL and MUXI_FORMATION_ID"),
        ({"server_url": "http://s"}, "needs formation_id=.*MUXI_FORMATION_ID"),
        ({"formation_id": "b"}, "needs server_url=.*MUXI_SERVER_URL"),
        ({"url": "localhost:8001"}, "not an http or https URL"),
        ({"url": "ftp://h"}, "not an http or https URL"),
        ({"url": "http://"}, "not an http or https URL with a host"),
        ({"url": "http://h:port"}, "not an http or https URL with a host"),
        ({"url": "http://[::1"}, "not an http or https URL"),
        ({"url": "http://h/?a=1"}, "query or a fragment"),
        ({"url": "http://h/#a"}, "query or a fragment"),
        ({"url": "http://h/a b"}, "white space or control"),
        ({"url": "http://h/\nX: y"}, "white space or control"),
        ({"url": b"http://h"}, "takes a URL as text"),
        ({"server_url": "http://s", "formation_id": ".."}, "cannot be an id"),
        ({"server_url": "http://s", "formation_id": " "}, "needs formation_id="),
        ({"server_url": "http://s", "formation_id": "a/b"}, "cannot be an id"),
        ({"server_url": "http://s", "formation_id": "a%b"}, "cannot be an id"),
        ({"url": "http://h", "mode": "test"}, "mode= is 'live' or 'draft'"),
        ({"url": "http://h", "timeout": 0}, "timeout= takes a number of seconds above 0"),
        ({"url": "http://h", "timeout": "30"}, "timeout="),
        ({"url": "http://h", "timeout": None}, "timeout="),
        ({"url": "http://h", "connect_timeout": -1}, "connect_timeout="),
        ({"url": "http://h", "deadline": True}, "deadline="),
        ({"url": "http://h", "idle_timeout": 0}, "idle_timeout="),
        ({"url": "http://h", "max_retries": -1}, "max_retries="),
        ({"url": "http://h", "max_retries": 1.5}, "max_retries="),
        ({"url": "http://h", "client_key": 42}, "client_key= takes a text or a function"),
    ],
)
def test_a_setting_without_sense_is_refused_and_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        FormationClient(**settings)


def test_a_servers_settings_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="url= or set MUXI_SERVER_URL"):
        ServerClient()
    for name, value in {"SERVER_URL": "http://env:1/", "KEY_ID": "id", "SECRET_KEY": " secret\n"}.items():
        monkeypatch.setenv(f"MUXI_{name}", value)
    found = ServerConfig().resolved()
    assert (found.address().base_url, found.key_id, found.secret_key) == ("http://env:1", "id", "secret")
    assert ServerConfig(url="http://mine", key_id="mine").resolved().key_id == "mine"


def test_keys_come_from_the_environment_and_lose_their_white_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUXI_CLIENT_KEY", " from-env\n")
    found = FormationConfig(url="http://h", admin_key="\tmine ").resolved()
    assert (found.client_key, found.admin_key) == ("from-env", "mine")
    assert FormationConfig(url="http://h", client_key="mine").resolved().client_key == "mine"
    assert FormationConfig(url="http://h", client_key="  ").resolved().client_key == "from-env"


@pytest.mark.parametrize(("value", "debug"), [("1", True), ("true", True), ("ON", True), ("0", False), ("", False)])
def test_debugging_can_be_switched_on_from_outside(monkeypatch: pytest.MonkeyPatch, value: str, debug: bool) -> None:
    monkeypatch.setenv("MUXI_DEBUG", value)
    assert FormationConfig(url="http://h").resolved().debug is debug


def test_resolving_leaves_the_given_settings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUXI_FORMATION_URL", "http://env:1")
    given = FormationConfig()
    given.resolved()
    assert given == FormationConfig()


def test_one_object_is_as_good_as_its_fields_and_arguments_go_over_it(colour: Colour) -> None:
    play = Playback(answer({}), answer({}))
    config = FormationConfig(url="https://one", client_key="k", transport=colour.transport(play), timeout=5)
    kind = AsyncFormationClient if colour.asynchronous else FormationClient
    colour.run(kind(config).get_memories, "ada")
    assert play.request.url.startswith("https://one/")
    colour.run(kind(config, url="https://two", timeout=9).get_memories, "ada")
    assert play.request.url.startswith("https://two/")
    assert play.request.timeouts.total == 9
    assert config.timeout == 5


def test_a_configuration_of_the_other_kind_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="takes a FormationConfig, got ServerConfig"):
        FormationClient(ServerConfig(url="http://h"))  # type: ignore[arg-type]  # what is tested


def test_an_unknown_argument_has_a_hint() -> None:
    with pytest.raises(TypeError, match="'client_kay'; did you mean 'client_key'"):
        FormationClient(client_kay="x")  # type: ignore[call-arg]  # what is tested
    with pytest.raises(TypeError, match=r"'zzz'; known are .*url"):
        ServerClient(zzz=1)  # type: ignore[call-arg]  # what is tested


@pytest.mark.parametrize(("settings", "config"), [(FormationSettings, FormationConfig), (ServerSettings, ServerConfig)])
def test_the_types_of_the_arguments_are_the_fields_of_the_configuration(settings: Settings, config: Kind) -> None:
    assert get_type_hints(settings).keys() == {item.name for item in fields(config)}


def test_a_configuration_shows_what_differs_from_the_defaults() -> None:
    shown = repr(FormationConfig(url="http://h", timeout=5, client_key="hush", headers={"X-A": "hush"}))
    assert shown == "FormationConfig(url='http://h', client_key=[redacted], timeout=5, headers={'X-A': '…'})"


def test_a_configuration_with_keys_does_not_pickle_and_says_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"client_key and headers does not pickle.*environment"):
        pickle.dumps(FormationConfig(url="http://h", client_key="hush", headers={"A": "b"}))
    with pytest.raises(TypeError, match="secret_key"):
        pickle.dumps(ServerConfig(url="http://h", secret_key="hush"))


def test_a_configuration_without_keys_pickles_and_all_can_be_copied() -> None:
    bare = FormationConfig(url="http://h", timeout=5)
    assert pickle.loads(pickle.dumps(bare)) == bare  # noqa: S301  our own
    whole = FormationConfig(url="http://h", client_key="hush", headers={"A": "b"})
    assert copy.copy(whole) == whole == replace(whole)


# Keys out of functions


def test_a_function_is_asked_for_the_key_on_every_attempt(colour: Colour) -> None:
    keys = iter([" one ", "two"])
    play = Playback(json_answer(429, {}, retry_after="1"), answer({}))
    colour.run(colour.formation(play, client_key=lambda: next(keys)).get_memories, "ada")
    assert play.header("X-Muxi-Client-Key") == ["one", "two"]


def test_an_async_client_awaits_an_async_function() -> None:
    from tests.answers import AsyncColour

    async def vault() -> str:
        return "fetched\n"

    colour = AsyncColour()
    play = Playback(answer({}), json_answer(200, {"success": True, "data": {}}))
    colour.run(colour.formation(play, client_key=vault).get_memories, "ada")
    assert play.header("X-Muxi-Client-Key") == ["fetched"]
    colour.run(colour.server(play, secret_key=vault).status)
    assert str(play.request.headers["Authorization"]).startswith("MUXI-HMAC key=")
    colour.end()


async def vault() -> str:
    return "never fetched"


@pytest.mark.parametrize("argument", ["client_key", "admin_key", "secret_key"])
def test_a_sync_client_refuses_an_async_function_when_it_is_made(argument: str) -> None:
    make = Colour().server if argument == "secret_key" else Colour().formation
    with pytest.raises(ConfigurationError, match=f"{argument}= is an async function, which a sync client"):
        make(**{argument: vault})


def test_a_sync_client_refuses_what_turns_out_to_be_asynchronous() -> None:
    with pytest.raises(ConfigurationError, match="client_key= is an async function"):
        Colour().formation(client_key=lambda: vault()).get_memories("ada")
    with pytest.raises(ConfigurationError, match="secret_key= is an async function"):
        Colour().server(secret_key=lambda: vault()).status()


@pytest.mark.parametrize(("given", "said"), [(None, "NoneType instead of a text"), (" ", "an empty text")])
def test_a_function_that_has_no_key_is_named(colour: Colour, given: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"client_key= returned {said}"):
        colour.run(colour.formation(client_key=lambda: given).get_memories, "ada")
    with pytest.raises(ConfigurationError, match=f"secret_key= returned {said}"):
        colour.run(colour.server(secret_key=lambda: given).status)


def test_a_signed_call_without_keys_names_both(colour: Colour) -> None:
    client = colour.server(key_id=None, secret_key=None)
    with pytest.raises(ConfigurationError, match=r"key_id= .*MUXI_KEY_ID.* and secret_key= .*MUXI_SECRET_KEY"):
        colour.run(client.status)


def test_settings_may_be_given_in_the_order_of_the_official_sdk() -> None:
    formation = FormationConfig("bot", None, "http://s", None, "a", "c", 2, 60, True, None, "draft")
    assert (formation.max_retries, formation.timeout, formation.debug, formation.mode) == (2, 60, True, "draft")
    assert formation.address().base_url == "http://s/draft/bot/v1"
    server = ServerConfig("http://s", "k", "s", 2, 60, True, None)
    assert (server.max_retries, server.timeout, server.debug, server.logger) == (2, 60, True, None)
    with pytest.raises(TypeError):
        ServerConfig("http://s", "k", "s", 2, 60, True, None, "requests")  # type: ignore[call-arg, arg-type]  # wrong
