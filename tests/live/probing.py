"""Probes: tests that check methods of a client by their meaning against a real formation.

A probe names the methods that it checks, and is run for each kind of formation and each colour. It calls them through
:class:`Live`, which keeps record: a probe that names a method without calling it fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, TypeVar

import pytest

from muxi import AsyncFormationClient, FormationClient
from tests.answers import AsyncColour, Colour
from tests.live.defects import DEFECTS
from tests.live.lab.formations import ADMIN_KEY, CLIENT_KEY, KINDS, Kind, LiveFormation
from tests.live.lab.lab import Lab

__all__ = [
    "COLOURS",
    "EMBEDDED",
    "PASSED",
    "Live",
    "Probe",
    "check_named",
    "new_client",
    "probe",
    "probe_of",
    "public_methods",
]

COLOURS = ("sync", "async")

#: The kind of the server that probes of ``ServerClient`` are for: no other one can be installed.
EMBEDDED = "embedded"

T = TypeVar("T")
#: Whether a test itself has passed, whatever its fixtures will say.
PASSED = pytest.StashKey[bool]()

F = TypeVar("F", bound=Callable[..., Any])


class Probe(NamedTuple):
    """What a test checks."""

    methods: frozenset[str]
    on: tuple[str, ...]
    #: The name of the defect of the runtime that the test shows, or empty.
    defect: str


def probe(*methods: str, on: Collection[str] = KINDS, defect: str = "") -> Callable[[F], F]:
    """Mark a test as a probe of methods.

    Args:
        methods: names of methods of the client that the test calls and whose meaning it checks.
        on: the kinds of formation that it is for.
        defect: the name of a defect that the test asserts; it fails once the runtime has mended it.
    """
    assert not defect or defect in DEFECTS
    found = Probe(frozenset(methods), tuple(kind for kind in (*KINDS, EMBEDDED) if kind in on), defect)

    def mark(test: F) -> F:
        test.__dict__["muxi_probe"] = found
        return test

    return mark


def probe_of(test: object) -> Probe | None:
    """Return the mark of a test, or None if it is no probe."""
    found: Probe | None = getattr(test, "muxi_probe", None)
    return found


def check_named(request: pytest.FixtureRequest, called: set[str]) -> None:
    """Check that a probe which has passed has called all that it names."""
    found = probe_of(request.function)
    if found is not None and request.node.stash.get(PASSED, False):
        assert not found.methods - called, "the probe names methods that it has not called"


def public_methods(client: type) -> set[str]:
    """Return the names of what a client offers, but for its clock and what makes a client of saved settings."""
    return {name for name in dir(client) if not name.startswith("_")} - {"clock", "from_profile"}


def new_client(colour: Colour, url: str, **settings: Any) -> Any:
    """Return a client of a colour, whose answers are checked strictly."""
    chosen = {"url": url, "client_key": CLIENT_KEY, "admin_key": ADMIN_KEY, "validate_responses": "strict", **settings}
    return (AsyncFormationClient if colour.asynchronous else FormationClient)(**chosen)


class Live:
    """A client of one colour of a real formation.

    Args:
        lab: the running lab.
        kind: which of its formations.
        colour: the name of the colour.
        name: a name that no other test has; it becomes that of the user.
    """

    def __init__(self, lab: Lab, kind: Kind, colour: str, name: str) -> None:
        self.lab = lab
        self.kind = kind
        self.colour = AsyncColour() if colour == "async" else Colour()
        self.name = f"{name}-{colour}"
        #: A user of this test alone; a single-user formation takes everybody for its user ``0``.
        self.user = f"u-{self.name}"
        self.client = new_client(self.colour, self.formation.url)
        #: The methods that were called.
        self.called: set[str] = set()

    @property
    def formation(self) -> LiveFormation:
        """The formation."""
        return self.lab.formations[self.kind]

    @property
    def owner(self) -> str:
        """What the formation takes the user for."""
        return self.user if self.kind == "multi" else "0"

    def __call__(self, method: str, *args: Any, on: Any = None, **kwargs: Any) -> Any:
        """Call a method of the client, or of another one."""
        self.called.add(method)
        return self.colour.run(getattr(on or self.client, method), *args, **kwargs)

    def collect(self, method: str, *args: Any, on: Any = None, **kwargs: Any) -> list[Any]:
        """Return the items or the events that a method gives, to the end."""
        self.called.add(method)
        return self.colour.collect(getattr(on or self.client, method), *args, **kwargs)

    def text(self, method: str, *args: Any, on: Any = None, **kwargs: Any) -> tuple[str, Any]:
        """Return the text of a stream as its pieces make it, and the stream's result."""
        self.called.add(method)
        if not self.colour.asynchronous:
            with getattr(on or self.client, method)(*args, **kwargs) as stream:
                return "".join(stream.text()), stream.result()

        async def read() -> tuple[str, Any]:
            async with await getattr(on or self.client, method)(*args, **kwargs) as stream:
                return "".join([piece async for piece in stream.text()]), await stream.result()

        both: tuple[str, Any] = self.colour.run(read)
        return both

    def take(
        self, method: str, count: int, *args: Any, on: Any = None, during: Callable[[], object] = bool, **kwargs: Any
    ) -> list[Any]:
        """Open a stream, do something, take so many events, and close it."""
        self.called.add(method)
        if not self.colour.asynchronous:
            with getattr(on or self.client, method)(*args, **kwargs) as stream:
                during()
                return [next(stream) for _ in range(count)]

        async def taken() -> list[Any]:
            async with await getattr(on or self.client, method)(*args, **kwargs) as stream:
                during()
                return [await anext(stream) for _ in range(count)]

        events: list[Any] = self.colour.run(taken)
        return events

    def wait_for(self, look: Callable[[], T], fits: Callable[[T], bool], timeout: float = 20.0) -> T:
        """Look again and again until what is seen fits: the formation has no way to tell of it.

        Raises:
            AssertionError: it does not fit after the timeout.
        """
        deadline = time.monotonic() + timeout
        while not fits(seen := look()):
            assert time.monotonic() < deadline, f"still {seen!r} after {timeout:g} s"
            time.sleep(0.1)
        return seen

    def close(self) -> None:
        """Close the client."""
        self.colour.run(self.client.close)
        self.colour.end()
