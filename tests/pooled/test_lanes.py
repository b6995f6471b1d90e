"""A request takes the direct lane unless a part of the libraries below has been replaced: then the full one."""

from __future__ import annotations

import functools
import http.client
import logging
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import requests.adapters
import urllib3.connection
import urllib3.connectionpool
import wrapt

from muxi.transport import Request
from muxi_transports.pooled.tools import is_genuine, tool_behind
from muxi_transports.pooled.watch import Watch
from muxi_transports.requests import RequestsTransport
from muxi_transports.urllib3 import Urllib3Transport
from tests.pooled.conftest import ServerFactory
from tests.transports.scripts import get, ok

URL = "http://127.0.0.1:1"
_POOLS = (urllib3.connectionpool.HTTPConnectionPool, urllib3.connectionpool.HTTPSConnectionPool)

#: Everything that the direct lane leaves out: whose it is, and its name.
LEFT_OUT: list[tuple[Any, str]] = [
    *((pool, name) for pool in _POOLS for name in ("urlopen", "_make_request", "_get_conn", "_put_conn", "_new_conn")),
    *(
        (connection, name)
        for connection in (http.client.HTTPConnection, urllib3.connection.HTTPConnection)
        for name in ("request", "putrequest", "putheader", "endheaders", "send", "connect", "getresponse")
    ),
    (urllib3.connection.HTTPSConnection, "connect"),
    (urllib3.connection.HTTPSConnection, "endheaders"),
    (http.client.HTTPConnection, "_send_request"),
    (http.client.HTTPResponse, "read"),
    (http.client.HTTPResponse, "close"),
    (socket, "create_connection"),
]
OF_REQUESTS: list[tuple[Any, str]] = [
    *((requests.Session, name) for name in ("request", "prepare_request", "send", "get_adapter")),
    (requests.adapters.HTTPAdapter, "send"),
]


@pytest.fixture
def transport() -> Iterator[RequestsTransport]:
    made = RequestsTransport()
    yield made
    made.close()


def lane(transport: Urllib3Transport | RequestsTransport) -> str:
    return transport.explain(URL).rpartition("; lane: ")[2]


def _plain(value: Any) -> Any:
    def replacement(*args: Any, **options: Any) -> Any:
        return value(*args, **options)

    return replacement


def _wrapped(value: Any) -> Any:
    return functools.wraps(value)(_plain(value))


def _proxy(value: Any) -> Any:
    def call(wrapped: Any, instance: Any, args: Any, options: Any) -> Any:
        return wrapped(*args, **options)

    return wrapt.FunctionWrapper(value, call)


@pytest.mark.parametrize("replace", [_plain, _wrapped, _proxy], ids=["function", "functools.wraps", "wrapt"])
@pytest.mark.parametrize(
    ("owner", "name"), [*LEFT_OUT, *OF_REQUESTS], ids=lambda value: getattr(value, "__qualname__", value)
)
def test_a_part_that_is_replaced_leads_to_the_full_lane_until_it_is_restored(
    transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, replace: Callable[[Any], Any]
) -> None:
    assert lane(transport) == "direct"
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, replace(getattr(owner, name)))
        said = lane(transport)
        assert said.startswith("full: ")
        assert said.endswith(f".{name} has been replaced by {__name__}")
    assert lane(transport) == "direct"


def test_code_that_is_exchanged_in_place_is_noticed_and_named(transport: RequestsTransport) -> None:
    urlopen = _POOLS[0].urlopen
    known = urlopen.__code__
    try:
        urlopen.__code__ = known.replace(co_consts=(*known.co_consts, _Agent().enter))
        assert lane(transport) == f"full: HTTPConnectionPool.urlopen has been replaced by {__name__}"
    finally:
        urlopen.__code__ = known
    assert lane(transport) == "direct"


class _Agent:
    def enter(self) -> None: ...


@pytest.mark.parametrize("pool", _POOLS, ids=["http", "https"])
def test_another_class_of_connections_leads_to_the_full_lane(
    transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch, pool: Any
) -> None:
    monkeypatch.setattr(pool, "ConnectionCls", type("Recording", (pool.ConnectionCls,), {}))

    assert lane(transport) == f"full: {pool.__name__}.ConnectionCls has been replaced by {__name__}"


