"""What every transport to an application in the same process does: one scenario each, over WSGI and ASGI."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from muxi.errors import ConfigurationError, ConnectionError, TimeoutError, ValidationError
from muxi.testing.transport_suite.facade import Loop
from muxi.transport import BytesBody, FileBody, Headers, IterableBody, Request, Timeouts, Transport
from tests.transports.applications import FORMS, Application, reach
from tests.transports.scripts import failure, get, pieces

PATIENCE = 10.0
Reach = Callable[..., Transport]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def to(form: str) -> Iterator[Reach]:
    """Make a transport to an application."""
    made: list[Transport] = []
    loops: list[Loop] = []

    def make(app: Application, **options: Any) -> Transport:
        made.append(reach(form, app, loops, **options))
        return made[-1]

    yield make
    for transport in made:
        transport.close()
    for loop in loops:
        loop.stop()


# -- what is sent and received ---------------------------------------------------------------------------------


def test_the_application_sees_the_request_as_over_http(to: Reach) -> None:
    app = Application()
    headers = Headers([("X-Name", "Grüße"), ("X-Many", "a"), ("X-One", "1"), ("Content-Type", "text/plain")])

    to(app).send(Request("PUT", "https://me:p%40ss@h:8443/a%2Fb/%C3%BC?q=%26", headers, BytesBody(b"body"))).read()

    seen = app.seen[0]
    assert (seen.method, seen.path, seen.query, seen.body) == ("PUT", "/a/b/ü", "q=%26", b"body")
    assert (seen.raw, seen.host, seen.scheme) == ("/a%2Fb/%C3%BC?q=%26", "h:8443", "https")
    assert seen.headers["x-name"] == "Grüße"
    assert (seen.headers["content-type"], seen.headers["content-length"]) == ("text/plain", "4")
    assert seen.headers["authorization"] == "Basic bWU6cEBzcw=="
    assert "accept-encoding" not in seen.headers


def test_status_and_headers_arrive_with_their_duplicates(to: Reach) -> None:
    app = Application(status=418, headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Name", "GrÃ¼Ã\x9fe")])

    response = to(app).send(get("http://h/"))

    assert response.status == 418
    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert response.headers["X-Name"] == "Grüße"
    assert response.read() == b"ok"


@pytest.mark.parametrize(
    "url", ["/relative", "ftp://host/", "http:///path", "http://h:99999/", "http://h/a b", "http://h/ü"]
)
def test_what_is_not_a_url_is_refused(to: Reach, url: str) -> None:
    with pytest.raises(ConfigurationError):
        to(Application()).send(get(url))


def test_a_method_that_breaks_out_is_refused(to: Reach) -> None:
    with pytest.raises(ConfigurationError, match="method"):
        to(Application()).send(Request("GET /x\r\nX:", "http://h/"))


def test_an_answer_to_head_has_no_body(to: Reach) -> None:
    app = Application(lambda: iter([b"what"]), headers=[("Content-Length", "4")])

    assert to(app).send(Request("HEAD", "http://h/")).read() == b""


@pytest.mark.parametrize(
    "form", ["asgi", "asgi sync"], indirect=True
)  # the validator of WSGI lets no application do it
@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(to: Reach, status: int) -> None:
    app = Application(lambda: iter([b"what"]), status=status, headers=[("Content-Length", "4")])

    assert to(app).send(get("http://h/")).read() == b""


@pytest.mark.parametrize(
    ("body", "length", "content"),
    [
        (None, "0", b""),
        (BytesBody(b""), "0", b""),
        (BytesBody(b"x" * 1_000_000), "1000000", b"x" * 1_000_000),
        (IterableBody(pieces, length=6), "6", b"onetwo"),
        (IterableBody(pieces), None, b"onetwo"),
        (IterableBody(lambda: ()), None, b""),
    ],
    ids=["none", "empty", "large", "sized", "unsized", "unsized empty"],
)
def test_a_body_arrives_with_what_is_known_of_its_length(
    to: Reach, body: Any, length: str | None, content: bytes
) -> None:
    app = Application()

    to(app).send(Request("POST", "http://h/", body=body)).read()

    assert app.seen[0].body == content
    assert app.seen[0].headers.get("content-length") == length
    assert app.seen[0].headers.get("transfer-encoding") == ("chunked" if length is None else None)


def test_a_file_is_read_as_it_is_sent_and_closed(to: Reach, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(bytes(range(256)) * 1000)
    progress: list[tuple[int, int]] = []
    app = Application()

    to(app).send(Request("POST", "http://h/", body=FileBody(path, lambda *at: progress.append(at)))).read()

    assert app.seen[0].body == path.read_bytes()
    assert len(progress) == 4


@pytest.mark.parametrize(("length", "had"), [(5, "more"), (9, "only 6")])
def test_a_body_that_is_not_as_long_as_it_says_fails(to: Reach, length: int, had: str) -> None:
    with pytest.raises(ValidationError, match=had):
        to(Application()).send(Request("POST", "http://h/", body=IterableBody(pieces, length)))


@pytest.mark.parametrize("as_it_is", [False, True])
def test_what_a_body_raises_comes_out_as_it_is(to: Reach, as_it_is: bool) -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise KeyError("odd")

    with pytest.raises(KeyError, match="odd"):
        to(Application(), raise_app_exceptions=as_it_is).send(Request("POST", "http://h/", body=IterableBody(broken)))


@pytest.mark.parametrize(
    ("coding", "coded"),
    [
        ("gzip", gzip.compress(b"first") + gzip.compress(b"second")),
        ("deflate", zlib.compress(b"firstsecond")),
        ("deflate", zlib.compress(b"firstsecond")[2:-4]),
        ("identity", b"firstsecond"),
    ],
    ids=["gzip of two members", "zlib", "raw deflate", "identity"],
)
def test_an_answer_is_decoded(to: Reach, coding: str, coded: bytes) -> None:
    app = Application(
        lambda: (coded[at : at + 1] for at in range(len(coded))),
        headers=[("Content-Encoding", coding), ("Content-Length", str(len(coded)))],
    )

    assert to(app).send(get("http://h/")).read() == b"firstsecond"


# -- streams ---------------------------------------------------------------------------------------------------


def test_a_stream_is_handed_on_as_it_is_made(to: Reach) -> None:
    go = threading.Event()

    def made() -> Iterator[bytes]:
        yield b"first"
        assert go.wait(PATIENCE)
        yield b"second"

    chunks = to(Application(made)).send(get("http://h/", stream=True)).chunks()

    assert next(chunks) == b"first"
    go.set()
    assert list(chunks) == [b"second"]


def test_an_application_waits_for_a_slow_reader(to: Reach) -> None:
    at = 0

    def made() -> Iterator[bytes]:
        nonlocal at
        while at < 100:
            at += 1
            yield b"x" * 16384

    response = to(Application(made)).send(get("http://h/", stream=True))
    chunks = response.chunks()
    received = len(next(chunks))

    assert at < 20
    assert received + sum(map(len, chunks)) == 100 * 16384


def test_leaving_early_closes_what_the_application_makes(to: Reach) -> None:
    def made() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    app = Application(made)
    response = to(app).send(get("http://h/", stream=True))
    chunks = response.chunks()
    next(chunks)
    response.close()

    assert app.closed.wait(PATIENCE)
    assert list(chunks) == []


def test_an_answer_that_nobody_holds_lets_its_application_go(to: Reach) -> None:
    def made() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    app = Application(made)
    transport = to(app)
    transport.send(get("http://h/", stream=True))

    assert app.closed.wait(PATIENCE)


def test_closing_from_another_thread_ends_the_reading(to: Reach, form: str) -> None:
    waiting, go = threading.Event(), threading.Event()

    def made() -> Iterator[bytes]:
        yield b"first"
        waiting.set()
        go.wait(PATIENCE)
        yield b"second"

    app = Application(made)
    response = to(app).send(get("http://h/", stream=True))
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(lambda: list(response.chunks()))
        assert waiting.wait(PATIENCE)
        response.close()
        if form == "wsgi here":
            go.set()  # nothing can stop an application in the reader's own thread
        assert b"second" not in reading.result(PATIENCE)
        go.set()
    assert app.closed.wait(PATIENCE)


def test_closing_the_transport_breaks_what_is_being_read_and_it_may_be_used_again(to: Reach) -> None:
    def made() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    app = Application(made)
    transport = to(app)
    response = transport.send(get("http://h/", stream=True))
    chunks = response.chunks()
    next(chunks)
    transport.close()

    with pytest.raises(ConnectionError, match="closed"):
        list(chunks)
    assert app.closed.wait(PATIENCE)
    app.pieces = lambda: iter([b"again"])
    assert transport.send(get("http://h/")).read() == b"again"


def test_many_threads_share_a_transport(to: Reach) -> None:
    app = Application()
    transport = to(app)

    def one(number: int) -> bytes:
        return transport.send(Request("POST", f"http://h/{number}", body=BytesBody(b"x"))).read()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(64))) == [b"ok"] * 64
    assert {seen.path for seen in app.seen} == {f"/{number}" for number in range(64)}


# -- failures --------------------------------------------------------------------------------------------------


def broken_at_once() -> Iterator[bytes]:
    raise LookupError("with muxi_sk_hush in it")


def broken_later() -> Iterator[bytes]:
    yield b"first"
    raise LookupError("with muxi_sk_hush in it")


@pytest.mark.parametrize("made", [broken_at_once, broken_later])
def test_an_application_that_raises_is_a_lost_connection(to: Reach, made: Any) -> None:
    error = failure(to(Application(made)), get("http://h/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == ("CONNECTION_LOST", True)
    assert isinstance(error.__cause__, LookupError)
    assert "LookupError" in error.message
    assert "hush" not in str(error)


@pytest.mark.parametrize("made", [broken_at_once, broken_later])
def test_its_exception_comes_out_as_it_is_where_that_is_asked_for(to: Reach, made: Any) -> None:
    transport = to(Application(made), raise_app_exceptions=True)

    with pytest.raises(LookupError):
        transport.send(get("http://h/")).read()


@pytest.mark.parametrize(
    ("headers", "made", "code"),
    [
        ([("Content-Length", "9")], [b"short"], "CONNECTION_LOST"),
        ([("Content-Length", "2")], [b"longer"], "INVALID_RESPONSE"),
        ([("Content-Encoding", "gzip")], [gzip.compress(b"first" * 9)[:-5]], "CONNECTION_LOST"),
        ([("Content-Encoding", "gzip")], [b"not gzip"], "INVALID_RESPONSE"),
    ],
)
def test_an_answer_is_held_to_what_it_declares(
    to: Reach, headers: list[tuple[str, str]], made: list[bytes], code: str
) -> None:
    app = Application(lambda: iter(made), headers=headers)

    error = failure(to(app), get("http://h/"))

    assert isinstance(error, ConnectionError)
    assert (error.code, error.connected) == (code, True)


@pytest.mark.parametrize("size", [0, 2])
def test_an_empty_answer_and_an_empty_piece_are_none(to: Reach, size: int) -> None:
    assert to(Application(lambda: iter([b""] * size))).send(get("http://h/")).read() == b""


# -- time bounds -----------------------------------------------------------------------------------------------


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """Set when the test is over, for an application that hangs meanwhile."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("form", ["wsgi", "asgi", "asgi sync"], indirect=True)
@pytest.mark.parametrize(
    ("timeouts", "bound"),
    [
        (Timeouts(read=0.05), "read"),
        (Timeouts(read=9, total=0.05), "timeout"),
        (Timeouts(read=9, head=0.05), "head"),
    ],
    ids=["read", "total", "head"],
)
def test_the_wait_for_the_head_is_bounded(to: Reach, hanging: threading.Event, timeouts: Timeouts, bound: str) -> None:
    transport = to(Application(before=hanging))

    with pytest.raises(TimeoutError) as caught:
        transport.send(get("http://h/", timeouts=timeouts, stream=True))
    assert (caught.value.bound, caught.value.connected) == (bound, True)
    hanging.set()


