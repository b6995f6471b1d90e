"""Every argument of every method and constructor refuses what it cannot take: one of the SDK's errors names it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import pytest

from muxi import ConfigurationError, FormationConfig, MuxiError, PluginError, ServerConfig, ValidationError
from muxi.client.endpoints import AnyEndpoint, Endpoint
from muxi.config import CallOptions
from muxi.formation import FormationOperations
from muxi.server import ServerOperations
from tests.answers import Colour, Playback, died
from tests.formation.methods import SAMPLES
from tests.server.bench import archive


class Unprintable:
    """An object without a repr."""

    def __repr__(self) -> str:
        raise LookupError("there is no repr")


#: Values that hardly any argument takes.
STRANGE: Mapping[str, Any] = {
    "None": None,
    "zero": 0,
    "an int": 7,
    "a number below zero": -1,
    "a number of 5,000 digits": 10**5000,
    "True": True,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "bytes": b"\xff\x00",
    "an empty text": "",
    "a text of 300 kB": "x" * 300_000,
    "half of a surrogate pair": "\ud800",
    "a NUL": "a\0b",
    "a line break": "a\r\nb",
    "an object": object(),
    "an object without a repr": Unprintable(),
    "a class": type,
    "a list": [object()],
    "a tuple": (1,),
    "a set": {1},
    "a mapping": {1: object()},
    "a mapping of NaN": {"a": float("nan")},
    "a mapping of half a pair": {"a": ["\udfff"]},
}

#: What reaches a header or a body may have the name that it has there.
ON_THE_WIRE: Mapping[str, tuple[str, ...]] = {
    "distillery_id": ("X-Distillery-ID",),
    "idempotency_key": ("Idempotency-Key",),
    "async_mode": ("use_async:",),
    "job_type": ("type:",),
    "mem_type": ("type:",),
}
#: Arguments whose fields are named in their place, such as ``message`` of a chat.
OF_FIELDS = frozenset(
    {
        "payload",
        "files",
        "batch",
        "items",
        "messages",
        "identifiers",
        "channels",
        "metadata",
        "filters",
        "data",
        "params",
        "query",
        "headers",
        "body",
    }
)

#: Annotations, and the types of what may be sent.
PLAIN: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "float | None": (int, float, type(None)),
}

#: The same for settings.
PLAIN_SETTINGS: Mapping[str, tuple[type, ...]] = {
    **PLAIN,
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "Clock | None": (type(None),),
    "logging.Logger | None": (type(None),),
    "Mapping[str, str]": (),
}

BUNDLE = archive({"my-bot/formation.afs": "id: my-bot\ndescription: a bot\nversion: 1.0.0\n"})


@cache
def endpoints(operations: type) -> dict[str, AnyEndpoint]:
    found = {name: inspect.getattr_static(operations, name) for name in dir(operations)}
    return {name: endpoint for name, endpoint in found.items() if isinstance(endpoint, Endpoint)}


METHODS = [
    (kind, name)
    for kind, operations in (("formation", FormationOperations), ("server", ServerOperations))
    for name in endpoints(operations)
]


def parameters(kind: str, name: str) -> list[inspect.Parameter]:
    endpoint = endpoints(FormationOperations if kind == "formation" else ServerOperations)[name]
    found = list(inspect.signature(endpoint._describe).parameters.values())[1:]
    return [parameter for parameter in found if parameter.kind is not parameter.VAR_KEYWORD]


def valid(name: str, found: list[inspect.Parameter]) -> dict[str, Any]:
    """Arguments that the method takes."""
    samples = {**SAMPLES, "bundle_path": BUNDLE, "formation_id": "my-bot", "job_type": "one_time"}
    if name == "ingest_distilled":
        samples["batch"] = {"batch_id": "b", "events": [{"event_type": "x", "user_id": "u"}]}
    required = [parameter.name for parameter in found if parameter.default is parameter.empty]
    arguments = {argument: samples.get(argument, "xyz") for argument in required}
    known = {parameter.name for parameter in found}
    if name.startswith("audio_chat"):
        arguments["files"] = [("a.wav", b"RIFF")]
    if "user_id" in known:
        arguments["user_id"] = "ada"
    if name == "add_memory":
        arguments["content"] = "c"
    if name == "request":
        arguments.update(method="POST", path="/x")
    if name == "create_credential":
        arguments["payload"] = {"service": "s", "credential": {"token": "t"}}
    if name == "wait_for_memory_job":
        arguments["job_id"] = "rebuild_x"
    return arguments


def is_named(error: MuxiError, argument: str) -> bool:
    said = f"{error} {error.details}"
    return any(name in said for name in (argument, *ON_THE_WIRE.get(argument, ())))


def mistakes(kind: str, name: str, colour: Colour) -> Iterator[str]:
    """Whatever comes out of a call with one wrong argument, except errors that name it, and requests."""
    found = parameters(kind, name)
    play = Playback()
    make = colour.formation if kind == "formation" else colour.server
    client = make(play, max_retries=0)
    for parameter in found:
        for what, value in STRANGE.items():
            play.steps[:], play.requests = [died()], []
            arguments = {**valid(name, found), parameter.name: value}
            try:
                colour.run(_begin, getattr(client, name), arguments)
            except MuxiError as error:
                if play.requests:
                    no_user = parameter.name == "user_id" and value is None
                    if not no_user and type(value) not in PLAIN.get(parameter.annotation, (type(value),)):
                        yield f"{name}({parameter.name}={what}) is sent"
                    continue
                if isinstance(error, ValidationError | ConfigurationError) and (
                    is_named(error, parameter.name) or parameter.name in OF_FIELDS
                ):
                    continue
                yield f"{name}({parameter.name}={what}) is refused with {error}"
            except Exception as error:
                yield f"{name}({parameter.name}={what}) raises {type(error).__name__}: {error}"
            else:
                yield f"{name}({parameter.name}={what}) returns without a request"


def _begin(method: Any, arguments: dict[str, Any]) -> Any:
    """Call a method as far as its first request."""
    result = method(**arguments)
    if inspect.isgenerator(result):
        return next(result, None)
    return anext(result, None) if inspect.isasyncgen(result) else result


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_a_wrong_argument_is_named_before_anything_is_sent(
    kind: str, name: str, colour: Colour, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(mistakes(kind, name, colour)) == []


def setting_mistakes(make: Any, base: Mapping[str, Any], annotations: Mapping[str, str]) -> Iterator[str]:
    """Whatever comes out of a constructor with one wrong argument, except errors that name it."""
    for name, annotation in annotations.items():
        for what, value in STRANGE.items():
            try:
                make(**{**base, name: value})
            except ConfigurationError as error:
                if not is_named(error, name):
                    yield f"{name}={what} is refused with {error}"
            except PluginError as error:
                if name != "plugins":
                    yield f"{name}={what} is refused with {error}"
            except Exception as error:
                yield f"{name}={what} raises {type(error).__name__}: {error}"
            else:
                if type(value) not in PLAIN_SETTINGS.get(annotation, (type(value),)):
                    yield f"{name}={what} is taken"


def settings(config: type) -> dict[str, str]:
    return {item.name: str(item.type) for item in fields(config)}


@pytest.mark.parametrize("kind", ["formation", "server"])
def test_a_wrong_setting_is_named_when_the_client_is_made(kind: str, colour: Colour) -> None:
    make = colour.formation if kind == "formation" else colour.server
    config = FormationConfig if kind == "formation" else ServerConfig
    base = {"url": "http://localhost", "transport": "requests" if colour.asynchronous is False else "aiohttp"}
    assert list(setting_mistakes(make, base, {"cfg": "", **settings(config)})) == []


@pytest.mark.parametrize("kind", ["formation", "server"])
def test_a_wrong_option_is_named_when_options_are_changed(kind: str, colour: Colour) -> None:
    client = colour.formation() if kind == "formation" else colour.server()
    assert list(setting_mistakes(client.with_options, {}, settings(CallOptions))) == []


def test_an_unknown_argument_is_named(colour: Colour) -> None:
    for function in (colour.formation, colour.formation().with_options, colour.formation().get_agents):
        with pytest.raises((TypeError, ConfigurationError), match="nonsense"):
            colour.run(function, nonsense=1)
