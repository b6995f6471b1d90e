"""Transports: by name, by instance, by factory, by class, by entry point, by environment, by plugin."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muxi import AsyncFormationClient, ConfigurationError, FormationClient, hookimpl, register_transport, registry
from muxi import installed as distributions
from muxi.registry import TransportPair, TransportRegistry
from muxi.transport import AsyncTransport, Transport
from tests.answers import AsyncPlaybackTransport, Colour, Playback, PlaybackTransport, answer


@pytest.fixture(autouse=True)
def _forgotten_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {})


class Own(PlaybackTransport):
    """A transport whose class can be given."""

    made = 0

    def __init__(self) -> None:
        super().__init__(Playback(answer({"by": "its class"})))
        type(self).made += 1


class AsyncOwn(AsyncPlaybackTransport):
    def __init__(self) -> None:
        super().__init__(Playback(answer({"by": "its class"})))


def client(colour: Colour, transport: Any = None) -> Any:
    kind = AsyncFormationClient if colour.asynchronous else FormationClient
    return kind(url="http://localhost:1", client_key="k", transport=transport)


def test_a_name_that_was_registered_in_code(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    register_transport("own", Own, AsyncOwn)
    assert colour.run(client(colour, "own").get_memories, "ada") == {"by": "its class"}
    monkeypatch.setenv("MUXI_TRANSPORT", " own ")
    assert colour.run(client(colour).get_memories, "ada") == {"by": "its class"}
    assert colour.run(client(colour, colour.transport(Playback(answer({})))).get_memories, "ada") == {}


def test_a_class_and_a_function_are_asked_for_a_transport_which_the_client_closes(colour: Colour) -> None:
    found = client(colour, AsyncOwn if colour.asynchronous else Own)
    playback = found._core.transport.playback
    assert colour.run(found.get_memories, "ada") == {"by": "its class"}
    colour.run(found.close)
    assert playback.closed == 1


def test_a_plugin_adds_transports_for_its_client_alone(colour: Colour) -> None:
    class Adds:
        @hookimpl
        def muxi_register_transports(self, registry: TransportRegistry) -> None:
            registry.register("own", Own, AsyncOwn)

    kind: Any = AsyncFormationClient if colour.asynchronous else FormationClient
    with_it = kind(url="http://localhost:1", client_key="k", transport="own", plugins=[Adds()])
    assert colour.run(with_it.get_memories, "ada") == {"by": "its class"}
    with pytest.raises(ConfigurationError, match="no transport named 'own'"):
        client(colour, "own")


def test_an_unknown_name_is_refused_when_the_client_is_made(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"'requestz'; known are .*memory.*requests.*MUXI_TRANSPORT"):
        client(colour, "requestz")
    monkeypatch.setenv("MUXI_TRANSPORT", "nonsense")
    with pytest.raises(ConfigurationError, match="'nonsense'"):
        client(colour)


def test_a_name_without_a_transport_of_the_colour_is_refused_when_the_client_is_made(colour: Colour) -> None:
    if colour.asynchronous:
        register_transport("half", Own)
    else:
        register_transport("half", asynchronous=AsyncOwn)
    wanted = "async" if colour.asynchronous else "sync"
    with pytest.raises(ConfigurationError, match=f"'half' has no {wanted} form"):
        client(colour, "half")


@pytest.mark.parametrize("wrap", [lambda transport: transport, lambda transport: lambda: transport])
def test_a_transport_of_the_other_colour_is_refused_when_the_client_is_made(
    colour: Colour, wrap: Callable[[Any], Any]
) -> None:
    other = Own() if colour.asynchronous else AsyncOwn()
    with pytest.raises(ConfigurationError, match=r"is an? (a?sync) transport and this is an? (a?sync) client"):
        client(colour, wrap(other))


@pytest.mark.parametrize("wrong", [42, lambda: 42, object()])
def test_what_is_no_transport_is_refused_when_the_client_is_made(colour: Colour, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="transport= takes a name, an instance"):
        client(colour, wrong)


def test_the_shipped_names_are_known() -> None:
    assert {"requests", "aiohttp", "memory"} <= set(TransportRegistry().names())


# Entry points

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a distribution with one module and one entry point of the group ``muxi.transports``."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_entry_points", registry._entry_points.__wrapped__)
    monkeypatch.setattr(distributions, "look", distributions.look.__wrapped__)

    def installed(name: str, source: str, value: str) -> None:
        (tmp_path / f"muxi_{name}_transport.py").write_text(source)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[muxi.transports]\n{name} = muxi_{name}_transport:{value}\n")
        importlib.invalidate_caches()

    return installed


def test_installed_transports_are_found(colour: Colour, install: Install) -> None:
    here = "from tests.doors.test_registry import Own, AsyncOwn, TransportPair\n"
    install("pair", here + "pair = TransportPair(Own, AsyncOwn)\n", "pair")
    install("lone", here, "AsyncOwn" if colour.asynchronous else "Own")
    for name in ("pair", "lone"):
        found = client(colour, name)._core.transport
        assert isinstance(found, AsyncTransport if colour.asynchronous else Transport)
    assert {"pair", "lone"} <= set(TransportRegistry().names())
    assert TransportPair() == TransportPair(None, None)


def test_an_installed_transport_that_cannot_be_loaded_hurts_only_those_who_want_it(
    colour: Colour, install: Install
) -> None:
    install("wreck", "raise OSError('no such library')\n", "Transport")
    client(colour, colour.transport(Playback()))
    client(colour, "memory")
    with pytest.raises(ConfigurationError, match=r"the installed transport 'wreck'.*OSError: no such library"):
        client(colour, "wreck")
