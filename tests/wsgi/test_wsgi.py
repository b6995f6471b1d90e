"""What is WSGI's own (PEP 3333), and what WSGI frameworks do over it."""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest

from muxi import FormationClient
from muxi.errors import ConfigurationError, ConnectionError, TimeoutError
from muxi.transport import BytesBody, IterableBody, Request, Timeouts
from muxi_transports.wsgi import WsgiTransport
from tests.requirements import require_module
from tests.transports.scripts import failure, get, pieces

PATIENCE = 10.0
Start = Callable[..., Callable[[bytes], object]]


@pytest.fixture(params=[False, True], ids=["own thread", "same thread"])
def same_thread(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_what_write_sends_comes_before_what_is_returned(same_thread: bool) -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"one ")
        write(b"")
        write(b"two ")
        return [b"three"]

    assert WsgiTransport(app, same_thread=same_thread).send(get("http://h/")).read() == b"one two three"


def test_what_write_sends_arrives_while_the_application_works() -> None:
    go = threading.Event()

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        start_response("200 OK", [])(b"first")
        assert go.wait(PATIENCE)
        return [b"second"]

    chunks = WsgiTransport(app).send(get("http://h/")).chunks()

    assert next(chunks) == b"first"
    go.set()
    assert list(chunks) == [b"second"]


def test_start_response_may_be_called_again_with_an_error_before_the_first_piece(same_thread: bool) -> None:
    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [("X-First", "1")])
        yield b""
        try:
            raise LookupError
        except LookupError:
            start_response("500 Oh", [], sys.exc_info())
        yield b"sorry"

    response = WsgiTransport(app, same_thread=same_thread).send(get("http://h/"))

    assert (response.status, response.reason, "x-first" in response.headers) == (500, "Oh", False)
    assert response.read() == b"sorry"


def test_after_the_first_piece_the_error_is_raised_anew(same_thread: bool) -> None:
    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        try:
            raise LookupError("too late")
        except LookupError:
            start_response("500 Oh", [], sys.exc_info())

    with pytest.raises(LookupError, match="too late"):
        WsgiTransport(app, same_thread=same_thread, raise_app_exceptions=True).send(get("http://h/")).read()


