"""Answers are held to the same rules on every lane, and nothing but our errors comes out, without a secret in them."""

from __future__ import annotations

import gzip
import io
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import requests.adapters
import urllib3

from muxi.errors import ConfigurationError, ConnectionError, MuxiError
from muxi.transport import Headers, Request, Timeouts, Transport
from muxi_transports.requests import RequestsTransport
from tests.pooled.conftest import LaneFactory, ServerFactory
from tests.transports.raw_server import Peer
from tests.transports.scripts import CHUNKED, chunk, failure, get

OK = b"HTTP/1.1 200 OK\r\n"


def saying(answer: bytes) -> Any:
    """A server that answers every request with these bytes, and leaves the connection open."""

    def script(peer: Peer) -> None:
        while True:
            peer.request()
            peer.send(answer)

    return script


@pytest.mark.parametrize("cut", [1, 8, 30], ids=["length", "trailer", "content"])
def test_a_packed_body_that_breaks_off_is_no_whole_one(lane: Transport, serve: ServerFactory, cut: int) -> None:
    """On a session and an adapter of the user's too, whose library does not notice it."""
    whole = gzip.compress(b"".join(b"%d," % number for number in range(200)))
    packed = whole[:-cut]
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    assert isinstance(failure(lane, get(serve(saying(head + packed)).url)), ConnectionError)


# -- the rules of HTTP/1.1, on every lane ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 099 None\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        OK + b"no colon\r\nContent-Length: 0\r\n\r\n",
        OK + b"Content-Length : 2\r\n\r\nok",
        OK + b"Content-Length: +2\r\n\r\nok",
        OK + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"+2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"0_2\r\nok\r\n0\r\n\r\n",
        CHUNKED + b"2\r\nokXX0\r\n\r\n",
        CHUNKED + b"2\r\nok\r\n0\r\nno colon\r\n\r\n",
    ],
    ids=lambda answer: repr(answer[:60]),
)
def test_what_is_no_answer_is_refused(serve: ServerFactory, lane: Transport, answer: bytes) -> None:
    error = failure(lane, get(serve(saying(answer)).url, timeouts=Timeouts(5, 5, 5)))

    assert isinstance(error, ConnectionError), error
    assert (error.code, error.connected) == ("INVALID_RESPONSE", True)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        OK + b"Content-Length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        + OK
        + b"Content-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        CHUNKED + b"2 ;x=y\r\nok\r\n0\r\nTrailer: x\r\n\r\n",
        OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=lambda answer: repr(answer[-70:]),
)
def test_what_is_an_answer_is_accepted(serve: ServerFactory, lane: Transport, answer: bytes) -> None:
    server = serve(saying(answer))
    for _ in range(2):
        assert lane.send(get(server.url)).read() == b"ok"
    assert server.connections == 1


# -- sessions and adapters of the user's -----------------------------------------------------------------------


class Answering(requests.adapters.BaseAdapter):
    """An adapter that answers by itself."""

    def __init__(self, raw: Any, status: int = 200, **headers: str) -> None:
        super().__init__()
        self.raw, self.status, self.headers = raw, status, headers

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.raw, response.url = self.status, self.raw, request.url or ""
        response.reason = "OK"
        response.headers.update({name.replace("_", "-"): value for name, value in self.headers.items()})
        response.request = request
        return response

    def close(self) -> None:
        """Nothing to close."""


def by_adapter(raw: Any, status: int = 200, **headers: str) -> RequestsTransport:
    return RequestsTransport(adapters={"http://": Answering(raw, status, **headers)})


def by_session(raw: Any, status: int = 200, **headers: str) -> RequestsTransport:
    session = requests.Session()
    session.mount("http://", Answering(raw, status, **headers))
    return RequestsTransport(session=session)


class OneArgument:
    """A body whose read1() takes one argument."""

    def __init__(self, content: bytes) -> None:
        self.file = io.BytesIO(content)
        self.decode_content = False

    def read1(self, amount: int) -> bytes:
        data = self.file.read1(amount)
        return gzip.decompress(data) if data and self.decode_content else data


class OnlyRead:
    def __init__(self, content: bytes) -> None:
        self.read = io.BytesIO(content).read


@pytest.mark.parametrize("make", [by_adapter, by_session])
@pytest.mark.parametrize(
    "raw",
    [
        lambda: io.BytesIO(b"content"),
        lambda: OneArgument(gzip.compress(b"content")),
        lambda: OnlyRead(b"content"),
        lambda: urllib3.HTTPResponse(io.BytesIO(b"content"), preload_content=False),
        lambda: urllib3.HTTPResponse(
            io.BytesIO(gzip.compress(b"content")), {"Content-Encoding": "gzip"}, preload_content=False
        ),
    ],
    ids=["a file", "one argument", "only read", "urllib3's", "packed"],
)
def test_a_body_of_any_class_is_read(make: Any, raw: Any) -> None:
    response = make(raw(), X_Known="1").send(get("http://formation.invalid/"))

    assert (response.status, response.read()) == (200, b"content")


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def read1(self, amount: int, decode_content: bool | None = None) -> bytes:
        raise self.error


