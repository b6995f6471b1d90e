"""Lookups of names are bounded by the attempt on every lane, and leave at most one thread for a name."""

from __future__ import annotations

import builtins
import contextlib
import contextvars
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3.util.connection

from muxi.errors import ConnectionError, TimeoutError
from muxi.transport import Request, Timeouts, Transport
from muxi_transports.http.lookup import look_up
from muxi_transports.requests import RequestsTransport
from tests.pooled.conftest import LaneFactory, ServerFactory
from tests.transports.raw_server import PATIENCE
from tests.transports.scripts import failure, get, ok

SHORT = 0.15
URL = "http://slow.invalid/"


class Resolver:
    """A resolver that does not answer for one name until it is released, and then with loopback."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked = threading.Event()
        self.count = 0
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host != "slow.invalid":
            return self._real(host, port, *rest, **options)
        self.count += 1
        self.asked.set()
        assert self.released.wait(PATIENCE)
        return self._real("127.0.0.1", port, *rest, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.released.set()
    for thread in lookups():
        thread.join(PATIENCE)


def lookups() -> list[threading.Thread]:
    """The threads that look names up."""
    return [thread for thread in threading.enumerate() if thread.name == "muxi-lookup"]


def timed_out(transport: Transport, request: Request) -> TimeoutError:
    error = failure(transport, request)
    assert isinstance(error, TimeoutError), error
    return error


@pytest.mark.parametrize(
    ("timeouts", "code", "bound", "setting"),
    [
        (Timeouts(SHORT, 5, 9), "CONNECT_TIMEOUT", "connect", "connect_timeout"),
        (Timeouts(5, 5, SHORT), "TIMEOUT", "timeout", "timeout"),
    ],
    ids=["connect", "total"],
)
def test_a_lookup_is_bounded_as_connecting_is(
    lane: Transport, resolver: Resolver, timeouts: Timeouts, code: str, bound: str, setting: str
) -> None:
    error = timed_out(lane, get(URL, timeouts=timeouts))

    assert (error.code, error.bound, error.connected) == (code, bound, False)
    assert f"the name slow.invalid was not looked up within {SHORT:g} s ({setting})" in error.message


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h", "socks4"])
@pytest.mark.parametrize("of_proxy", [True, False], ids=["proxy", "server"])
def test_the_lookups_of_proxies_are_bounded_too(
    make_own: LaneFactory, serve: ServerFactory, resolver: Resolver, scheme: str, of_proxy: bool
) -> None:
    here = f"127.0.0.1:{serve(lambda peer: peer.wait_for_end()).port}"
    transport = make_own(proxies={"all": f"{scheme}://{'slow.invalid:3128' if of_proxy else here}"})
    error = timed_out(transport, get("http://127.0.0.1:9/" if of_proxy else URL, timeouts=Timeouts(SHORT, SHORT, 9)))

    looked_up_here = of_proxy or scheme in ("socks5", "socks4")
    assert ("the name slow.invalid was not looked up" in error.message) is looked_up_here
    assert bool(resolver.count) is looked_up_here


def test_calls_that_want_one_name_share_one_lookup(resolver: Resolver) -> None:
    with contextlib.closing(RequestsTransport()) as transport:
        for _ in range(20):
            timed_out(transport, get(URL, timeouts=Timeouts(0.01, 5)))
        assert (len(lookups()), resolver.count) == (1, 1)
    resolver.released.set()
    for thread in lookups():
        thread.join(PATIENCE)
    assert lookups() == []


def test_a_lookup_that_ends_in_time_serves_all_that_wait(serve: ServerFactory, resolver: Resolver) -> None:
    server = serve(ok)
    answers: list[bytes] = []
    with contextlib.closing(RequestsTransport()) as transport:
        request = get(f"http://slow.invalid:{server.port}/", timeouts=Timeouts(5, 5))
        threads = [threading.Thread(target=lambda: answers.append(transport.send(request).read())) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert resolver.asked.wait(PATIENCE)
        resolver.released.set()
        for thread in threads:
            thread.join(PATIENCE)

    assert answers == [b"ok"] * 4


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_looked_up_by_the_thread_that_connects(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asking: list[threading.Thread] = []
    real = socket.getaddrinfo

    def recorded(*args: Any, **options: Any) -> Any:
        asking.append(threading.current_thread())
        return real(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", recorded)
    assert look_up(host, 80, time.monotonic() + 5)[0][4][:2] == (host, 80)
    assert asking == [threading.current_thread()]


def test_without_a_bound_the_thread_itself_looks_up(resolver: Resolver) -> None:
    resolver.released.set()
    assert look_up("slow.invalid", 80, None)[0][4] == ("127.0.0.1", 80)
    assert lookups() == []


def test_closing_the_transport_ends_the_wait_for_a_lookup(lane: Transport, resolver: Resolver) -> None:
    failed: list[BaseException] = []

    def call() -> None:
        try:
            lane.send(get(URL, timeouts=Timeouts(60, 60)))
        except ConnectionError as error:
            failed.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    assert resolver.asked.wait(PATIENCE)
    lane.close()
    caller.join(PATIENCE)

    assert not caller.is_alive()
    assert [getattr(error, "code", None) for error in failed] == ["CONNECTION_LOST"]


def test_an_unknown_name_is_unknown_from_the_other_thread_too(lane: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(lane, get("http://unknown.invalid/", timeouts=Timeouts(5, 5)))

    assert (error.code, getattr(error, "connected", None)) == ("DNS_ERROR", False)


_state: contextvars.ContextVar[str] = contextvars.ContextVar("_state", default="none")


def test_a_resolver_of_a_tool_sees_the_context_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def recorded(host: Any, *rest: Any, **options: Any) -> Any:
        seen.append(_state.get())
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", recorded)
    token = _state.set("the caller's")
    look_up("name.invalid", 80, time.monotonic() + 5)
    _state.reset(token)

    assert seen == ["the caller's"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_looks_up_by_itself_what_its_parent_waits_for(resolver: Resolver) -> None:
    with pytest.raises(builtins.TimeoutError):
        look_up("slow.invalid", 80, time.monotonic() + 0.01)
    assert lookups()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resolver.released = threading.Event()
            resolver.released.set()
            found = look_up("slow.invalid", 80, time.monotonic() + PATIENCE)
            status = int(found[0][4] != ("127.0.0.1", 80))
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# -- what programs replace in urllib3 -------------------------------------------------------------------------------


def test_a_replaced_function_of_urllib3_connects(
    serve: ServerFactory, lane: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    create: Callable[..., socket.socket] = urllib3.util.connection.create_connection

    def elsewhere(address: tuple[str, int], *rest: Any, **options: Any) -> socket.socket:
        asked.append(address[0])
        return create(("127.0.0.1", address[1]), *rest, **options)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", elsewhere)
    assert lane.send(get(f"http://formation.invalid:{serve(ok).port}/", timeouts=Timeouts(5, 5))).read() == b"ok"
    assert asked == ["formation.invalid"]


def test_the_family_that_urllib3_is_held_to_holds(lane: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def recorded(host: Any, port: Any, family: int = 0, *rest: Any) -> Any:
        asked.append(family)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", recorded)
    monkeypatch.setattr(urllib3.util.connection, "allowed_gai_family", lambda: socket.AF_INET)
    failure(lane, get("http://formation.invalid/", timeouts=Timeouts(5, 5)))

    assert asked == [socket.AF_INET]
