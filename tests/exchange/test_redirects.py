"""Redirects are followed within an origin, and never with a key in the URL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from muxi import (
    ConfigurationError,
    MuxiError,
    ServerError,
    meta,
)
from muxi.call import Call, Key
from muxi.exchange.life import MAX_REDIRECTS
from muxi.transport import (
    BufferedResponse,
    Headers,
)
from tests.answers import (
    CLIENT_KEY,
    Colour,
    Playback,
    answer,
    chat_answer,
    chat_events,
    json_answer,
    plain,
)

OPEN: dict[str, Any] = {"key": Key.NONE}


def redirect(status: int, location: str) -> BufferedResponse:
    return BufferedResponse(status, [("Location", location)], b"")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere?x=1", "http://localhost:8001/elsewhere?x=1", "../elsewhere?x=1"])
def test_a_redirect_within_the_origin_keeps_method_and_body(colour: Colour, status: int, location: str) -> None:
    play = Playback(redirect(status, location), chat_answer())
    result = colour.run(colour.formation(play).chat, "x")
    first, second = play.requests
    assert (second.method, second.url) == ("POST", "http://localhost:8001/elsewhere?x=1")
    assert second.headers == first.headers
    assert second.body is first.body
    assert meta(result).attempts == 1


def test_a_default_port_is_the_same_origin(colour: Colour) -> None:
    play = Playback(redirect(307, "https://formation.example:443/v1/x"), answer({}))
    colour.run(colour.formation(play, url="https://formation.example").get_memories, "ada")
    assert len(play.requests) == 2


def test_see_other_becomes_a_get_without_a_body(colour: Colour) -> None:
    play = Playback(redirect(303, "/v1/result"), chat_answer())
    colour.run(colour.formation(play).chat, "x")
    assert (play.request.method, play.request.body) == ("GET", None)
    assert "Content-Type" not in play.request.headers


def test_a_redirected_request_is_signed_for_where_it_goes(colour: Colour) -> None:
    play = Playback(redirect(307, "/rpc/list"), json_answer(200, {"success": True, "data": {}}))
    colour.run(colour.server(play).list_formations)
    first, second = play.header("Authorization")
    assert first != second


@pytest.mark.parametrize(
    "location",
    [
        "http://other.example/v1/chat",
        "https://localhost:8001/v1/chat",
        "http://localhost:8002/v1/chat",
        "//other.example/v1/chat",
        "http://localhost:8001@other.example/",
    ],
)
def test_a_redirect_to_another_origin_is_refused(colour: Colour, location: str) -> None:
    play = Playback(redirect(307, location))
    with pytest.raises(ConfigurationError, match=r"redirects to .* not followed because the keys would go along"):
        colour.run(colour.formation(play).chat, "x")
    assert len(play.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://[",
        "http://h:99999/",
        "http://h:abc/",
        "//[",
        "http://[::1",
        "\ud800",
        "http://formation.example:x/",
        "//:::",
    ],
)
def test_a_redirect_to_what_is_no_url_is_a_typed_error(colour: Colour, location: str) -> None:
    play = Playback(BufferedResponse(307, _Unchecked([("Location", location)]), b"body"))
    client = colour.formation(play, url="https://formation.example")
    with pytest.raises(MuxiError) as caught:
        colour.run(client.get_memories, "ada")
    assert caught.value.call == "get_memories (GET /memories)"
    assert len(play.requests) == 1


class _Unchecked(Headers):
    """Headers as a careless transport may hand them over."""

    def add(self, name: str, value: str) -> None:
        self._items.setdefault(name.lower(), []).append((name, value))


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/a b", "https://formation.example/a%20b"),
        ("/ünï?ö=ü", "https://formation.example/%C3%BCn%C3%AF?%C3%B6=%C3%BC"),
        ("/ünï".encode().decode("latin-1"), "https://formation.example/%C3%BCn%C3%AF"),
        ("/a%20b%2Fc", "https://formation.example/a%20b%2Fc"),
        ("https://ada:secret@formation.example/x#part", "https://formation.example/x"),
        ("//ada@formation.example:443/x", "https://formation.example/x"),
        ("../x", "https://formation.example/x"),
        ('/"<x>', "https://formation.example/%22%3Cx%3E"),
    ],
)
def test_a_redirect_is_encoded_and_has_no_user_in_it(colour: Colour, location: str, target: str) -> None:
    play = Playback(redirect(307, location), answer({}))
    colour.run(colour.formation(play, url="https://formation.example").get_memories, "ada")
    assert play.request.url == target


def test_a_redirect_on_a_unix_socket_is_followed(colour: Colour) -> None:
    play = Playback(redirect(307, "/v1/memories/"), answer({}))
    colour.run(colour.formation(play, url="unix:///run/muxi.sock").get_memories, "ada")
    assert play.request.url == "http+unix://%2Frun%2Fmuxi.sock/v1/memories/"


def test_a_redirected_stream_is_followed_and_the_first_answer_is_freed(colour: Colour) -> None:
    play = Playback(redirect(307, "/v1/chat/"), chat_events("Hi"))
    stream = colour.run(colour.formation(play).chat_stream, "x")
    assert play.freed == 1
    assert colour.run(stream.result)["content"] == "Hi"


def test_a_redirect_that_leads_nowhere_is_an_error(colour: Colour) -> None:
    with pytest.raises(MuxiError, match="HTTP 304"):
        colour.run(colour.formation(plain(304)).get_memories, "ada")


@pytest.mark.parametrize(
    "location", [f"/v1/chat?token={CLIENT_KEY}", f"/{CLIENT_KEY}/chat", f"?a=%{ord(CLIENT_KEY[0]):02x}{CLIENT_KEY[1:]}"]
)
def test_a_redirect_that_repeats_a_key_is_refused(colour: Colour, location: str) -> None:
    play = Playback(redirect(307, location))
    with pytest.raises(ServerError, match="repeats a key") as caught:
        colour.run(colour.formation(play).chat, "x")
    assert len(play.requests) == 1
    assert CLIENT_KEY not in str(caught.value)


def test_as_many_redirects_as_are_allowed_are_followed(colour: Colour) -> None:
    play = Playback(*[redirect(307, "/round")] * MAX_REDIRECTS, answer({"a": 1}))
    assert colour.run(colour.formation(play).get_memories, "ada") == {"a": 1}


def test_one_redirect_more_is_an_error_with_its_status(colour: Colour) -> None:
    play = Playback(*[redirect(307, "/round")] * (MAX_REDIRECTS + 1))
    with pytest.raises(ServerError) as caught:
        colour.run(colour.formation(play).get_memories, "ada")
    error = caught.value
    assert (error.code, error.message, error.status_code) == ("TOO_MANY_REDIRECTS", "more than 5 redirects", 307)


@pytest.mark.parametrize("status", [201, 300, 404])
def test_an_address_in_any_other_answer_is_no_redirect(colour: Colour, status: int) -> None:
    play = Playback(json_answer(status, {"a": 1}, location="/elsewhere"))
    client = colour.formation(play, max_retries=0)
    if status == 201:
        assert colour.run(client.get_memories, "ada") == {"a": 1}
    else:
        with pytest.raises(MuxiError, match=f"HTTP {status}"):
            colour.run(client.get_memories, "ada")
    assert len(play.requests) == 1


def test_a_redirect_without_an_address_is_an_error(colour: Colour) -> None:
    play = Playback(plain(302, b"moved"))
    with pytest.raises(MuxiError, match="HTTP 302"):
        colour.run(colour.formation(play).get_memories, "ada")
    assert len(play.requests) == 1


def test_see_other_leaves_a_request_for_the_head_alone(colour: Colour) -> None:
    play = Playback(redirect(303, "/y"), plain(204))
    colour.run(colour.formation(play).send, Call("HEAD", "/x", **OPEN))
    assert [request.method for request in play.requests] == ["HEAD", "HEAD"]


def test_an_iterator_cannot_be_redirected_and_the_error_says_what_to_give(colour: Colour) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x"

    with pytest.raises(ConfigurationError) as caught:
        colour.run(colour.formation(redirect(307, "/y")).send, Call("PUT", "/x", content=pieces(), **OPEN))
    assert caught.value.message == (
        "the answer redirects to http://localhost:8001/y, and the body, an iterator, cannot be sent a second time; "
        "give the address it redirects to, or a function that returns the iterator"
    )