@pytest.mark.parametrize("name", ["HTTPConnectionPool", "HTTPSConnectionPool"])
def test_pools_of_another_class_lead_to_the_full_lane(
    transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(urllib3.connectionpool, name, type(name, (getattr(urllib3.connectionpool, name),), {}))

    assert lane(transport).startswith("full: urllib3.connectionpool.")


@pytest.mark.parametrize("module", [requests, requests.sessions])
def test_another_class_of_sessions_leads_to_the_full_lane(
    transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    monkeypatch.setattr(module, "Session", type("CachedSession", (requests.Session,), {}))

    assert lane(transport) == f"full: {module.__name__}.Session has been replaced by {__name__}"


def test_another_class_of_sockets_leads_to_the_full_lane(
    transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", type("FakeSocket", (socket.socket,), {}))

    assert lane(transport) == f"full: socket.socket has been replaced by {__name__}"


def test_what_is_replaced_in_requests_does_not_concern_urllib3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests.Session, "send", lambda *args: None)

    assert lane(Urllib3Transport()) == "direct"


def test_debug_output_of_http_client_leads_to_the_full_lane(
    transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    assert lane(transport) == "full: http.client prints its debug output (debuglevel)"
    monkeypatch.undo()
    assert lane(transport) == "direct"


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "urllib3", ""])
def test_a_debug_log_that_is_written_leads_to_the_full_lane(transport: RequestsTransport, name: str) -> None:
    logger, handler = logging.getLogger(name), logging.NullHandler()
    written = logging.StreamHandler()
    level = logger.level
    try:
        logger.setLevel(logging.DEBUG)
        logging.getLogger().handlers, kept = [], logging.getLogger().handlers
        logger.addHandler(handler)
        assert lane(transport) == "direct", "nothing writes it"
        logger.addHandler(written)
        assert lane(transport) == "full: the debug log of urllib3 has a handler"
        written.setLevel(logging.INFO)
        assert lane(transport) == "direct", "it does not want debug messages"
    finally:
        logging.getLogger().handlers = kept
        logger.setLevel(level)
        logger.removeHandler(handler)
        logger.removeHandler(written)


@pytest.mark.parametrize("kind", [RequestsTransport, Urllib3Transport])
def test_the_full_lane_can_be_asked_for(kind: type[Urllib3Transport]) -> None:
    assert lane(kind(direct=False)) == "full: direct=False"


def test_a_session_and_a_mounted_adapter_take_the_full_lane() -> None:
    adapters = {"http://127.0.0.1:1": requests.adapters.HTTPAdapter()}

    assert lane(RequestsTransport(session=requests.Session())) == "full: a session was given"
    assert lane(RequestsTransport(adapters=adapters)) == "full: an adapter is mounted for this URL"
    assert RequestsTransport(adapters=adapters).explain("http://127.0.0.1:2").endswith("lane: direct")


def test_a_tool_sees_requests_from_its_start_to_its_end_on_one_transport(
    serve: ServerFactory, transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str | None, str | None, Any]] = []
    send = requests.adapters.HTTPAdapter.send

    def recording(adapter: Any, request: requests.PreparedRequest, **options: Any) -> Any:
        seen.append((request.method, request.url, request.body))
        return send(adapter, request, **options)

    server = serve(ok)
    transport.send(get(server.url + "/before")).read()
    with monkeypatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", recording)
        transport.send(get(server.url + "/a%2fb/../100%?q=1")).read()
    transport.send(get(server.url + "/after")).read()

    assert seen == [("GET", server.url + "/a%2fb/../100%?q=1", None)]
    assert [request.target for request in server.requests] == ["/before", "/a%2fb/../100%?q=1", "/after"]


