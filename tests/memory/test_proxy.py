"""The server's proxy: what reaches a formation through it, and what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.transport import BufferedResponse, BytesBody, Headers, Request
from muxi_transports.memory import Answer, EmbeddedFormation, EmbeddedServer, MemoryTransport, Pause
from muxi_transports.memory.world import Exchange

Send = Callable[[EmbeddedServer, Request], BufferedResponse]


class Recorder(EmbeddedFormation):
    """A formation that notes what reaches it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("my-assistant", clock=clock)
        self.seen: list[Request] = []

    def respond(self, request: Request) -> Exchange:
        self.seen.append(request)
        return super().respond(request)


@pytest.fixture
def behind(clock: ManualClock) -> Recorder:
    return Recorder(clock)


@pytest.fixture
def server(clock: ManualClock, behind: Recorder) -> EmbeddedServer:
    server = EmbeddedServer(clock=clock)
    server.add(behind)
    return server


def get(path: str, **headers: str) -> Request:
    sent = Headers({"X-Muxi-Client-Key": "any", "X-Muxi-User-ID": "alice"})
    for name, value in headers.items():
        sent[name.replace("_", "-")] = value
    return Request("GET", f"http://memory{path}", sent)


def chat(path: str, body: dict[str, Any]) -> Request:
    request = get(path, Content_Type="application/json")
    request.method, request.body = "POST", BytesBody(json.dumps(body).encode())
    return request


def test_a_formation_answers_through_the_proxy(server: EmbeddedServer, send: Send) -> None:
    answer = send(server, chat("/api/my-assistant/v1/chat", {"message": "hi", "stream": False}))
    assert json.loads(answer.content)["data"]["message"]["content"] == "You said: hi"
    assert answer.headers["server"] == "uvicorn"
    assert answer.headers["access-control-allow-methods"] == "GET, POST, PUT, DELETE, OPTIONS"
    assert answer.headers["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    streamed = send(server, chat("/api/my-assistant/v1/chat", {"message": "hi"}))
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.content.endswith(b'event: done\ndata: {"finished":true}\n\n')


@pytest.mark.parametrize(
    ("path", "reaches"),
    [
        ("/api/my-assistant", "/"),
        ("/api/my-assistant/v1/health?a=%2F&b", "/v1/health?a=%2F&b"),
        ("/api/my-assistant/v1/sessions/a%20b", "/v1/sessions/a%20b"),
        ("/api/my-assistant/v1/sessions/a%2Fb", "/v1/sessions/a/b"),
        ("/api/my-assistant/v1/sessions/a%3Fb/messages?limit=1", "/v1/sessions/a?limit=1"),
        ("/api/my-assistant/v1/sessions/a%23b/messages", "/v1/sessions/a"),
        ("/api/my-assistant/v1/sessions/a%2541", "/v1/sessions/aA"),
        ("/api/my-assistant/v1/sessions/%E6%9D%B1", "/v1/sessions/%E6%9D%B1"),
    ],
)
def test_a_path_is_decoded_and_cut_on_the_way(
    server: EmbeddedServer, behind: Recorder, send: Send, path: str, reaches: str
) -> None:
    send(server, get(path))
    assert behind.seen[-1].url == f"http://localhost:18200{reaches}"


def test_a_stray_percent_sign_is_the_proxys_error(server: EmbeddedServer, send: Send) -> None:
    response = send(server, get("/api/my-assistant/v1/sessions/a%25zz"))
    assert response.status == 500
    error = b'{"error": "Internal server error", "message": "Failed to parse target URL", "code": 500}'
    assert response.content == error


def test_headers_pass_and_some_are_added(server: EmbeddedServer, behind: Recorder) -> None:
    request = get("/api/my-assistant/v1/health", Host="muxi.test", X_Muxi_Server="spoofed", Authorization="Bearer x")
    request.headers["X-Forwarded-For"] = "10.0.0.1, 10.0.0.2"
    MemoryTransport(server).send(request)
    headers = behind.seen[0].headers
    assert headers["X-Muxi-Server"] == "0.20260514.1"
    assert headers["Authorization"] == "Bearer x"
    assert headers["X-Forwarded-For"] == "10.0.0.1"
    assert headers["X-Forwarded-Host"] == "muxi.test"
    assert "Host" not in headers


@pytest.mark.parametrize(("sent", "passed"), [(None, "gzip"), ("br", "br")])
def test_a_body_goes_on_in_chunks_and_answers_may_be_packed(
    server: EmbeddedServer, behind: Recorder, sent: str | None, passed: str
) -> None:
    for request, coding in ((chat("/api/my-assistant/v1/chat", {}), "chunked"), (get("/api/my-assistant/v1"), None)):
        request.headers["Content-Length"] = "2"
        if sent is not None:
            request.headers["Accept-Encoding"] = sent
        MemoryTransport(server).send(request)
        headers = behind.seen[-1].headers
        assert (headers.get("Transfer-Encoding"), headers["Accept-Encoding"]) == (coding, passed)
        assert "Content-Length" not in headers


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (
            "/api/none/v1/health",
            404,
            b'{"error": "Formation not found", "message": "No formation with id \'none\'", "code": 404}',
        ),
        (
            "/draft/x/v1/health",
            404,
            b'{"error": "Draft formation not found", "message": "No draft formation with id \'x\'", "code": 404}',
        ),
        (
            "/api/my-assistant/v1/health",
            503,
            b'{"error": "Formation unavailable", '
            b'"message": "Formation \'my-assistant\' is not running (status: stopped)", "code": 503}',
        ),
    ],
)
def test_the_proxys_own_errors(server: EmbeddedServer, send: Send, path: str, status: int, body: bytes) -> None:
    hosted = server.live.find("my-assistant")
    assert hosted is not None
    hosted.status = "stopped"
    response = send(server, get(path))
    assert (response.status, response.content) == (status, body)
    assert response.headers["content-type"] == "application/json"


