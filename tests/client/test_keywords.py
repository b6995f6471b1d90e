"""An option is defined once, in muxi.config: constructors, with_options() and their types follow from there."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import muxi
from muxi import AsyncFormationClient, AsyncServerClient, FormationClient, FormationConfig, ServerClient, ServerConfig
from muxi.client import keywords
from muxi.config import CallOptions, ClientConfig, Options
from tests.answers import Colour

CONSTRUCTORS = [
    (FormationClient, FormationConfig),
    (AsyncFormationClient, FormationConfig),
    (ServerClient, ServerConfig),
    (AsyncServerClient, ServerConfig),
]


def names(config: type[Options], *without: str) -> list[str]:
    return [item.name for item in fields(config) if item.name not in without]


def keyword_names(function: Callable[..., Any]) -> list[str]:
    found = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in found if parameter.kind is parameter.KEYWORD_ONLY]


def test_the_types_of_the_arguments_are_those_of_the_configuration() -> None:
    written = Path(muxi.__file__).parent / "client" / "arguments.py"
    assert written.read_text("utf-8") == keywords.source(), "run: make arguments"


@pytest.mark.parametrize(("client", "config"), CONSTRUCTORS)
def test_a_constructor_takes_each_field_of_its_configuration(client: type, config: type[Options]) -> None:
    assert keyword_names(client) == names(config)
    hints = get_type_hints(vars(client)["__init__"])
    assert {name: hints[name] for name in names(config)} == {
        name: hint for name, hint in get_type_hints(config).items() if name in names(config)
    }
    defaults = {name: found.default for name, found in inspect.signature(client).parameters.items()}
    assert defaults.pop("cfg") is None
    assert defaults == {name: getattr(config(), name) for name in names(config)}


@pytest.mark.parametrize(("client", "config"), CONSTRUCTORS)
def test_an_option_of_calls_is_also_one_of_clients_and_of_with_options(client: type, config: type[Options]) -> None:
    assert keyword_names(client.with_options) == names(CallOptions)  # type: ignore[attr-defined]  # all clients have it
    assert set(names(Options)) <= set(names(config))
    assert set(names(Options)) <= set(names(CallOptions))


@pytest.mark.parametrize("name", names(Options))
def test_each_option_of_a_configuration_reaches_the_call(colour: Colour, name: str) -> None:
    others: dict[str, Any] = {
        "headers": {"X-A": "1"},
        "max_answer_bytes": 1000,
        "max_retries": 7,
        "validate_responses": "strict",
    }
    value = others.get(name, 12.5)
    assert getattr(colour.formation(**{name: value})._options, name) == value
    assert getattr(colour.server(**{name: value})._options, name) == value
    assert getattr(colour.formation().with_options(**{name: value})._options, name) == value


@pytest.mark.parametrize("name", [name for name in names(ClientConfig) if name not in ("transport", "clock")])
def test_a_server_hands_each_of_its_settings_to_the_clients_of_its_formations(colour: Colour, name: str) -> None:
    import logging

    others: dict[str, Any] = {
        "debug": True,
        "disable_plugins": ("muxi.log",),
        "headers": {"X-A": "1"},
        "logger": logging.getLogger("theirs"),
        "max_answer_bytes": 1000,
        "max_retries": 7,
        "plugins": (),
        "validate_responses": "strict",
    }
    value = others.get(name, 12.5)
    bot: Any = colour.server(**{name: value}).formation("bot", client_key="k")
    assert getattr(bot._core.config, name) == value


@pytest.mark.parametrize("client", [ServerClient, AsyncServerClient])
def test_a_formation_behind_a_server_takes_all_settings_but_its_address(client: Any) -> None:
    assert keyword_names(client.formation) == names(FormationConfig, *keywords.ADDRESSING)
