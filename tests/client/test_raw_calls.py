"""Calls by method and path, for routes without a method."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from muxi import AuthorizationError, FormationClient, NotFoundError, ServerClient, ServerError, ValidationError, meta
from tests.answers import Colour, Playback, answer, died, failure


def test_a_route_is_called_with_everything_that_other_calls_have(colour: Colour) -> None:
    play = Playback(answer({"id": "desk"}))
    found = colour.run(
        colour.formation(play).request,
        "patch",
        "/agents/{agent_id}/mood",
        params={"agent_id": "a b"},
        query={"deep": True, "none": None},
        body={"mood": "good"},
        headers={"X-Reason": "test"},
        key="admin",
        user_id="ada",
    )
    request = play.request
    assert (request.method, request.url.partition("/v1")[2]) == ("PATCH", "/agents/a%20b/mood?deep=true")
    assert (request.headers["X-Reason"], request.headers["X-Muxi-User-ID"]) == ("test", "ada")
    assert "X-Muxi-Admin-Key" in request.headers
    assert play.body() == {"mood": "good"}
    assert found == {"id": "desk"}
    assert meta(found).status == 200


def test_a_server_is_called_with_its_signature_or_without(colour: Colour) -> None:
    play = Playback(answer({}), answer({}))
    server = colour.server(play)
    colour.run(server.request, "GET", "/rpc/new")
    assert play.request.headers["Authorization"].startswith("MUXI-HMAC")
    colour.run(server.request, "GET", "/new", signed=False)
    assert "Authorization" not in play.request.headers


@pytest.mark.parametrize(
    ("method", "repeat", "repeated"),
    [("GET", None, True), ("POST", None, False), ("POST", "safe", True), ("GET", "never", False)],
)
def test_its_declared_safety_decides_whether_it_is_repeated(
    colour: Colour, method: str, repeat: Any, repeated: bool
) -> None:
    play = Playback(died(), answer({"done": True}))
    client = colour.formation(play)
    if repeated:
        assert colour.run(client.request, method, "/new", repeat=repeat) == {"done": True}
    else:
        with pytest.raises(ConnectionError):
            colour.run(client.request, method, "/new", repeat=repeat)


def test_a_removal_that_finds_nothing_the_second_time_is_done(colour: Colour) -> None:
    play = Playback(died(), failure(404, "RESOURCE_NOT_FOUND"))
    assert colour.run(colour.formation(play).request, "DELETE", "/new/x", repeat="removal") == {}


@pytest.mark.parametrize(
    ("status", "kind"), [(403, AuthorizationError), (404, NotFoundError), (500, ServerError)], ids=str
)
def test_a_refusal_is_a_typed_error_that_names_the_route(colour: Colour, status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"request \(POST /new\), HTTP"):
        colour.run(colour.formation(Playback(failure(status))).request, "POST", "/new")


@pytest.mark.parametrize(
    ("arguments", "settings", "named"),
    [
        (("FETCH", "/x"), {}, "method"),
        ((None, "/x"), {}, "method"),
        (("GET", "x"), {}, "path"),
        (("GET", "//host/x"), {}, "path"),
        (("GET", None), {}, "path"),
        (("GET", "/x?y=1"), {}, "path"),
        (("GET", "/x#y"), {}, "path"),
        (("GET", "/a/../x"), {}, "path"),
        (("GET", "/\u00fc"), {}, "path"),
        (("GET", "/x\r\nHost: y"), {}, "path"),
        (("GET", "/x/{id}"), {}, "path"),
        (("GET", "/x/{id"), {"params": {"id": "1"}}, "path"),
        (("GET", "/x/{id.real}"), {"params": {"id": "1"}}, "path"),
        (("GET", "/x/{id}"), {"params": {"id": ".."}}, "id"),
        (("GET", "/x"), {"params": 3}, "params"),
        (("GET", "/x"), {"query": [1]}, "query"),
        (("GET", "/x"), {"headers": "x"}, "headers"),
        (("GET", "/x"), {"key": "boss"}, "key"),
        (("GET", "/x"), {"repeat": "maybe"}, "repeat"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(colour: Colour, arguments: Any, settings: Any, named: str) -> None:
    play = Playback()
    with pytest.raises(ValidationError, match=f"{named} "):
        colour.run(colour.formation(play).request, *arguments, **settings)


def test_it_is_a_value_too() -> None:
    for call in (
        FormationClient.request.call("GET", "/new", key="none"),
        ServerClient.request.call("POST", "/rpc/new", body={"a": 1}),
    ):
        assert pickle.loads(pickle.dumps(call)) == call  # noqa: S301  our own


@pytest.mark.parametrize("name", ["deploy_formation", "deploy_formation_stream"])
def test_a_deployment_in_the_official_form_is_refused_with_the_call_to_write(colour: Colour, name: str) -> None:
    client = colour.server(Playback())
    with pytest.raises(TypeError, match=rf"^{name}\(\) takes .* {name}\('my-bot.tar.gz', formation_id='my-bot'\)"):
        colour.run(getattr(client, name), "bot", {"bundle": "x"})


@pytest.mark.parametrize("name", ["update_formation", "update_formation_stream"])
def test_an_update_in_the_official_form_is_refused_with_the_call_to_write(colour: Colour, name: str) -> None:
    with pytest.raises(ValidationError, match=r"takes no JSON.*update_formation\('my-bot', 'my-bot.tar.gz'\)"):
        colour.run(getattr(colour.server(Playback()), name), "bot", {"bundle": "x"})


_DEPLOY = r"It takes the bundle first: {}\('my-bot\.tar\.gz', formation_id='my-bot'\)$"
_UPDATE = r"It takes the id, then the bundle: {}\('my-bot', 'my-bot\.tar\.gz'\)$"
_MESSAGE = r"Fields of the request go into the payload: {}\(\{{'message': 'Hello!', 'session_id': 's-1'\}}\)$"
_PAYLOAD = {"formation_id": "my-bot", "payload": {"bundle": "x"}}
INSTEAD = [
    ("deploy_formation", _DEPLOY, (), _PAYLOAD),
    ("deploy_formation_stream", _DEPLOY, (), _PAYLOAD),
    ("update_formation", _UPDATE, (), _PAYLOAD),
    ("update_formation_stream", _UPDATE, (), _PAYLOAD),
    ("chat", _MESSAGE, ("x",), {"session_id": "s-1"}),
    ("chat", _MESSAGE, ("x",), {"sesion_id": "s-1"}),
    ("chat_stream", _MESSAGE, ("x",), {"session_id": "s-1"}),
]


@pytest.mark.parametrize(("name", "said", "args", "kwargs"), INSTEAD)
def test_arguments_of_another_form_are_answered_with_the_call_to_write(
    name: str, said: str, args: tuple[Any, ...], kwargs: dict[str, Any], colour: Colour
) -> None:
    client = colour.formation() if name.startswith("chat") else colour.server()
    with pytest.raises(TypeError, match=rf"^{name}\(\) .*{said.format(name)}"):
        colour.run(getattr(client, name), *args, **kwargs)


def test_an_argument_that_a_method_does_not_have_is_named_with_the_nearest(colour: Colour) -> None:
    client = colour.formation(Playback())
    expected = r"^chat\(\) got an unexpected keyword argument 'usr_id'\. Did you mean 'user_id'\?"
    for method in (client.chat, client.with_raw_response.chat):
        with pytest.raises(TypeError, match=expected) as caught:
            colour.run(method, "x", usr_id="ada")
        assert caught.value.__cause__ is None
    with pytest.raises(TypeError, match=expected):
        FormationClient.chat.call("x", usr_id="ada")  # type: ignore[call-arg]  # what is tested
