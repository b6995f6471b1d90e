"""A tool that replaces parts of the libraries is noticed, named, and costs no connection for each request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import wrapt
from urllib3.connectionpool import HTTPConnectionPool

from muxi_transports.pooled.transport import PooledTransport
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.transports.conftest import ServerFactory
from tests.transports.scripts import get, ok


@pytest.fixture(params=[RequestsTransport, Urllib3Transport])
def transport(request: pytest.FixtureRequest) -> Iterator[PooledTransport]:
    made: PooledTransport = request.param()
    yield made
    made.close()


def lane(transport: PooledTransport) -> str:
    return transport.explain("http://127.0.0.1:9").partition("lane: ")[2]


def test_a_wrapper_of_wrapt_is_named_and_connections_are_kept_beside_it(
    serve: ServerFactory, transport: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(ok)
    seen: list[str] = []

    def watching(wrapped: Callable[..., Any], _: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        seen.append("request")
        return wrapped(*args, **kwargs)

    transport.send(get(server.url)).read()
    with monkeypatch.context() as changes:
        changes.setattr(HTTPConnectionPool, "urlopen", wrapt.FunctionWrapper(HTTPConnectionPool.urlopen, watching))
        assert lane(transport) == f"full: HTTPConnectionPool.urlopen has been replaced by {__name__}"
        for _ in range(5):
            transport.send(get(server.url)).read()
    assert lane(transport) == "direct"
    transport.send(get(server.url)).read()

    assert seen == ["request"] * 5
    assert server.connections == 3, "one before, one beside the tool, one afterwards"


def test_code_that_is_exchanged_in_place_is_noticed(
    transport: PooledTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def urlopen(self: HTTPConnectionPool, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    assert lane(transport) == "direct"
    with monkeypatch.context() as changes:
        changes.setattr(HTTPConnectionPool.urlopen, "__code__", urlopen.__code__)
        assert lane(transport).startswith("full: HTTPConnectionPool.urlopen has been replaced")
    assert lane(transport) == "direct"


def test_a_session_class_of_a_tool_is_used_as_long_as_its_name_leads_to_it(
    serve: ServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Caching(requests.Session):
        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            seen.append(request.method or "")
            return super().send(request, **options)

    url = serve(ok).url
    transport = RequestsTransport()
    transport.send(get(url)).read()
    with monkeypatch.context() as changes:
        changes.setattr(requests, "Session", Caching)
        changes.setattr(requests.sessions, "Session", Caching)
        assert __name__ in lane(transport)
        transport.send(get(url)).read()
    transport.send(get(url)).read()
    transport.close()

    assert seen == ["GET"]
