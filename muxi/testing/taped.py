"""The cassette of one test: calls to a real formation, recorded and played."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import pytest

from muxi import registry
from muxi.errors import ConfigurationError
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
    Mode,
    RecordedRequest,
    RecordedTransport,
    UnrecordedRequest,
)

__all__ = ["Taped", "cassette_path"]

T = TypeVar("T", bound=Transport | AsyncTransport)

_OF_CASSETTE = frozenset(inspect.signature(Cassette).parameters) - {"path"}
_OF_TRANSPORT = frozenset({"mode", "speed"})

#: The variables with the address of a formation.
_ADDRESSES = ("MUXI_FORMATION_URL", "MUXI_SERVER_URL", "MUXI_FORMATION_ID")
#: The variables whose values travel in headers as they are.
_KEYS = ("MUXI_CLIENT_KEY", "MUXI_ADMIN_KEY")


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

    refused: Sequence[Exception] = ()

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
        self.path: Path = path
        given = dict(options)
        chosen = mode or given.pop("mode", "once")
        given.pop("mode", None)
        if chosen not in get_args(Mode):
            raise ConfigurationError(f"mode= takes {', '.join(map(repr, get_args(Mode)))}, got {chosen!r}")
        self.mode: Mode = cast(Mode, chosen)
        self._speed = cast(float, given.pop("speed", 0.0))
        self.cassette: WatchedCassette = WatchedCassette(path, **cast("dict[str, Any]", given))
        self.clients: Clients = Clients()
        # A test without a recording, and without a formation in the environment.
        self._is_empty = self.records and not self.cassette.existed and not _addressed()
        self._inner = os.environ.get("MUXI_TRANSPORT", "").strip() or DEFAULT_TRANSPORT

    @property
    def records(self) -> bool:
        """True if calls may be recorded, which takes a network."""
        return self.mode in ("new", "all") or (self.mode == "once" and not self.cassette.existed)

    @property
    def refused(self) -> Sequence[Exception]:
        """The requests refused because they are not recorded."""
        return self.cassette.refused

    def unused(self, allowed: bool) -> Sequence[Exception]:
        """No errors: there are no stubs."""
        return ()

    def report(self) -> Sequence[str]:
        """The sections of the test's report."""
        return [str(error) for error in self.refused]

    @contextmanager
    def in_reach(self) -> Iterator[None]:
        """Make the cassette the default of clients that are made without arguments."""
        with pytest.MonkeyPatch.context() as changes:
            changes.setitem(registry._registered, NAME, self._pair())
            changes.setenv("MUXI_TRANSPORT", NAME)
            if not self.records or self._is_empty:
                self._fill_in(changes)
            yield

    def refuse(self, request: Request) -> None:
        """Refuse a request that has neither a recording nor an address or a key of its own.

        Raises:
            NothingRecorded: says where nothing is recorded, and what to set.
        """
        placeholders = {PLACEHOLDERS[name] for name in _KEYS}
        if request.url.startswith(URL):
            missing = f"there is no formation to record: set {' or '.join(_ADDRESSES)}"
        elif placeholders.intersection(value for _, value in request.headers.items()):
            missing = f"there is no key to record with: set {' or '.join(_KEYS)}"
        else:
            return
        error = NothingRecorded(f"nothing is recorded yet at {self.path}, and {missing}")
        self.cassette.refused = (*self.cassette.refused, error)
        raise error

    def _pair(self) -> TransportPair:
        def recorded() -> Transport:
            inner = partial(RecordedTransport, self.cassette, self._inner, self.mode, speed=self._speed)
            return UnrecordedTransport(self, inner) if self._is_empty else inner()

        def async_recorded() -> AsyncTransport:
            inner = partial(AsyncRecordedTransport, self.cassette, self._inner, self.mode, speed=self._speed)
            return AsyncUnrecordedTransport(self, inner) if self._is_empty else inner()

        return TransportPair(recorded, async_recorded)

    def _fill_in(self, changes: pytest.MonkeyPatch) -> None:
        """Set what the environment lacks, so that a recording is played without keys and addresses."""
        addressed = _addressed()
        for name, value in PLACEHOLDERS.items():
            if not (addressed and name in _ADDRESSES) and not os.environ.get(name, "").strip():
                changes.setenv(name, value)


def _addressed() -> bool:
    return any(os.environ.get(name, "").strip() for name in _ADDRESSES)


class NothingRecorded(AssertionError):
    """A test with a cassette that does not exist, and without a formation to record."""


class Unrecorded(Wrapping[T]):
    """Records the requests that have an address and keys of their own, and refuses the others.

    Args:
        taped: decides which are refused.
        transport: records.
    """

    def __init__(self, taped: Taped, transport: Choice[T]) -> None:
        self._taped = taped
        self._slot = self.slot(transport)

    def steps(self, request: Request) -> SendSteps:
        self._taped.refuse(request)
        return (yield from Forward(self._slot.get(), request))


class UnrecordedTransport(Unrecorded[Transport], SteppedTransport):
    """:class:`Unrecorded` for sync clients."""


class AsyncUnrecordedTransport(Unrecorded[AsyncTransport], AsyncSteppedTransport):
    """:class:`Unrecorded` for async clients."""