def test_a_quote_in_an_id_breaks_the_json(server: EmbeddedServer) -> None:
    content = MemoryTransport(server).send(get("/api/a%22b/v1/health")).read()
    with pytest.raises(json.JSONDecodeError):
        json.loads(content)


def test_live_formations_and_drafts_may_share_an_id(server: EmbeddedServer, clock: ManualClock) -> None:
    draft = server.add(EmbeddedFormation("my-assistant", clock=clock, version="2.0.0"), draft=True)
    assert server.find("my-assistant", draft=True) is draft
    assert b"2.0.0" in MemoryTransport(server).send(get("/draft/my-assistant/v1/health")).read()
    assert b"1.0.0" in MemoryTransport(server).send(get("/api/my-assistant/v1/health")).read()


def test_a_preflight_never_reaches_the_formation(server: EmbeddedServer, behind: Recorder) -> None:
    request = get("/api/my-assistant/v1/chat", Origin="http://x.test", Access_Control_Request_Method="POST")
    request.method = "OPTIONS"
    response = MemoryTransport(server).send(request)
    assert (response.status, response.read(), behind.seen) == (200, b"", [])


@pytest.mark.parametrize(
    ("path", "sdk", "latest"),
    [
        ("/api/my-assistant/v1/health", "python/0.1.0", "0.1.0"),
        ("/api/none/v1/health", "python/0.1.0", "0.1.0"),
        ("/api/my-assistant/v1/health", "python", None),
        ("/ping", "python/0.1.0", None),
    ],
)
def test_the_latest_sdk_is_told(server: EmbeddedServer, send: Send, path: str, sdk: str, latest: str | None) -> None:
    assert send(server, get(path, X_Muxi_SDK=sdk)).headers.get("X-Muxi-Sdk-Latest") == latest


def test_the_latest_sdk_can_be_set(clock: ManualClock) -> None:
    server = EmbeddedServer(clock=clock, latest_sdk="9.9.9")
    response = MemoryTransport(server).send(get("/api/none/", X_Muxi_SDK="python/0.1.0"))
    assert response.headers["X-Muxi-Sdk-Latest"] == "9.9.9"


@pytest.mark.parametrize("read", [0, 3])
def test_a_client_that_leaves_the_proxy_does_not_cancel_its_turn(
    server: EmbeddedServer, behind: Recorder, clock: ManualClock, read: int
) -> None:
    behind.agent("assistant", lambda turn: ["a ", Pause(10), "b"])
    response = MemoryTransport(server).send(chat("/api/my-assistant/v1/chat", {"message": "x", "request_id": "r"}))
    chunks = response.chunks()
    for _ in range(read):
        next(chunks)
    response.close()

    def status() -> str:
        answer = MemoryTransport(server).send(get("/api/my-assistant/v1/requests/r"))
        return str(json.loads(answer.read())["data"]["status"])

    assert status() == "processing"
    clock.advance(10)
    assert status() == "completed"


def test_a_worlds_answer_is_plain_data() -> None:
    assert Answer(422).reason
    assert Answer(200, [("a", "b")], b"x") == Answer(200, [("a", "b")], b"x")
