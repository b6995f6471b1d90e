"""Several addresses of one server: which is used, what is tried again, and what is not."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from muxi import FormationClient, ManualClock
from muxi.errors import ConfigurationError, ConnectionError, MuxiError, TimeoutError, ValidationError
from muxi.testing.transport_suite.facade import FacadeTransport, Loop
from muxi.testing.transport_suite.server import unused_port
from muxi.transport import (
    AsyncResponse,
    AsyncTransport,
    BufferedResponse,
    BytesBody,
    Headers,
    IterableBody,
    Request,
    Response,
    Timeouts,
    Transport,
    replayed,
    replayed_async,
)
from muxi_transports.failover import AddressStatus, AsyncFailoverTransport, FailoverTransport
from muxi_transports.failover.health import AddressHealth, after_failure, after_success, order_of
from muxi_transports.requests import RequestsTransport
from tests.transports.conftest import ServerFactory
from tests.transports.raw_server import Peer
from tests.transports.scripts import get, pieces

Outcome = BufferedResponse | BaseException

FINE = BufferedResponse(200, content=b"fine")
REFUSED = ConnectionError("CONNECTION_REFUSED", "it refused", connected=False)
UNTRUSTED = ConnectionError("TLS_ERROR", "not trusted", connected=False, permanent=True)
NO_CONNECTION = TimeoutError("CONNECT_TIMEOUT", "no connection in 1 s", bound="connect", connected=False)
LOST = ConnectionError("CONNECTION_LOST", "it broke", connected=True)
SLOW = TimeoutError("READ_TIMEOUT", "nothing came", bound="read", connected=True)


class Servers:
    """What is behind each host, and what it was sent."""

    def __init__(self, **outcomes: Outcome) -> None:
        self.outcomes: dict[str, Outcome] = dict(outcomes)
        self.health: dict[str, Outcome] = {}
        self.received: list[str] = []
        self.requests: list[Request] = []
        self.reads_body = True
        self.takes = 0.0
        self.clock = ManualClock()

    def answer(self, request: Request) -> BufferedResponse:
        host, _, path = request.url.partition("://")[2].partition("/")
        asked = path == "health"
        self.received.append(f"{host}?" if asked else host)
        self.requests.append(request)
        self.clock.advance(self.takes)
        outcome = self.health.get(host, FINE) if asked else self.outcomes[host]
        if isinstance(outcome, BaseException):
            if request.body is not None and self.reads_body:
                next(request.body.chunks(), None)
            raise copy.deepcopy(outcome)  # its details are its own
        return outcome

    def hosts(self) -> list[str]:
        received, self.received = self.received, []
        return received


class _Sync(Transport):
    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.clock = servers.clock
        self.closings = 0

    def send(self, request: Request) -> Response:
        return replayed(self.servers.answer(request))

    def close(self) -> None:
        self.closings += 1


class _Async(AsyncTransport):
    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.clock = servers.clock

    async def send(self, request: Request) -> AsyncResponse:
        await asyncio.sleep(0)
        return replayed_async(self.servers.answer(request))


class Over:
    """A failover transport with a sync face, and what is known of its addresses."""

    def __init__(self, transport: Transport, inner: FailoverTransport | AsyncFailoverTransport) -> None:
        self._transport = transport
        self.inner = inner

    def send(self, request: Request) -> Response:
        return self._transport.send(request)

    def get(self, **options: Any) -> int:
        return self.send(get("https://bots.example.com/v1/status", **options)).status

    def up(self) -> list[bool]:
        return [status.up for status in self.inner.status()]


@pytest.fixture(params=["sync", "async"])
def over(request: pytest.FixtureRequest) -> Iterator[Callable[..., Over]]:
    loop = Loop(20)

    def make(servers: Servers, **options: Any) -> Over:
        addresses = options.pop("addresses", [f"https://{host}" for host in servers.outcomes])
        if request.param == "sync":
            transport = FailoverTransport(addresses, transport=_Sync(servers), **options)
            return Over(transport, transport)
        inner = AsyncFailoverTransport(addresses, transport=_Async(servers), **options)
        return Over(FacadeTransport(inner, loop), inner)

    yield make
    loop.stop()


# -- where it goes ---------------------------------------------------------------------------------------------


def test_the_origin_is_replaced_and_all_else_is_kept(over: Callable[..., Over]) -> None:
    servers = Servers(a=FINE)
    original = Request(
        "POST",
        "http://bots.example.com/v1/a%2Fb?q=%26#x",
        Headers({"Host": "bots.example.com", "X-Muxi-Client-Key": "k"}),
        BytesBody(b"body"),
        stream=True,
    )

    over(servers).send(original)

    moved = servers.requests[0]
    assert (moved.method, moved.url, moved.stream) == ("POST", "https://a/v1/a%2Fb?q=%26", True)
    assert (moved.headers.get("host"), moved.headers["x-muxi-client-key"]) == (None, "k")
    assert original.url == "http://bots.example.com/v1/a%2Fb?q=%26#x"
    assert original.headers["host"] == "bots.example.com"


def test_a_host_that_was_set_on_purpose_is_kept(over: Callable[..., Over]) -> None:
    servers = Servers(a=FINE)
    over(servers).get(headers=Headers({"Host": "virtual.example.com"}))
    assert servers.requests[0].headers["host"] == "virtual.example.com"


def test_the_first_that_is_up_is_used(over: Callable[..., Over]) -> None:
    servers = Servers(a=FINE, b=FINE)
    transport = over(servers)
    assert [transport.get() for _ in range(3)] == [200] * 3
    assert servers.hosts() == ["a", "a", "a"]


def test_requests_go_round(over: Callable[..., Over]) -> None:
    servers = Servers(a=FINE, b=REFUSED, c=FINE)
    transport = over(servers, order="round-robin")
    for _ in range(6):
        transport.get()
    assert servers.hosts() == ["a", "b", "c", "c", "a", "c", "c"]


# -- never twice -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [REFUSED, NO_CONNECTION])
def test_without_a_connection_the_next_address_is_tried_at_once(over: Callable[..., Over], error: Outcome) -> None:
    servers = Servers(a=error, b=FINE)
    transport = over(servers)

    assert transport.get() == 200
    assert transport.get() == 200

    assert servers.hosts() == ["a", "b", "b"]
    assert transport.up() == [False, True]


@pytest.mark.parametrize(("error", "up"), [(LOST, False), (SLOW, True)], ids=["lost", "slow"])
def test_after_a_connection_the_error_is_handed_on(over: Callable[..., Over], error: MuxiError, up: bool) -> None:
    servers = Servers(a=error, b=FINE)
    transport = over(servers)

    with pytest.raises(type(error)) as caught:
        transport.get()

    assert servers.hosts() == ["a"]
    assert transport.up() == [up, True]
    assert caught.value.details["address"] == "https://a"


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_answer_of_a_gateway_is_handed_on_and_the_repetition_goes_elsewhere(
    over: Callable[..., Over], status: int
) -> None:
    servers = Servers(a=BufferedResponse(status), b=FINE)
    transport = over(servers)
    assert [transport.get(), transport.get()] == [status, 200]
    assert servers.hosts() == ["a", "b"]


def test_retry_after_says_how_long(over: Callable[..., Over]) -> None:
    servers = Servers(a=BufferedResponse(503, [("Retry-After", "7")]), b=FINE)
    transport = over(servers)
    transport.get()
    assert transport.inner.status()[0].retry_in == 7


@pytest.mark.parametrize("status", [200, 401, 404, 429, 500])
def test_any_other_answer_says_that_the_address_works(over: Callable[..., Over], status: int) -> None:
    transport = over(Servers(a=BufferedResponse(status), b=FINE))
    assert transport.get() == status
    assert transport.up() == [True, True]


@pytest.mark.parametrize("error", [ValidationError("BODY_LENGTH", "no"), ConfigurationError("no"), KeyError("odd")])
def test_what_is_not_the_addresses_fault_is_not_held_against_it(over: Callable[..., Over], error: Exception) -> None:
    servers = Servers(a=error, b=FINE)
    transport = over(servers)
    with pytest.raises(type(error)):
        transport.get()
    assert servers.hosts() == ["a"]
    assert transport.up() == [True, True]


@pytest.mark.parametrize(("begun", "hosts"), [(True, ["a"]), (False, ["a", "b"])])
def test_an_iterator_is_sent_again_only_if_nothing_of_it_was_read(
    over: Callable[..., Over], begun: bool, hosts: list[str]
) -> None:
    servers = Servers(a=REFUSED, b=FINE)
    servers.reads_body = begun
    transport = over(servers)
    request = Request("POST", "https://bots.example.com/x", body=IterableBody(pieces(), 6))

    if begun:
        with pytest.raises(ConnectionError, match="it refused"):
            transport.send(request)
    else:
        assert transport.send(request).status == 200
        sent = servers.requests[-1].body
        assert sent is not None
        assert (sent.length, sent.repeatable, b"".join(sent.chunks())) == (6, False, b"onetwo")
    assert servers.hosts() == hosts


def test_a_repeatable_body_is_sent_again(over: Callable[..., Over]) -> None:
    servers = Servers(a=REFUSED, b=FINE)
    body = BytesBody(b"x")
    over(servers).send(Request("POST", "https://bots.example.com/x", body=body))
    assert servers.requests[-1].body is body


# -- all of them -----------------------------------------------------------------------------------------------


def test_no_connection_to_any_lists_them_all(over: Callable[..., Over]) -> None:
    servers = Servers(a=REFUSED, b=NO_CONNECTION)
    transport = over(servers, addresses=["https://me:secret@a", "https://b"])
    servers.outcomes["me:secret@a"] = REFUSED

    with pytest.raises(ConnectionError) as caught:
        transport.get()

    error = caught.value
    assert (error.code, error.connected) == ("CONNECTION_FAILED", False)
    assert "https://a (it refused); https://b (no connection in 1 s)" in error.message
    assert [tried["code"] for tried in error.details["addresses"]] == ["CONNECTION_REFUSED", "CONNECT_TIMEOUT"]
    assert "secret" not in f"{error}{error.details}{transport.inner!r}{transport.inner.status()}"


@pytest.mark.parametrize("other", [REFUSED, UNTRUSTED])
def test_only_where_no_address_can_ever_be_connected_to_no_repetition_helps(
    over: Callable[..., Over], other: Outcome
) -> None:
    with pytest.raises(ConnectionError) as caught:
        over(Servers(a=UNTRUSTED, b=other)).get()
    assert caught.value.permanent is (other is UNTRUSTED)


def test_when_all_are_set_aside_the_one_whose_time_is_up_soonest_is_tried_first(over: Callable[..., Over]) -> None:
    servers = Servers(a=BufferedResponse(503, [("Retry-After", "20")]), b=BufferedResponse(503, [("Retry-After", "9")]))
    transport = over(servers)
    for _ in range(4):
        transport.get()
    assert servers.hosts() == ["a", "b", "b", "b"]


def test_the_bound_of_the_whole_covers_all_addresses(over: Callable[..., Over]) -> None:
    servers = Servers(a=REFUSED, b=REFUSED, c=FINE)
    servers.takes = 2.0
    transport = over(servers)

    with pytest.raises(ConnectionError):
        transport.get(timeouts=Timeouts(total=3.0, connect=3.0))

    assert servers.hosts() == ["a", "b"]
    assert [request.timeouts.total for request in servers.requests] == [3.0, 1.0]


# -- coming back -----------------------------------------------------------------------------------------------


def test_a_failed_address_is_tried_again_after_its_cooldown(over: Callable[..., Over]) -> None:
    servers = Servers(a=REFUSED, b=FINE)
    changes: list[AddressStatus] = []
    transport = over(servers, cooldown=10.0, on_change=changes.append)
    transport.get()
    servers.clock.advance(9)
    transport.get()
    assert servers.hosts() == ["a", "b", "b"]

    servers.clock.advance(1)
    transport.get()
    assert servers.hosts() == ["a", "b"]
    assert transport.inner.status()[0] == AddressStatus("https://a", False, 2, "it refused", 10.0)

    servers.clock.advance(10)
    servers.outcomes["a"] = FINE
    assert [transport.get(), transport.get()] == [200, 200]
    assert servers.hosts() == ["a", "a"]
    assert transport.inner.status()[0] == AddressStatus("https://a", True, 0, "", 0.0)
    assert [(change.url, change.up) for change in changes] == [("https://a", False), ("https://a", True)]


def test_its_health_is_asked_for_first_where_there_is_a_path(over: Callable[..., Over]) -> None:
    servers = Servers(a=REFUSED, b=FINE)
    transport = over(servers, cooldown=10.0, health_path="/health", health_timeout=1.5)
    transport.get()
    assert servers.hosts() == ["a", "b"]

    servers.clock.advance(10)
    servers.health["a"] = BufferedResponse(503)
    transport.get()
    assert servers.hosts() == ["a?", "b"]

    servers.clock.advance(10)
    servers.health["a"] = BufferedResponse(401)
    servers.outcomes["a"] = FINE
    transport.get()
    assert servers.hosts() == ["a?", "a"]
    asked = servers.requests[-2]
    assert (asked.method, asked.url, asked.timeouts.total) == ("GET", "https://a/health", 1.5)


def test_an_address_that_did_not_answer_in_time_is_asked_for_its_health(over: Callable[..., Over]) -> None:
    servers = Servers(a=SLOW, b=FINE)
    servers.health["a"] = LOST
    transport = over(servers, health_path="/health")
    with pytest.raises(TimeoutError):
        transport.get()
    assert transport.get() == 200
    assert servers.hosts() == ["a", "a?", "b"]


def test_one_request_finds_out_and_the_others_keep_away() -> None:
    servers = Servers(a=REFUSED, b=FINE)

    class Slow(_Sync):
        def send(self, request: Request) -> Response:
            if request.url.startswith("https://a") and probing:
                others.append(transport.send(get("https://x/")).status)
            return super().send(request)

    others: list[int] = []
    probing = False
    transport = FailoverTransport(["https://a", "https://b"], transport=Slow(servers), cooldown=10.0)
    transport.send(get("https://x/"))
    servers.clock.advance(10)
    servers.hosts()
    probing = True
    transport.send(get("https://x/"))

    assert servers.hosts() == ["b", "a", "b"]
    assert others == [200]


def test_an_interrupted_probe_is_given_back(over: Callable[..., Over]) -> None:
    servers = Servers(a=REFUSED, b=FINE)
    transport = over(servers, cooldown=10.0)
    transport.get()
    servers.clock.advance(10)
    servers.outcomes["a"] = KeyError("odd")
    with pytest.raises(KeyError):
        transport.get()
    servers.outcomes["a"] = FINE
    servers.hosts()
    transport.get()
    assert servers.hosts() == ["a"]


def test_a_callback_that_raises_breaks_nothing(over: Callable[..., Over], caplog: pytest.LogCaptureFixture) -> None:
    def broken(status: AddressStatus) -> None:
        raise LookupError("mine")

    caplog.set_level(logging.WARNING)
    assert over(Servers(a=REFUSED, b=FINE), on_change=broken).get() == 200
    assert "https://a is set aside for 30 s: it refused" in caplog.text
    assert "LookupError: mine" in caplog.text


# -- settings, closing, clients --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: FailoverTransport([]), "at least one"),
        (lambda: FailoverTransport("http://a"), "several origins"),
        (lambda: FailoverTransport(["http://a/v1"]), "without a path"),
        (lambda: FailoverTransport(["a:8001"]), "not an address"),
        (lambda: FailoverTransport(["http://a:99999"]), "not a URL"),
        (lambda: FailoverTransport(["http://a", "http://a/"]), "twice"),
        (lambda: FailoverTransport(["http://a"], order="random"), "round-robin"),  # type: ignore[arg-type]  # wrong
        (lambda: FailoverTransport(["http://a"], cooldown=-1), "seconds"),
        (lambda: FailoverTransport(["http://a"], health_path="health"), "takes a path"),
        (lambda: FailoverTransport(["http://a"], transport="pigeon"), "no transport named"),
        (lambda: FailoverTransport(["http://a"], transport=_Async(Servers())), "async transport"),  # type: ignore[arg-type]  # wrong
        (lambda: FailoverTransport(["http://a"]).send(get("/relative")), "not a URL"),
        (lambda: FailoverTransport(["http://a"]).send(get("ftp://h/")), "not an http"),
    ],
)
def test_what_is_of_no_use_is_refused(make: Callable[[], object], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        make()


def test_what_was_made_is_closed_and_what_was_given_is_left() -> None:
    servers = Servers(a=REFUSED, b=FINE)
    made: list[_Sync] = []

    def make() -> _Sync:
        made.append(_Sync(servers))
        return made[-1]

    given_one = _Sync(servers)
    with FailoverTransport({"https://a": make, "https://b": given_one}, clock=servers.clock) as transport:
        transport.send(get("https://x/"))
    assert (len(made), made[0].closings, given_one.closings) == (1, 1, 0)

    with FailoverTransport(["https://a", "https://b"], transport=make) as transport:
        transport.send(get("https://x/"))
    assert (len(made), made[1].closings) == (2, 1)


def test_many_threads_share_it() -> None:
    servers = Servers(a=REFUSED, b=FINE, c=FINE)
    transport = FailoverTransport([f"https://{host}" for host in "abc"], transport=_Sync(servers), order="round-robin")
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: transport.send(get("https://x/")).status, range(200)))
    assert statuses == [200] * 200
    assert [status.up for status in transport.status()] == [False, True, True]


def test_over_real_sockets_a_client_repeats_elsewhere(serve: ServerFactory) -> None:
    bad = serve(lambda peer: _always(peer, b"", "503 Service Unavailable"))
    envelope = b'{"object": "status", "success": true, "data": {"status": "running"}}'
    good = serve(lambda peer: _always(peer, envelope, "200 OK", "Content-Type: application/json"))
    addresses = [f"http://127.0.0.1:{unused_port()}", bad.url, good.url]
    settings: dict[str, Any] = {"url": "http://localhost", "admin_key": "k", "clock": ManualClock()}
    with (
        FailoverTransport(addresses, transport=RequestsTransport) as transport,
        FormationClient(transport=transport, **settings) as formation,
    ):
        assert dict(formation.get_status()) == {"status": "running"}
    assert [len(server.requests) for server in (bad, good)] == [1, 1]
    assert good.requests[0].values("host") == [good.url.partition("://")[2].encode()]
    assert [status.up for status in transport.status()] == [False, False, True]


def _always(peer: Peer, *answer: Any) -> None:
    while True:
        peer.request()
        peer.answer(*answer)


# -- decisions -------------------------------------------------------------------------------------------------

_TIMES = st.none() | st.floats(0, 100)
_HEALTHS = st.lists(
    st.builds(AddressHealth, failures=st.integers(0, 3), down_until=_TIMES, probing=st.booleans()),
    min_size=1,
    max_size=5,
)


@given(_HEALTHS, st.floats(0, 100), st.integers(0, 4))
def test_every_address_is_tried_once_and_those_that_work_come_first(
    healths: list[AddressHealth], now: float, first: int
) -> None:
    order = order_of(healths, now, first % len(healths))

    assert sorted(order) == list(range(len(healths)))
    usable = [healths[index].up or healths[index].is_due(now) for index in order]
    assert usable == sorted(usable, reverse=True)
    aside = [healths[index].down_until for index, fine in zip(order, usable, strict=True) if not fine]
    assert aside == sorted(aside, key=lambda until: until or 0.0)


def test_what_is_known_after_success_and_failure() -> None:
    failed = after_failure(AddressHealth(failures=1, doubtful=True), 7.0, "why")
    assert failed == AddressHealth(failures=2, down_until=7.0, reason="why")
    assert after_success(failed) == AddressHealth()


class Choosing(RuleBasedStateMachine):
    """A model of servers that come and go, beside the transport over them."""

    @initialize(order=st.sampled_from(["given", "round-robin"]), health=st.booleans())
    def begin(self, order: Any, health: bool) -> None:
        self.servers = Servers(a=FINE, b=FINE, c=FINE)
        self.transport = FailoverTransport(
            [f"https://{host}" for host in "abc"],
            transport=_Sync(self.servers),
            order=order,
            cooldown=10.0,
            health_path="/health" if health else None,
        )

    @rule(host=st.sampled_from("abc"), outcome=st.sampled_from([FINE, REFUSED, LOST, SLOW, BufferedResponse(503)]))
    def change(self, host: str, outcome: Outcome) -> None:
        self.servers.outcomes[host] = outcome
        self.servers.health[host] = FINE if outcome in (FINE, SLOW) else REFUSED

    @rule(seconds=st.floats(0, 15))
    def wait(self, seconds: float) -> None:
        self.servers.clock.advance(seconds)

    @rule()
    def send(self) -> None:
        before = {status.url[-1]: status for status in self.transport.status()}
        outcome: object
        try:
            outcome = self.transport.send(get("https://x/")).status
        except MuxiError as error:
            outcome = error
        tried = [host for host in self.servers.hosts() if not host.endswith("?")]
        works = {host for host in "abc" if self.servers.outcomes[host] is not REFUSED}
        # Nothing is sent twice: all but the last had no connection.
        assert len(set(tried)) == len(tried)
        assert all(host not in works for host in tried[:-1])
        # There is an answer or an error of one server wherever one can be connected to, is up, and does not say of
        # itself that it is ill (it is asked after it was too slow).
        if any(before[host].up for host in works if self.servers.health.get(host) is not REFUSED):
            assert tried[-1] in works
        if isinstance(outcome, ConnectionError) and not outcome.connected:
            assert set(tried) <= set("abc") - works
        elif isinstance(outcome, MuxiError):
            assert outcome.details["address"] == f"https://{tried[-1]}"

    @invariant()
    def what_is_up_has_no_reason(self) -> None:
        if hasattr(self, "transport"):
            for status in self.transport.status():
                assert status.up == (status.failures == 0) == (status.reason == "")
                assert 0 <= status.retry_in <= 10


TestChoosing = Choosing.TestCase


class Refused(Transport):
    """Connects to nothing."""

    def send(self, request: Request) -> Response:
        raise ConnectionError("CONNECTION_REFUSED", "nothing listens", connected=False)


def test_no_password_is_among_the_locals_of_a_request_that_fails() -> None:
    transport = FailoverTransport({"http://ada:hush@127.0.0.1:1": Refused, "http://ada:hush@127.0.0.1:2": Refused})
    with pytest.raises(ConnectionError) as caught:
        transport.send(Request("GET", "http://bob:hush@h/"))
    trace, shown = caught.value.__traceback__, []
    while trace is not None:
        if trace.tb_frame.f_globals["__name__"].startswith(("muxi.", "muxi_transports.")):
            shown += [repr(value) for value in trace.tb_frame.f_locals.values()]
        trace = trace.tb_next
    assert shown
    assert not [text for text in shown if "hush" in text]
