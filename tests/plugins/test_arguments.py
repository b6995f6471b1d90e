"""Arguments of plugins without sense: refused where they are given, by name, and never by a library's exception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from muxi import ConfigurationError
from muxi.plugins import BearerAuth, CachedKey, Idempotency, Log, Prometheus, Retry, RetryBudget, SdkHeaders
from tests.answers import Colour


def _key() -> str:
    return "a key"


WRONG: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
    "function=": (lambda value: CachedKey(value), ["a key", None]),
    "seconds=": (lambda value: CachedKey(_key, seconds=value), ["5", None, True, -1, float("nan")]),
    "header=": (lambda value: BearerAuth("a token", value), [5, None, " "]),
    "buckets=": (lambda value: Prometheus(buckets=value), [5, "12", [], [2, 1]]),
    "budget=": (lambda value: Retry(value), [5, "much"]),
    "base=": (lambda value: Retry(base=value), ["x", None, True, -1]),
    "capacity=": (lambda value: RetryBudget(value), ["x", None, -1]),
    "app=": (lambda value: SdkHeaders(value), [5, b"shop"]),
    "make_key=": (lambda value: Idempotency(value), [5, "key"]),
    "logger=": (lambda value: Log(value), ["muxi", 5]),
    "body_limit=": (lambda value: Log(body_limit=value), ["x", -1]),
}


@pytest.mark.parametrize(
    ("argument", "value"), [(argument, value) for argument, (_, values) in WRONG.items() for value in values]
)
def test_it_is_named(argument: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=argument):
        WRONG[argument][0](value)


def test_a_name_of_a_logger_is_no_logger(colour: Colour) -> None:
    with pytest.raises(ConfigurationError, match=r"logger=.*getLogger"):
        colour.formation(logger="shop")


@pytest.mark.parametrize("made", [None, 7, "", " "])
def test_a_key_that_the_platform_would_ignore_is_none(colour: Colour, made: Any) -> None:
    client = colour.formation(plugins=[Idempotency(lambda: made)])
    with pytest.raises(ConfigurationError, match=r"make_key= returned"):
        colour.run(client.chat, "Hi", user_id="ada")