@pytest.mark.parametrize("form", ["wsgi", "asgi", "asgi sync"], indirect=True)
@pytest.mark.parametrize(
    ("timeouts", "bound"), [(Timeouts(read=0.05), "read"), (Timeouts(total=0.05), "timeout")], ids=["read", "total"]
)
def test_the_wait_for_the_rest_is_bounded(to: Reach, hanging: threading.Event, timeouts: Timeouts, bound: str) -> None:
    def made() -> Iterator[bytes]:
        yield b"first"
        hanging.wait(PATIENCE)

    chunks = to(Application(made)).send(get("http://h/", timeouts=timeouts, stream=True)).chunks()

    assert next(chunks) == b"first"
    with pytest.raises(TimeoutError) as caught:
        next(chunks)
    assert caught.value.bound == bound


@pytest.mark.slow  # real time passes, with room for a busy machine between two pieces
def test_reading_a_slow_body_is_no_silence(to: Reach) -> None:
    """The application reads for longer than it may be silent."""

    def slow() -> Iterator[bytes]:
        for _ in range(5):
            threading.Event().wait(0.2)
            yield b"x"

    app = Application()
    request = Request("POST", "http://h/", body=IterableBody(slow), timeouts=Timeouts(read=0.8))

    assert to(app).send(request).read() == b"ok"
    assert app.seen[0].body == b"xxxxx"