def twice(environ: dict[str, Any], start_response: Start) -> list[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def never(environ: dict[str, Any], start_response: Start) -> list[bytes]:
    return [b"what"]


def text(environ: dict[str, Any], start_response: Start) -> list[Any]:
    start_response("200 OK", [])
    return ["text"]


def odd(environ: dict[str, Any], start_response: Start) -> list[bytes]:
    start_response("fine", [])
    return [b""]


@pytest.mark.parametrize(
    ("app", "match"), [(twice, "twice"), (never, "start_response"), (text, "instead of bytes"), (odd, "not a status")]
)
def test_what_breaks_the_rules_of_wsgi_is_no_answer(app: Any, match: str, same_thread: bool) -> None:
    error = failure(WsgiTransport(app, same_thread=same_thread), get("http://h/"))

    assert isinstance(error, ConnectionError)
    assert error.code == "INVALID_RESPONSE"
    assert match in error.message


class Closable:
    """An iterable that notes its closing, and may fail in it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed = threading.Event()
        self._error = error

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Closable:
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"one", b"two"])

    def close(self) -> None:
        self.closed.set()
        if self._error is not None:
            raise self._error


def test_the_iterable_is_closed_after_the_last_piece_and_after_the_first(same_thread: bool) -> None:
    for read in (True, False):
        app = Closable()
        response = WsgiTransport(app, same_thread=same_thread).send(get("http://h/"))
        if read:
            assert response.read() == b"onetwo"
        response.close()
        assert app.closed.wait(PATIENCE)


def test_what_closing_raises_is_logged_when_the_answer_is_complete(same_thread: bool) -> None:
    app = Closable(LookupError("in close"))
    logged: queue.Queue[logging.LogRecord] = queue.Queue()
    handler = logging.handlers.QueueHandler(logged)
    logging.getLogger("muxi.transports").addHandler(handler)
    try:
        assert WsgiTransport(app, same_thread=same_thread).send(get("http://h/")).read() == b"onetwo"
        assert "LookupError: in close" in logged.get(timeout=PATIENCE).getMessage()
    finally:
        logging.getLogger("muxi.transports").removeHandler(handler)


def test_what_closing_raises_comes_out_where_that_is_asked_for(same_thread: bool) -> None:
    transport = WsgiTransport(Closable(LookupError("in close")), same_thread=same_thread, raise_app_exceptions=True)

    with pytest.raises(LookupError, match="in close"):
        transport.send(get("http://h/")).read()


def test_each_request_has_a_thread_unless_the_callers_is_wanted() -> None:
    threads: list[threading.Thread] = []

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        threads.append(threading.current_thread())
        start_response("200 OK", [])
        return [str(environ["wsgi.multithread"]).encode()]

    assert WsgiTransport(app).send(get("http://h/")).read() == b"True"
    assert WsgiTransport(app, same_thread=True).send(get("http://h/")).read() == b"False"
    assert threads[0] is not threads[1]
    assert threads[1] is threading.current_thread()


def test_in_the_callers_thread_the_whole_is_bounded_piece_by_piece() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        while True:
            yield b"x"

    response = WsgiTransport(app, same_thread=True).send(get("http://h/", timeouts=Timeouts(total=0.02)))

    with pytest.raises(TimeoutError) as caught:
        response.read()
    assert caught.value.bound == "timeout"


def test_closing_the_transport_ends_the_wait_for_a_head() -> None:
    called, go = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        called.set()
        go.wait(PATIENCE)
        start_response("200 OK", [])
        return []

    transport = WsgiTransport(app)
    with ThreadPoolExecutor() as pool:
        sending = pool.submit(transport.send, get("http://h/"))
        assert called.wait(PATIENCE)
        transport.close()
        with pytest.raises(ConnectionError, match="closed"):
            sending.result(PATIENCE)
        go.set()


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="WSGI application"):
        WsgiTransport("app:app")  # type: ignore[arg-type]  # on purpose


# -- frameworks ------------------------------------------------------------------------------------------------


def test_flask_reads_bodies_and_streams(same_thread: bool) -> None:
    app = flask.Flask(__name__)

    @app.post("/echo")
    def echo() -> flask.Response:
        return flask.Response(flask.request.get_data(), headers=[("X-A", "1"), ("X-A", "2")])

    @app.get("/stream")
    def stream() -> flask.Response:
        return flask.Response((f"data: {number}\n\n" for number in range(3)), content_type="text/event-stream")

    transport = WsgiTransport(app, same_thread=same_thread)
    for body in (BytesBody(b"onetwo"), IterableBody(pieces), IterableBody(pieces, 6)):
        response = transport.send(Request("POST", "http://h/echo", body=body))
        assert (response.headers.get_all("x-a"), response.read()) == (["1", "2"], b"onetwo")
    assert transport.send(get("http://h/stream")).read() == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert transport.send(get("http://h/missing")).status == 404


def test_django_answers(same_thread: bool) -> None:
    require_module("django")
    from django.conf import UserSettingsHolder, global_settings, settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse
    from django.urls import path

    def echo(request: Any, name: str) -> Any:
        return HttpResponse(request.body, headers={"X-Path": request.get_full_path(), "X-Name": name})

    class urls:  # noqa: N801  stands for a module
        urlpatterns = [path("echo/<str:name>", echo)]  # noqa: RUF012  as in a module

    # Settings for this test alone; other tests configure Django in their own way.
    own, others = UserSettingsHolder(global_settings), settings._wrapped
    own.ROOT_URLCONF, own.ALLOWED_HOSTS = urls, ["*"]
    settings._wrapped = own
    try:
        response = WsgiTransport(WSGIHandler(), same_thread=same_thread).send(
            Request("POST", "http://h/echo/%C3%BC?q=1", body=BytesBody(b"body"))
        )
        assert (response.headers["X-Path"], response.headers["X-Name"]) == ("/echo/%C3%BC?q=1", "ü")
        assert response.read() == b"body"
    finally:
        settings._wrapped = others


def test_a_client_streams_a_chat_from_flask() -> None:
    app = flask.Flask(__name__)

    @app.post("/v1/chat")
    def chat() -> flask.Response:
        frames = [
            {"type": "text", "text": "Hello."},
            {"type": "completed", "token": {"role": "assistant", "content": "Hello."}},
        ]
        lines = [f"event: message\ndata: {flask.json.dumps(frame)}\n\n" for frame in frames]
        return flask.Response(iter([*lines, "event: done\ndata: {}\n\n"]), content_type="text/event-stream")

    with FormationClient(transport=WsgiTransport(app), url="http://localhost", client_key="any") as formation:
        types = [event["type"] for event in formation.chat_stream("Hi", user_id="ada")]
    assert types[-1] == "done"