def test_what_a_tool_adds_before_send_goes_out(
    serve: ServerFactory, transport: RequestsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = requests.Session.prepare_request

    def tracing(session: requests.Session, request: requests.Request) -> requests.PreparedRequest:
        prepared = prepare(session, request)
        prepared.headers["X-Trace"] = "1"
        return prepared

    monkeypatch.setattr(requests.Session, "prepare_request", tracing)
    server = serve(ok)
    transport.send(Request("POST", server.url + "/%2f")).read()

    assert server.requests[0].values("x-trace") == [b"1"]
    assert server.requests[0].target == "/%2f"
    assert server.requests[0].values("user-agent") == []


# -- requests is not imported where nobody waits for it --------------------------------------------------------

_CALL = """
import sys, threading, http.server
from muxi.transport import Request
from muxi_transports.requests import RequestsTransport
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
{before}
transport = RequestsTransport()
transport.send(Request("GET", url)).read()
print("requests" in sys.modules, transport.explain(url).rpartition("lane: ")[2])
"""

_WAITING = """
import wrapt
def patch(module):
    module.Session.send = patched
def patched(session, request, **options):
    response = __import__("requests").Response()
    response.status_code, response.raw = 204, __import__("io").BytesIO()
    return response
wrapt.register_post_import_hook(patch, "requests.sessions")
"""


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", "False direct"),
        (_WAITING, "True full: Session.send has been replaced by __main__"),
        ("sys.modules['requests'] = type(sys)('requests')", "True full: requests is being imported by another thread"),
    ],
    ids=["nobody", "an import hook", "half imported"],
)
def test_requests_is_imported_only_where_an_import_hook_may_wait_for_it(before: str, expected: str) -> None:
    if "half" in expected or "another thread" in expected:
        program = _CALL.replace("transport.send(Request", "0 and transport.send(Request").replace(".read()", ".read")
    else:
        program = _CALL
    done = subprocess.run(
        [sys.executable, "-c", program.replace("{before}", before)], capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == expected, done.stderr


# -- urllib3 is not imported for plain http --------------------------------------------------------------------

_LAZY = """
import logging, sys, threading, http.client, http.server
from muxi.transport import Request
from muxi_transports.{module} import {kind}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        peers.add(self.client_address)
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
peers = set()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{{server.server_port}}/"
transport = {kind}()
def call(): transport.send(Request("GET", url)).read()
def lane(): return transport.explain(url).rpartition("lane: ")[2]
{program}
"""


def _said_of_lazy_call(transport: str, program: str) -> str:
    module, kind = {"urllib3": ("urllib3", "Urllib3Transport"), "requests": ("requests", "RequestsTransport")}[
        transport
    ]
    done = subprocess.run(
        [sys.executable, "-c", _LAZY.format(module=module, kind=kind, program=program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("transport", ["requests", "urllib3"])
@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("call(); print('urllib3' in sys.modules, lane())", "False direct"),
        ("call(); import urllib3; call(); call(); print(lane(), len(peers))", "direct 1"),
        (
            "import urllib3; urllib3.HTTPConnectionPool.urlopen = lambda *a, **k: None; print(lane())",
            "full: HTTPConnectionPool.urlopen has been replaced by __main__",
        ),
        (
            "call(); import urllib3; urllib3.HTTPConnectionPool.urlopen = lambda *a, **k: None; print(lane())",
            "full: HTTPConnectionPool.urlopen has been replaced by __main__",
        ),
        (
            "http.client.HTTPConnection.putrequest = lambda *a, **k: None\nprint('urllib3' in sys.modules, lane())",
            "False full: http.client's HTTPConnection.putrequest has been replaced by __main__",
        ),
        (
            "http.client.HTTPConnection = type('Recording', (http.client.HTTPConnection,), {})\nprint(lane())",
            "full: http.client.HTTPConnection has been replaced by __main__",
        ),
        (
            "http.client.HTTPConnection.debuglevel = 1; print(lane())",
            "full: http.client prints its debug output (debuglevel)",
        ),
        (
            "logging.basicConfig(level=logging.DEBUG, stream=sys.stdout); print(lane())",
            "full: the debug log of urllib3 has a handler",
        ),
        (
            "sys.modules['urllib3'] = type(sys)('urllib3'); print(lane())",
            "full: urllib3 is being imported by another thread",
        ),
    ],
    ids=[
        "nobody",
        "imported later",
        "replaced before the first call",
        "replaced later",
        "a part of http.client replaced",
        "a class of http.client replaced",
        "debug output",
        "debug log",
        "half imported",
    ],
)
def test_a_tool_is_noticed_whether_or_not_urllib3_has_been_imported(
    transport: str, program: str, expected: str
) -> None:
    assert _said_of_lazy_call(transport, program) == expected


@pytest.mark.parametrize("transport", ["requests", "urllib3"])
def test_an_import_hook_on_urllib3_gets_at_it_before_the_first_request(transport: str) -> None:
    program = """
import wrapt
def patch(module): module.HTTPConnectionPool.urlopen = lambda *a, **k: None
wrapt.register_post_import_hook(patch, "urllib3.connectionpool")
print(lane())
"""
    assert _said_of_lazy_call(transport, program) == "full: HTTPConnectionPool.urlopen has been replaced by __main__"


@pytest.mark.parametrize("transport", ["requests", "urllib3"])
def test_threads_that_import_the_libraries_at_once_do_not_see_half_of_them(transport: str) -> None:
    program = """
import importlib.machinery, time
class Slow:  # a tool's finder, so that the libraries are imported for the look; it widens the race
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("urllib3", "requests"): time.sleep(0.002)
        return importlib.machinery.PathFinder.find_spec(name, path, target)
sys.meta_path.insert(0, Slow())
failures = []
def work(number):
    time.sleep(number / 200)  # into the middle of the first thread's import
    try: call()
    except BaseException as error: failures.append(repr(error))
threads = [threading.Thread(target=work, args=[number]) for number in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(failures)
"""
    assert _said_of_lazy_call(transport, program) == "[]"


# -- what is genuine -------------------------------------------------------------------------------------------


def test_a_genuine_part_is_a_plain_function_of_its_module() -> None:
    send = requests.Session.send

    assert is_genuine(send, "requests.sessions")
    assert not is_genuine(send, "requests.adapters")
    assert not is_genuine(functools.partial(send), "requests.sessions")
    copied = types.FunctionType(send.__code__, {"__name__": "tool"})
    assert not is_genuine(copied, "requests.sessions")
    assert tool_behind(copied) == "tool"


def test_a_look_finds_nothing_in_this_process() -> None:
    verdict = Watch("requests").look()

    assert verdict.reason is None
    assert Watch("urllib3").look().reason is None
