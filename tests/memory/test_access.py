"""Who is let in, what is checked first, and where unknown paths lead."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from muxi.errors import ConfigurationError
from muxi.transport import BufferedResponse, Request
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer

Call = Callable[..., BufferedResponse]
Build = Callable[..., Request]
Send = Callable[..., BufferedResponse]

CLIENT_NEEDED = "A valid client API key is required. Please provide the 'X-Muxi-Client-Key' header."
CLIENT_WRONG = "Invalid client API key. Please check your 'X-Muxi-Client-Key' header value."
ADMIN_NEEDED = "A valid admin API key is required. Please provide the 'X-Muxi-Admin-Key' header."
ADMIN_WRONG = "Invalid admin API key. Please check your 'X-Muxi-Admin-Key' header value."
EITHER_NEEDED = "A valid API key is required. Provide either 'X-Muxi-Admin-Key' or 'X-Muxi-Client-Key' header."
SESSIONS, STATS, REQUESTS = "/v1/sessions", "/v1/memory/stats", "/v1/requests"


def error(response: BufferedResponse) -> tuple[int, str, str]:
    payload = json.loads(response.content)
    return response.status, payload["error"]["code"], payload["error"]["message"]


@pytest.mark.parametrize(
    ("path", "headers", "message"),
    [
        (SESSIONS, {}, CLIENT_NEEDED),
        (SESSIONS, {"X-Muxi-Client-Key": ""}, CLIENT_NEEDED),
        (SESSIONS, {"X-Muxi-Client-Key": "nope"}, CLIENT_WRONG),
        (SESSIONS, {"X-Muxi-Admin-Key": "fma_test"}, CLIENT_NEEDED),
        (SESSIONS, {"Authorization": "Bearer fmc_test"}, CLIENT_NEEDED),
        (STATS, {}, ADMIN_NEEDED),
        (STATS, {"X-Muxi-Client-Key": "fmc_test"}, ADMIN_NEEDED),
        (STATS, {"X-Muxi-Admin-Key": "fmc_test"}, ADMIN_WRONG),
        (REQUESTS, {}, EITHER_NEEDED),
        (REQUESTS, {"X-Muxi-Admin-Key": "nope", "X-Muxi-Client-Key": "fmc_test"}, ADMIN_WRONG),
        (REQUESTS, {"X-Muxi-Client-Key": "fma_test"}, CLIENT_WRONG),
    ],
)
def test_a_wrong_key_is_refused(call: Call, path: str, headers: dict[str, str], message: str) -> None:
    assert error(call("GET", path, key="", headers=headers)) == (401, "UNAUTHORIZED", message)


@pytest.mark.parametrize(
    ("path", "key"), [(SESSIONS, "client"), (STATS, "admin"), (REQUESTS, "client"), (REQUESTS, "admin")]
)
def test_the_right_key_is_let_in(call: Call, path: str, key: str) -> None:
    assert call("GET", path, key=key).status == 200


def test_a_formation_without_keys_takes_any(send: Send, build: Build) -> None:
    formation = EmbeddedFormation()
    anything = {"X-Muxi-Client-Key": "whatever"}
    assert send(formation, build("GET", SESSIONS, key="", headers=anything)).status == 200
    assert send(formation, build("GET", SESSIONS, key="")).status == 401
    assert send(formation, build("GET", STATS, key="", headers=anything)).status == 401


def test_the_key_is_checked_before_the_body_and_the_body_before_the_user(ask: Call) -> None:
    assert ask("POST", "/v1/memories", {"type": 5}, key="", user=None).status == 401
    assert ask("POST", "/v1/memories", {"type": 5}, user=None).status == 422
    assert error(ask("POST", "/v1/memories", {}, user=None)) == (
        400,
        "INVALID_REQUEST",
        "X-Muxi-User-ID header is required",
    )
    assert ask("POST", "/v1/memories", {}).status == 422


@pytest.mark.parametrize("user", [None, "  "])
@pytest.mark.parametrize(
    ("method", "path", "key", "condition"),
    [
        ("GET", SESSIONS, "client", ""),
        ("GET", "/v1/memories", "admin", ""),
        ("GET", "/v1/memory/buffer", "admin", ""),
        ("GET", REQUESTS, "client", " when using client API key"),
        ("DELETE", "/v1/memory/buffer", "client", " when using client API key"),
    ],
)
def test_a_user_must_be_named(ask: Call, method: str, path: str, key: str, condition: str, user: str | None) -> None:
    message = f"X-Muxi-User-ID header is required{condition}"
    assert error(ask(method, path, key=key, user=user)) == (400, "INVALID_REQUEST", message)


def test_unknown_paths_and_wrong_methods(call: Call) -> None:
    assert error(call("GET", "/v1/nosuch")) == (404, "RESOURCE_NOT_FOUND", "Not Found")
    assert error(call("GET", "/v1/sessions/a%2Fb")) == (404, "RESOURCE_NOT_FOUND", "Not Found")
    assert error(call("PUT", "/v1/chat", key="")) == (405, "METHOD_NOT_ALLOWED", "Method Not Allowed")
    assert call("GET", "/v1/nosuch/").status == 404


def test_a_slash_too_many_is_redirected(call: Call, ask: Call) -> None:
    response = call("GET", "/v1/sessions/?limit=5")
    assert (response.status, response.content, response.headers["content-length"]) == (307, b"", "0")
    assert response.headers["location"].startswith("http://")
    assert response.headers["location"].endswith("/v1/sessions?limit=5")
    assert ask("GET", "/v1/sessions/").headers["location"] == "http://memory/v1/sessions"


@pytest.mark.parametrize("session", ["a b", "a?b#c", "東", "a%b", "ä+ö"])
def test_ids_are_percent_decoded(call: Call, session: str) -> None:
    from urllib.parse import quote

    call("POST", "/v1/chat", {"message": "x", "stream": False, "session_id": session})
    found = json.loads(call("GET", f"/v1/sessions/{quote(session, safe='')}").content)
    assert found["data"]["session_id"] == session


def test_every_answer_has_the_headers_of_the_wire(call: Call) -> None:
    headers = call("GET", "/v1/nosuch").headers
    assert [name.lower() for name in headers] == ["date", "server", "content-length", "content-type", "vary"]
    assert headers["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert headers["server"] == "uvicorn"


def test_a_browsers_origin_is_echoed(call: Call) -> None:
    response = call("GET", "/v1/health", headers={"Origin": "http://x.test"})
    assert response.headers["access-control-allow-origin"] == "http://x.test"
    assert response.headers["access-control-allow-credentials"] == "true"


def test_head_is_not_a_method_of_the_formation(call: Call) -> None:
    response = call("HEAD", "/v1/health")
    assert (response.status, response.content) == (405, b"")


@pytest.mark.parametrize(
    ("path", "body", "problems"),
    [
        ("/v1/sessions/s/restore", {"messages": [{"role": 1}]}, ["messages.0.role", "messages.0.content"]),
        ("/v1/sessions/s/restore", [], [""]),
        ("/v1/chat", {"message": None}, ["message"]),
        ("/v1/chat", {"message": "x", "stream": []}, ["stream"]),
        ("/v1/chat", {"message": "x", "ui_response": "x"}, ["ui_response"]),
        ("/v1/chat", {"message": "x", "threshold_seconds": []}, ["threshold_seconds"]),
        ("/v1/chat", b"null", [""]),
        ("/v1/chat", b"\xff\xfe{", ["0"]),
        ("/v1/memories?limit=x", None, ["query.limit"]),
        ("/v1/memories?limit=0&offset=-1", None, ["query.limit", "query.offset"]),
        ("/v1/sessions?active_only=perhaps", None, ["query.active_only"]),
    ],
)
def test_problems_name_their_field(ask: Call, path: str, body: object, problems: list[str]) -> None:
    response = ask("GET" if body is None else "POST", path, body)
    assert error(response)[:2] == (422, "INVALID_PARAMS")
    found = json.loads(response.content)["error"]["data"]["validation_errors"]
    assert [problem["field"] for problem in found][: len(problems)] == problems
    assert {tuple(problem) for problem in found} == {("field", "msg", "type", "error")}


@pytest.mark.parametrize("key", ["", " ", "\t"])
@pytest.mark.parametrize("name", ["client_key", "admin_key"])
def test_an_empty_key_opens_no_formation(name: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}= is empty"):
        EmbeddedFormation(**{name: key})  # type: ignore[arg-type]  # a key is a text


@pytest.mark.parametrize("keys", [("", "s"), ("k", ""), ("", ""), (" ", "s")])
def test_an_empty_key_opens_no_server(keys: tuple[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="= is empty"):
        EmbeddedServer(key_id=keys[0], secret_key=keys[1])
