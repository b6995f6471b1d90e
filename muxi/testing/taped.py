"""The cassette of one test: calls to a real formation, recorded and played."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from muxi import registry
from muxi.errors import ConfigurationError
from muxi.registry import DEFAULT_TRANSPORT, TransportPair
from muxi.testing.clients import NAME, PLACEHOLDERS, Clients
from muxi_transports.recorded import (
    AsyncRecordedTransport,
    Cassette,
    Mode,
    RecordedRequest,
    RecordedTransport,
    UnrecordedRequest,
)

__all__ = ["Taped", "cassette_path"]

_OF_CASSETTE = frozenset(inspect.signature(Cassette).parameters) - {"path"}
_OF_TRANSPORT = frozenset({"mode", "speed"})

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
    return test_file.parent / "cassettes" / test_file.stem / f"{name}.yaml"


class WatchedCassette(Cassette):
    """A cassette that remembers what it had no answer to."""

    refused: Sequence[UnrecordedRequest] = ()

    def unrecorded(self, request: RecordedRequest, hint: str) -> UnrecordedRequest:
        error = super().unrecorded(request, hint)
        self.refused = (*self.refused, error)
        return error


class Taped:
    """The state that the fixtures of a test with a cassette share.

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
            raise ConfigurationError(f"mode= takes {', '.join(map(repr, get_args(Mode)))}, got {chosen!r}")
        self.mode: Mode = cast(Mode, chosen)
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
        """The requests refused because they are not recorded."""
        return self.cassette.refused

    @contextmanager
    def in_reach(self) -> Iterator[None]:
        """Make the cassette the default of clients that are made without arguments."""
        pair = TransportPair(
            lambda: RecordedTransport(self.cassette, self._inner, self.mode, speed=self._speed),
            lambda: AsyncRecordedTransport(self.cassette, self._inner, self.mode, speed=self._speed),
        )
        with pytest.MonkeyPatch.context() as changes:
            changes.setitem(registry._registered, NAME, pair)
            changes.setenv("MUXI_TRANSPORT", NAME)
            if not self.records:
                self._fill_in(changes)
            yield

    def _fill_in(self, changes: pytest.MonkeyPatch) -> None:
        """Set what the environment lacks, so that a recording is played without keys and addresses."""
        addressed = any(os.environ.get(name, "").strip() for name in _ADDRESSES)
        for name, value in PLACEHOLDERS.items():
            if not (addressed and name in _ADDRESSES) and not os.environ.get(name, "").strip():
                changes.setenv(name, value)
