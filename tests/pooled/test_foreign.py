"""Bodies and answers of any class, which a session or an adapter of the user's may hand over."""

from __future__ import annotations

import io
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import requests.adapters

from muxi.errors import ConfigurationError, ConnectionError
from muxi.transport import Request
from muxi_transports.requests import RequestsTransport
from tests.pooled.conftest import ServerFactory
from tests.pooled.test_answers import Answering, by_adapter, by_session
from tests.transports.raw_server import Peer
from tests.transports.scripts import failure, get, ok

URL = "http://formation.invalid/"
MAKERS = pytest.mark.parametrize("make", [by_adapter, by_session])


class Giving:
    """A body that gives whatever it is told to, piece by piece; an exception is raised."""

    def __init__(self, *pieces: object) -> None:
        self._pieces = iter(pieces)

    def read(self, amount: int) -> object:
        piece = next(self._pieces, b"")
        if isinstance(piece, BaseException):
            raise piece
        return piece


class Mute(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@MAKERS
@pytest.mark.parametrize(
    "given",
    [
        5,
        None,
        "text",
        ["a"],
        object(),
        Mute(),
        StopIteration(),
        RecursionError(),
        MemoryError(),
        LookupError("x" * 999),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_body_that_gives_no_bytes_is_no_answer(make: Any, given: object) -> None:
    chunks = make(Giving(b"first", given)).send(get(URL)).chunks()
    assert next(chunks) == b"first"
    with pytest.raises(ConnectionError) as caught:
        next(chunks)

    assert (caught.value.code, caught.value.connected) == ("INVALID_RESPONSE", True)


@MAKERS
def test_bytes_of_other_classes_are_bytes(make: Any) -> None:
    response = make(Giving(bytearray(b"one"), memoryview(b"two"))).send(get(URL))

    assert response.read() == b"onetwo"


@MAKERS
@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_goes_through(make: Any, raised: type[BaseException]) -> None:
    with pytest.raises(raised):
        make(Giving(raised())).send(get(URL)).read()


@MAKERS
@pytest.mark.parametrize(
    ("length", "code"), [("3", "INVALID_RESPONSE"), ("9", "CONNECTION_LOST"), ("4", None), ("4, 4", None)]
)
def test_a_body_is_held_to_its_length(make: Any, length: str, code: str | None) -> None:
    transport = make(Giving(b"ok", b"ok"), Content_Length=length)
    if code is None:
        assert transport.send(get(URL)).read() == b"okok"
    else:
        assert failure(transport, get(URL)).code == code


@MAKERS
@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_an_answer_without_a_body_is_empty(make: Any, method: str, status: int) -> None:
    response = make(io.BytesIO(b"surplus"), status, Content_Length="99").send(Request(method, URL))

    assert (response.status, response.read()) == (status, b"")


class _Strange:
    """Headers that are none."""

    def items(self) -> Iterator[object]:
        yield "no pair"


class _Untidy:
    """A raw answer of which every attribute fails that the transport asks for."""

    def __getattr__(self, name: str) -> Any:
        if name == "_original_response":  # requests asks for it
            raise AttributeError(name)
        raise ZeroDivisionError(name)


@pytest.mark.parametrize(
    "raw",
    [None, object(), _Untidy(), type("Raw", (), {"headers": _Strange(), "read": lambda self, _: b""})()],
    ids=["none", "an object", "untidy", "headers"],
)
@MAKERS
def test_a_raw_answer_that_is_none_is_refused(make: Any, raw: Any) -> None:
    error = failure(make(raw), get(URL))

    assert (error.code, getattr(error, "connected", None)) == ("INVALID_RESPONSE", True)


@pytest.mark.parametrize("answer", [None, "text", 5, object()], ids=lambda given: type(given).__name__)
def test_a_session_that_answers_with_no_response_is_refused(answer: Any) -> None:
    class Odd(requests.Session):
        def request(self, *args: Any, **options: Any) -> Any:
            return answer

    assert failure(RequestsTransport(session=Odd()), get(URL)).code == "INVALID_RESPONSE"


@pytest.mark.parametrize(
    "session", ["text", 5, object(), requests.Session, requests], ids=lambda given: type(given).__name__
)
def test_what_is_no_session_is_refused_when_the_transport_is_made(session: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"session= takes a session such as requests\.Session\(\) makes"):
        RequestsTransport(session=session)


@pytest.mark.parametrize("reason", [b"Fine", None, 5], ids=lambda given: type(given).__name__)
def test_a_reason_is_text(reason: Any) -> None:
    adapter = Answering(io.BytesIO(b"ok"))
    send = adapter.send

    def with_reason(*args: Any, **options: Any) -> requests.Response:
        response = send(*args, **options)
        response.reason = reason
        return response

    adapter.send = with_reason  # type: ignore[method-assign]
    response = RequestsTransport(adapters={"http://": adapter}).send(get(URL))

    assert response.reason == ("Fine" if reason == b"Fine" else "")


# -- the user's own requests over the same session ------------------------------------------------------------------


def test_a_session_serves_its_user_beside_the_transport(serve: ServerFactory) -> None:
    """Over the same connection, with the classes that it had."""
    server = serve(ok)
    with requests.Session() as session:
        transport = RequestsTransport(session=session)
        for _ in range(2):
            assert session.get(server.url + "/%2f").text == "ok"
            assert transport.send(get(server.url + "/%2f")).read() == b"ok"
        adapter = session.get_adapter(server.url)
        assert isinstance(adapter, requests.adapters.HTTPAdapter)
        pool: Any = adapter.get_connection_with_tls_context(requests.Request("GET", server.url).prepare(), True)
        assert type(pool).__module__ == "urllib3.connectionpool"
        connection = pool.pool.get(block=False)
        assert connection.sock is not None
        assert {"lease", "response_class", "_new_conn"}.isdisjoint(vars(connection))
        pool.pool.put(connection)

    assert server.connections == 1
    assert [request.target for request in server.requests] == ["/%2F", "/%2f"] * 2


def test_what_a_session_changes_in_a_url_goes_out(serve: ServerFactory) -> None:
    server = serve(ok)
    with requests.Session() as session:
        session.params = {"tenant": "a"}
        RequestsTransport(session=session).send(get(server.url + "/%2f")).read()

    assert server.requests[0].target == "/%2F?tenant=a"


@pytest.mark.parametrize("make", [lambda: requests.Session(), lambda: _odd_session()], ids=["session", "own lookup"])
def test_a_session_without_a_transport_is_freed_at_once(
    serve: ServerFactory, make: Callable[[], requests.Session]
) -> None:
    """No cycle goes through what the transport put into its adapters."""
    server = serve(ok)
    session = make()
    transport = RequestsTransport(session=session)
    transport.send(get(server.url)).read()
    adapter = weakref.ref(session.get_adapter("http://"))
    session.close()
    del session, transport

    assert adapter() is None


def _odd_session() -> requests.Session:
    class Counting(requests.adapters.HTTPAdapter):
        looked_up = 0

        def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
            self.looked_up += 1
            return super().get_connection_with_tls_context(*args, **options)

    session = requests.Session()
    session.mount("http://", Counting())
    return session


def test_the_retries_of_a_session_stay_its_own(serve: ServerFactory) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        if len(server.requests) > 1:
            peer.answer()

    server = serve(script)
    with requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=1))
        assert RequestsTransport(session=session).send(get(server.url)).read() == b"ok"

    assert len(server.requests) == 2
