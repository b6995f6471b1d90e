"""The cassette of one test: calls to a real formation, recorded and played."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import pytest

from muxi import registry
from muxi.clock import Clock
from muxi.errors import ConfigurationError
from muxi.redact import show_value
from muxi.registry import DEFAULT_TRANSPORT, TransportPair
from muxi.testing.clients import NAME, PLACEHOLDERS, URL, Clients
from muxi.transport import (
    AsyncSteppedTransport,
    AsyncTransport,
    Forward,
    Request,
    SendSteps,
    SteppedTransport,
    Transport,
)
from muxi_transports.around import Choice, Wrapping
from muxi_transports.recorded import (
    AsyncRecordedTransport,
    Cassette,
    CassetteError,
    Mode,
    RecordedTransport,
)

__all__ = ["Taped", "cassette_path"]

T = TypeVar("T", bound=Transport | AsyncTransport)
E = TypeVar("E", bound=CassetteError)

_OF_CASSETTE = frozenset(inspect.signature(Cassette).parameters) - {"path"}
_OF_TRANSPORT = frozenset({"mode", "speed"})

#: Longest part of a cassette's name that comes from the test's, in bytes.
_LONGEST_NAME = 150

#: The variables with the address of a formation.
_ADDRESSES = ("MUXI_FORMATION_URL", "MUXI_SERVER_URL", "MUXI_FORMATION_ID")


def cassette_path(file: str | os.PathLike[str] | None, test_file: Path, test_name: str) -> Path:
    """Return the path of a test's cassette.

    Args:
        file: what the marker says, beside the file of the test; None for a file of its own in ``cassettes``.
        test_file: the file of the test.
        test_name: the test in it, such as ``TestBot::test_hello[de]``.
    """
    if file is not None:
        return test_file.parent / file
    name = re.sub(r"[^\w.-]+", "_", test_name.replace("::", ".")).strip("_")
    if len(name.encode()) > _LONGEST_NAME:
        # Parameters may be whole prompts; file systems end at 255 bytes.
        name = f"{name.encode()[:_LONGEST_NAME].decode(errors='ignore')}-{sha256(test_name.encode()).hexdigest()[:8]}"
    return test_file.parent / "cassettes" / test_file.stem / f"{name}.yaml"


class WatchedCassette(Cassette):
    """A cassette that remembers the errors about it: the code under test may handle them."""

    refused: Sequence[Exception] = ()

    def refuse(self, error: E) -> E:
        self.refused = (*self.refused, error)
        return error


class Unaddressed(Wrapping[T]):
    """Refuses requests to the placeholder of an address: nothing is recorded yet, and no formation is named.

    Args:
        transport: sends what a client with an address of its own sends.
        cassette: the cassette that would be recorded.
    """

    def __init__(self, transport: Choice[T], cassette: WatchedCassette) -> None:
        self._slot = self.slot(transport)
        self._cassette = cassette
        self.clock: Clock | None = self._slot.get().clock

    def steps(self, request: Request) -> SendSteps:
        if request.url.startswith(f"{URL}/"):
            error = CassetteError(
                f"nothing is recorded yet at {self._cassette.path}, and no formation is named that could be recorded: "
                "set MUXI_FORMATION_URL and MUXI_CLIENT_KEY for the first run, or add the cassette to the repository"
            )
            raise self._cassette.refuse(error)
        return (yield from Forward(self._slot.get(), request))


class UnaddressedTransport(Unaddressed[Transport], SteppedTransport):
    """:class:`Unaddressed` for sync clients."""


class AsyncUnaddressedTransport(Unaddressed[AsyncTransport], AsyncSteppedTransport):
    """:class:`Unaddressed` for async clients."""


class Taped:
    """The shared state of the fixtures of a test with a cassette.

    Args:
        path: the file.
        options: those of the marker.
        mode: goes before the marker's.

    Raises:
        ConfigurationError: an option is unknown or invalid, or the cassette cannot be read.
    """

    def __init__(self, path: Path, options: Mapping[str, object], mode: str | None) -> None:
        if unknown := options.keys() - _OF_CASSETTE - _OF_TRANSPORT:
            known = ", ".join(sorted(_OF_CASSETTE | _OF_TRANSPORT))
            raise ConfigurationError(
                f"@pytest.mark.muxi_cassette takes no {', '.join(sorted(unknown))}; known are {known}"
            )
        given = dict(options)
        chosen = mode or given.pop("mode", "once")
        given.pop("mode", None)
        if chosen not in get_args(Mode):
            raise ConfigurationError(f"mode= takes {', '.join(map(repr, get_args(Mode)))}, got {show_value(chosen)}")
        self.mode: Mode = cast(Mode, chosen)
        if self.mode == "none" and not path.exists():
            raise ConfigurationError(
                f"there is no cassette {path}, and mode 'none' records none; record it with mode 'once', where "
                "MUXI_FORMATION_URL and MUXI_CLIENT_KEY name a formation, or add the cassette to the repository"
            )
        self._speed = cast(float, given.pop("speed", 0.0))
        self.cassette: WatchedCassette = WatchedCassette(path, **cast("dict[str, Any]", given))
        self.clients: Clients = Clients()
        self._inner = os.environ.get("MUXI_TRANSPORT", "").strip() or DEFAULT_TRANSPORT

    @property
    def records(self) -> bool:
        """True if calls may be recorded, which takes a network."""
        return self.mode in ("new", "all") or (self.mode == "once" and not self.cassette.existed)

    @property
    def refused(self) -> Sequence[Exception]:
        """The errors that fail the test: requests that are not recorded, and what is wrong with the cassette."""
        return self.cassette.refused

    @contextmanager
    def in_reach(self) -> Iterator[None]:
        """Register the cassette's transport as the default of clients that are given no other one."""
        pair = TransportPair(
            lambda: RecordedTransport(
                self.cassette, lambda: UnaddressedTransport(self._inner, self.cassette), self.mode, speed=self._speed
            ),
            lambda: AsyncRecordedTransport(
                self.cassette,
                lambda: AsyncUnaddressedTransport(self._inner, self.cassette),
                self.mode,
                speed=self._speed,
            ),
        )
        addressed = any(os.environ.get(name, "").strip() for name in _ADDRESSES)
        with pytest.MonkeyPatch.context() as changes:
            changes.setitem(registry._registered, NAME, pair)
            changes.setenv("MUXI_TRANSPORT", NAME)
            if not self.records or not addressed:
                _fill_in_settings(changes, addressed=addressed)
            yield


def _fill_in_settings(changes: pytest.MonkeyPatch, *, addressed: bool) -> None:
    """Set what the environment lacks, so that a recording is played without keys and addresses."""
    for name, value in PLACEHOLDERS.items():
        if not (addressed and name in _ADDRESSES) and not os.environ.get(name, "").strip():
            changes.setenv(name, value)
