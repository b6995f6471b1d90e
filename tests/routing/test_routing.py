"""Which transport a request goes by, and who closes what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import muxi
from muxi import AsyncFormationClient, FormationClient, ManualClock
from muxi.errors import ConfigurationError
from muxi.transport import (
    AsyncResponse,
    AsyncTransport,
    BufferedResponse,
    Request,
    Response,
    Transport,
    replayed,
    replayed_async,
)
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport
from muxi_transports.routing import AsyncRoutingTransport, RoutingTransport
from muxi_transports.routing.rule import parse_rule, place_of
from tests.transports.scripts import get


class Named(Transport):
    """Answers with its name."""

    def __init__(self, name: str = "made") -> None:
        self.name = name
        self.closings = 0

    def send(self, request: Request) -> Response:
        return replayed(BufferedResponse(200, content=self.name.encode()))

    def close(self) -> None:
        self.closings += 1


class AsyncNamed(AsyncTransport):
    """The same for async clients."""

    def __init__(self, name: str = "made") -> None:
        self.name = name
        self.closings = 0

    async def send(self, request: Request) -> AsyncResponse:
        return replayed_async(BufferedResponse(200, content=self.name.encode()))

    async def close(self) -> None:
        self.closings += 1


# -- rules -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "fitting", "others"),
    [
        (
            "https://api.example.com/v1",
            [
                "https://api.example.com/v1",
                "https://API.example.com:443/v1/chat?x=/v2",
                "https://me:p@api.example.com/v1/",
            ],
            ["https://api.example.com/v10", "http://api.example.com/v1", "https://api.example.com:8443/v1"],
        ),
        ("api.example.com", ["http://api.example.com/x", "https://api.example.com:1/"], ["http://example.com/"]),
        ("*.example.com", ["http://a.b.example.com/"], ["http://example.com/", "http://example.com.evil/"]),
        ("localhost:8001", ["http://localhost:8001/x"], ["http://localhost/", "http://localhost:8010/"]),
        ("[::1]:8001", ["http://[::1]:8001/x"], ["http://[::1]/"]),
        ("/v1/chat", ["http://a/v1/chat", "http://b/v1/chat/x"], ["http://a/v1/chats", "http://a/x/v1/chat"]),
        ("/v1/chat/", ["http://a/v1/chat", "http://b/v1/chat/x"], ["http://a/v1"]),
        ("/api/*/v1", ["http://a/api/my-bot/v1/chat"], ["http://a/api/v1", "http://a/api/a/b/v1"]),
        ("/**/chat", ["http://a/chat", "http://a/api/b/v1/chat/x"], ["http://a/api", "http://a/"]),
        ("/a%2Fb", ["http://a/a%2Fb"], ["http://a/a/b"]),
        ("POST /v1", ["POST http://a/v1"], ["GET http://a/v1"]),
        ("put,DELETE /**", ["PUT http://a/", "delete http://a/x"], ["POST http://a/"]),
        ("*", ["http://a/", "https://b:1/x"], []),
        ("http://", ["http://a/", "http://b:1/x"], ["https://a/"]),
    ],
)
def test_a_rule_fits(rule: str, fitting: list[str], others: list[str]) -> None:
    def fits(text: str) -> bool:
        method, _, url = text.rpartition(" ")
        return parse_rule(rule).fits(place_of(Request(method or "GET", url)))

    assert [text for text in fitting if not fits(text)] == []
    assert [text for text in others if fits(text)] == []


@pytest.mark.parametrize("rule", ["", " ", "a b c", "http//x y", "host:99999", "me:secret@host", "/x?q=1", "a:b"])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a rule") as caught:
        RoutingTransport({rule: Named()})
    assert "secret" not in str(caught.value)


@given(st.lists(st.text("ab*", min_size=1, max_size=3), max_size=5), st.lists(st.text("ab", min_size=1), max_size=5))
def test_a_path_rule_is_what_its_expression_says(pattern: list[str], segments: list[str]) -> None:
    import re

    text = "".join(f"/{part}" for part in pattern)
    expression = "".join(
        "(/[^/]*)*" if part == "**" else "/[^/]*" if part == "*" else re.escape(f"/{part}") for part in pattern
    )
    path = "".join(f"/{segment}" for segment in segments)
    expected = re.fullmatch(f"{expression}(/.*)?", path) is not None

    assert parse_rule(f"h{text}").fits(place_of(get(f"http://h{path}"))) is expected


# -- choosing --------------------------------------------------------------------------------------------------


def test_the_first_rule_that_fits_decides_and_the_rest_goes_by_default() -> None:
    transport = RoutingTransport(
        {"POST /v1/chat": Named("chat"), "admin.example.com": Named("admin"), "/v1": Named("v1")}, default=Named("rest")
    )

    def by(method: str, url: str) -> str:
        return transport.send(Request(method, url)).read().decode()

    assert by("POST", "http://admin.example.com/v1/chat") == "chat"
    assert by("GET", "http://admin.example.com/v1/chat") == "admin"
    assert by("GET", "http://h/v1/chat") == "v1"
    assert by("GET", "http://h/") == "rest"


def test_what_fits_no_rule_is_told_the_rules() -> None:
    transport = RoutingTransport({"/v1": Named(), "admin.example.com": Named()})

    with pytest.raises(
        ConfigurationError, match=r"GET http://\S*@h/x; the rules are '/v1', 'admin.example.com'"
    ) as caught:
        transport.send(get("http://me:secret@h/x"))
    assert "secret" not in str(caught.value)


def test_async_requests_are_routed_alike() -> None:
    async def run() -> list[bytes]:
        transport = AsyncRoutingTransport({"/a": AsyncNamed("a")}, default=AsyncNamed)
        urls = ["http://h/a", "http://h/b"]
        try:
            return [await (await transport.send(get(url))).read() for url in urls]
        finally:
            await transport.close()

    assert asyncio.run(run()) == [b"a", b"made"]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: RoutingTransport({}), "needs a rule"),
        (lambda: RoutingTransport({"*": "carrier-pigeon"}), "no transport named 'carrier-pigeon'"),
        (lambda: RoutingTransport({"*": AsyncNamed()}), "is an async transport"),  # type: ignore[dict-item]  # wrong
        (lambda: AsyncRoutingTransport({"*": Named()}), "is a sync transport"),  # type: ignore[dict-item]  # wrong
        (lambda: RoutingTransport({"*": 7}), "takes a name"),  # type: ignore[dict-item]  # wrong
        (lambda: RoutingTransport({"*": AsyncNamed}).send(get("http://h/")), "is an async transport"),  # type: ignore[dict-item]  # wrong
        (lambda: RoutingTransport({"*": Named()}).send(get("http://[h/")), "not a URL"),
    ],
)
def test_what_is_of_no_use_is_refused(make: Callable[[], Any], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        make()


# -- closing, clocks, clients ----------------------------------------------------------------------------------


def test_what_was_made_is_closed_and_made_anew_and_what_was_given_is_left() -> None:
    made: list[Named] = []

    def make() -> Named:
        made.append(Named())
        return made[-1]

    given_one = Named("given")
    with RoutingTransport({"/given": given_one}, default=make) as transport:
        assert made == []
        for url in ("http://h/given", "http://h/", "http://h/"):
            transport.send(get(url)).read()
        assert len(made) == 1
    assert (made[0].closings, given_one.closings) == (1, 0)

    transport.send(get("http://h/")).read()
    transport.close()
    assert [one.closings for one in made] == [1, 1]


def test_its_clock_is_the_one_that_all_share() -> None:
    clock, other = ManualClock(), ManualClock()
    one, two = (MemoryTransport(EmbeddedFormation(clock=clock)) for _ in range(2))
    three = MemoryTransport(EmbeddedFormation(clock=other))

    assert RoutingTransport({"/a": one}, default=two).clock is clock
    assert RoutingTransport({"/a": one}, default=three).clock is None
    assert RoutingTransport({"/a": one}, default="requests").clock is None
    assert RoutingTransport({"/a": one}, default=three, clock=other).clock is other
    assert AsyncRoutingTransport({"/a": AsyncMemoryTransport(EmbeddedFormation(clock=clock))}).clock is clock


def test_one_name_stands_for_both_colours() -> None:
    rules = {"/**/chat": "memory", "*": "requests"}
    muxi.register_transport("split", lambda: RoutingTransport(rules), lambda: AsyncRoutingTransport(rules))
    settings: dict[str, Any] = {"transport": "split", "url": "http://localhost", "client_key": "any"}

    async def run() -> str:
        async with AsyncFormationClient(**settings) as client:
            return str((await client.chat("Hi", user_id="ada"))["message"]["content"])

    with FormationClient(**settings) as client:
        assert client.chat("Hi", user_id="ada")["message"]["content"] == "You said: Hi"
    assert asyncio.run(run()) == "You said: Hi"


def test_it_shows_its_rules() -> None:
    transport = RoutingTransport({"/v1": Named(), "*.x": "requests"}, default=Named)
    assert repr(transport) == "RoutingTransport('/v1': Named, '*.x': requests, default=Named)"