@pytest.mark.parametrize("make", [by_adapter, by_session])
@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("odd"), KeyError("k"), ValueError("closed"), RuntimeError("x"), OSError("gone")],
    ids=repr,
)
def test_whatever_a_body_raises_becomes_one_of_our_errors(make: Any, error: Exception) -> None:
    response = make(Broken(error)).send(get("http://formation.invalid/"))
    with pytest.raises(ConnectionError) as caught:
        response.read()

    assert caught.value.code in ("INVALID_RESPONSE", "CONNECTION_LOST")
    assert caught.value.connected is True


@pytest.mark.parametrize("make", [by_adapter, by_session])
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (0, {}),
        (99, {}),
        (101, {}),
        (1000, {}),
        (200, {"Content_Length": "1" * 5000}),
        (200, {"Content_Length": "2, 3"}),
        (200, {"Content_Length": "+2"}),
    ],
    ids=repr,
)
def test_a_head_that_no_answer_has_is_refused(make: Any, status: int, headers: dict[str, str]) -> None:
    error = failure(make(io.BytesIO(b"ok"), status, **headers), get("http://formation.invalid/"))

    assert error.code == "INVALID_RESPONSE"


def test_a_redirect_without_a_target_that_can_be_read_is_an_answer(serve: ServerFactory, own: Transport) -> None:
    answer = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://[\r\nContent-Length: 2\r\n\r\nno"
    response = own.send(get(serve(saying(answer)).url))

    assert (response.status, response.headers["location"], response.read()) == (307, "http://[", b"no")


# -- secrets ---------------------------------------------------------------------------------------------------

SECRET = "fmc_hunter2"


def _shown(error: BaseException) -> Iterator[str]:
    """Everything that a report of an error shows: texts, arguments and attributes, along the whole chain."""
    seen: list[BaseException] = []
    behind: BaseException | None = error
    while behind is not None and behind not in seen:
        seen.append(behind)
        yield "".join(traceback.format_exception(type(behind), behind, None, chain=False))
        yield repr(behind.args)
        yield from (repr(vars(value)) if hasattr(value, "__dict__") else repr(value) for value in vars(behind).values())
        yield from (repr(value) for value in vars(behind).values())
        behind = behind.__cause__ or behind.__context__


def _no_answer(peer: Peer) -> None:
    peer.request()


@pytest.mark.parametrize(
    "script",
    [
        saying(b"hello\r\n\r\n"),
        saying(OK + b"Content-Length: x\r\n\r\n"),
        saying(CHUNKED + b"zz\r\n"),
        saying(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(b"no gzip") + b"0\r\n\r\n"),
        saying(CHUNKED + chunk(b"first")),
        saying(b""),
        _no_answer,
    ],
    ids=["no http", "length", "chunk size", "coding", "silence", "no head", "closed"],
)
def test_no_error_shows_a_key(serve: ServerFactory, make_lane: LaneFactory, script: Any) -> None:
    request = Request(
        "POST",
        serve(script).url,
        Headers({"X-Muxi-Client-Key": SECRET, "Authorization": f"Bearer {SECRET}"}),
        timeouts=Timeouts(5, 0.2, 5),
    )
    error = failure(make_lane(), request)

    assert not [text for text in _shown(error) if SECRET in text]
    assert error.__cause__ is None or error.__cause__.__traceback__ is None


def test_a_header_that_cannot_be_sent_is_refused_and_not_shown(serve: ServerFactory, own: Transport) -> None:
    request = Request(
        "GET", serve(saying(b"")).url, Headers({"X-Key": "line\x7f" + SECRET}), timeouts=Timeouts(5, 1, 5)
    )
    error = failure(own, request)

    assert isinstance(error, ConfigurationError)
    assert not [text for text in _shown(error) if SECRET in text]


@pytest.mark.parametrize("target", ["http://formation.invalid/", "https://formation.invalid/"])
def test_no_error_shows_the_credentials_of_a_proxy(serve: ServerFactory, make_own: LaneFactory, target: str) -> None:
    proxy = serve(saying(b"nonsense\r\n\r\n")).url.replace("://", f"://ada:{SECRET}@")
    transport = make_own(proxies={"all": proxy})
    error = failure(transport, get(target, timeouts=Timeouts(5, 5, 5)))

    assert isinstance(error, MuxiError)
    assert not [text for text in _shown(error) if SECRET in text or "YWRhOm" in text]
    assert SECRET not in repr(vars(transport))
