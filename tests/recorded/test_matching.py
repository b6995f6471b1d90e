"""Which request is answered by which exchange, what each mode does about the others, and what the error says."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi import FormationClient, ServerClient
from muxi.errors import ConfigurationError
from muxi.transport import BytesBody, Headers, Request
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, EmbeddedServer, MemoryTransport
from muxi_transports.recorded import (
    Cassette,
    CassetteError,
    Matcher,
    RecordedRequest,
    RecordedTransport,
    UnrecordedRequest,
)
from tests.answers import Colour, Playback, answer


def request(target: str = "/v1/x", body: Any = None, method: str = "POST", **headers: str) -> RecordedRequest:
    content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RecordedRequest(method, f"http://a{target}", Headers(named), content)


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        (request("/v1/x?a=1&b=2&b=3"), request("/v1/x?b=3&a=1&b=2")),
        (request("/v1/a%20b"), request("/v1/%61 b")),
        (request(method="post"), request(method="POST")),
        (request(body=b'{"a": 1, "b": [2]}'), request(body=b'{"b":[2],"a":1.0}')),
        (request(body={"request_id": "req_12345678", "a": 1}), request(body={"request_id": "req_abcdefgh", "a": 1})),
        (request(body={"a": 1}), request(body={"request_id": "req_abcdefgh", "a": 1})),
        (request("/v1/requests/req_12345678"), request("/v1/requests/req_abcdefgh")),
        (request(Authorization="one", X_Muxi_Idempotency_Key="a"), request(Authorization="two", Traceparent="b")),
        (request(body={"value": "[redacted]"}), request(body={"value": "anything"})),
        (request("/v1/x?token=[redacted]"), request("/v1/x?token=any thing")),
        (request(body="Bearer [redacted]!"), request(body="Bearer a\nb!")),
        (request(body=b""), request()),
    ],
)
def test_requests_that_are_the_same(recorded: RecordedRequest, sent: RecordedRequest) -> None:
    assert Matcher()(recorded, sent) == []


@pytest.mark.parametrize(
    ("recorded", "sent", "difference"),
    [
        (request(), request(method="PUT"), "method: sent 'PUT', recorded 'POST'"),
        (request("/v1/x"), request("/v1/x/"), "path: sent '/v1/x/', recorded '/v1/x'"),
        (request("/v1/a%2Fb"), request("/v1/a/b"), "path: sent '/v1/a/b', recorded '/v1/a%2Fb'"),
        (request("/v1/x?a=1"), request("/v1/x"), "query.a: not sent, recorded '1'"),
        (request("/v1/x?a=1"), request("/v1/x?a=1&a=1"), "query.a: sent ['1', '1'], recorded '1'"),
        (request("/v1/x?a="), request("/v1/x?a=1"), "query.a: sent '1', recorded ''"),
        (request(body={"a": {"b": [1]}}), request(body={"a": {"b": [2]}}), "body.a.b[0]: sent 2, recorded 1"),
        (request(body={"a": 1}), request(body={"a": True}), "body.a: sent True, recorded 1"),
        (request(body={}), request(body={"a": None}), "body.a: sent None, not recorded"),
        (request(body=[1]), request(body=[1, 2]), "body: sent [1, 2], recorded [1]"),
        (request(body=b"a"), request(body=b"\xff"), "body: sent b'\\xff', recorded 'a'"),
        (request(body="[redacted]x"), request(body="y"), "body: sent 'y', recorded '[redacted]x'"),
        (request(body="y"), request(body="[redacted]"), "body: sent '[redacted]', recorded 'y'"),
        (request(X_Muxi_User_ID="ada"), request(), "header X-Muxi-User-ID: not sent, recorded 'ada'"),
        (request(body={"id": "req_12345678"}), request(body={"id": "x"}), "body.id: sent 'x', recorded 'req_12345678'"),
    ],
)
def test_requests_that_are_not(recorded: RecordedRequest, sent: RecordedRequest, difference: str) -> None:
    assert Matcher()(recorded, sent) == [difference]


def test_what_is_compared_can_be_chosen() -> None:
    one = request("/v1/x?at=1", {"at": {"a": 1}, "b": [{"at": 2}]}, X_Muxi_User_ID="ada", X_Tenant="a")
    other = request("/v1/x?at=2", {"at": 3, "b": [{}]}, X_Muxi_User_ID="bob", X_Tenant="b")
    assert len(Matcher()(one, other)) == 4
    assert len(Matcher(ignore=("at",))(one, other)) == 1
    assert Matcher(ignore=("at",), headers=())(one, other) == []
    assert Matcher(query=False, body=False, headers=("x-tenant",))(one, other) == [
        "header x-tenant: sent 'b', recorded 'a'"
    ]


@given(st.binary(), st.text(), st.text(st.characters(exclude_categories=["Cs"])))
def test_everything_is_the_same_as_itself(content: bytes, name: str, value: str) -> None:
    body = json.dumps({name: value}).encode()
    assert Matcher()(request(body=content), request(body=content)) == []
    assert Matcher()(request(body=body), request(body=body)) == []


def test_equal_requests_are_answered_in_order(colour: Colour, recorded: Any, path: Path) -> None:
    transport = recorded(path, Playback(*(answer({"n": number}) for number in range(3))))
    other = Request("GET", "http://localhost/v1/x")

    def ask(transport: Any) -> int:
        response = colour.run(transport.send, other)
        return int(json.loads(colour.run(response.read))["data"]["n"])

    assert [ask(transport) for _ in range(3)] == [0, 1, 2]
    transport = recorded(path)
    assert [ask(transport) for _ in range(2)] == [0, 1]
    assert len(transport.cassette.unplayed) == 1
    assert not transport.cassette.all_played
    assert [exchange.line for exchange in transport.cassette.played] == [3, 26]
    assert ask(transport) == 2
    with pytest.raises(UnrecordedRequest, match="was played already; allow_repeats=True"):
        ask(transport)
    transport = recorded(Cassette(path, allow_repeats=True))
    assert [ask(transport) for _ in range(5)] == [0, 1, 2, 2, 2]
    assert len(transport.cassette.played) == 5


def test_ids_that_are_known_tell_which_is_which(colour: Colour, recorded: Any, path: Path) -> None:
    urls = [f"http://localhost/v1/requests/req_{name}" for name in ("aaaaaaaa", "bbbbbbbb")]
    transport = recorded(path, Playback(answer({"n": 0}), answer({"n": 1})))

    def ask(transport: Any, url: str) -> int:
        response = colour.run(transport.send, Request("GET", url))
        return int(json.loads(colour.run(response.read))["data"]["n"])

    for url in urls:
        ask(transport, url)
    transport = recorded(path)
    assert [ask(transport, url) for url in reversed(urls)] == [1, 0]


def test_the_error_shows_what_is_nearest(colour: Colour, client: Any, path: Path) -> None:
    recording = client(path, Playback(*[answer()] * 3))
    colour.run(recording.get_sessions, "ada", limit=5)
    colour.run(recording.get_memories, "ada", limit=5)
    colour.run(recording.add_memory, "Likes tea", user_id="ada")
    playing = client(path, max_retries=3)
    with pytest.raises(UnrecordedRequest) as raised:
        colour.run(playing.add_memory, "Likes coffee", user_id="ada")
    error = raised.value
    assert error.attempts == 1
    assert isinstance(error, ConfigurationError)
    assert error.nearest is not None
    assert error.nearest.request.method == "POST"
    assert error.differences == ("body.content: sent 'Likes coffee', recorded 'Likes tea'",)
    text = str(error)
    assert f"nothing in {path} fits POST http://localhost:8001/v1/memories" in text
    assert f"in line {error.nearest.line}, and differs:\n  body.content: " in text
    assert "mode 'new' records what is missing" in text
    assert "add_memory (POST /memories)" in text
    assert path.read_text().splitlines()[error.nearest.line - 1] == "- request:"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert str(again) == text
    assert again.differences == error.differences
    with pytest.raises(UnrecordedRequest, match=r"query\.limit: sent '6', recorded '5'"):
        colour.run(playing.get_memories, "ada", limit=6)
    with pytest.raises(UnrecordedRequest, match="header X-Muxi-User-ID: sent 'bob', recorded 'ada'"):
        colour.run(playing.get_memories, "bob", limit=5)


def test_a_matcher_of_your_own(path: Path) -> None:
    def by_path(recorded: RecordedRequest, sent: RecordedRequest) -> list[str]:
        return [line for line in Matcher()(recorded, sent) if line.startswith("path")]

    transport = RecordedTransport(path, MemoryTransport(EmbeddedFormation()))
    transport.send(Request("GET", "http://memory/v1/health")).read()
    transport = RecordedTransport(Cassette(path, match=by_path))
    assert transport.send(Request("PUT", "http://x/v1/health?a=1", body=BytesBody(b"x"))).status == 200


def test_signed_requests_are_known_again(path: Path) -> None:
    key, secret = "muxi_pk_0123456789abcdef01234567", "muxi_sk_hushhush3"
    world = EmbeddedServer(key_id=key, secret_key=secret)
    with ServerClient(
        transport=RecordedTransport(path, MemoryTransport(world)), url="http://memory", key_id=key, secret_key=secret
    ) as server:
        found = server.list_formations()
    assert secret not in path.read_text()
    assert key not in path.read_text()
    with ServerClient(
        transport=RecordedTransport(path), url="http://localhost", key_id="other", secret_key="another"
    ) as server:
        assert server.list_formations() == found


def test_mode_none_only_plays(colour: Colour, client: Any, path: Path) -> None:
    with pytest.raises(CassetteError, match=r"there is no cassette .*, and mode 'none' records none"):
        client(path, mode="none")
    colour.run(client(path, Playback(answer({"n": 1}))).health)
    before = path.read_bytes()
    playing = client(path, Playback(), mode="none")
    assert colour.run(playing.health)["n"] == 1
    with pytest.raises(UnrecordedRequest, match="Mode 'none' records nothing: "):
        colour.run(playing.get_sessions, "ada")
    assert path.read_bytes() == before


def test_mode_once_records_where_there_is_no_file(colour: Colour, client: Any, path: Path) -> None:
    recording = client(path, Playback(answer({"n": 1}), answer({"n": 2}), answer({"n": 3})))
    assert [colour.run(recording.health)["n"] for _ in range(2)] == [1, 2]
    assert path.exists()
    assert colour.run(recording.health)["n"] == 3
    playing = client(path, Playback())
    assert [colour.run(playing.health)["n"] for _ in range(3)] == [1, 2, 3]
    with pytest.raises(UnrecordedRequest, match="because the file was there"):
        colour.run(playing.get_sessions, "ada")


def test_mode_new_records_what_is_missing(colour: Colour, client: Any, path: Path) -> None:
    colour.run(client(path, Playback(answer({"n": 1})), mode="new").health)
    before = path.read_text()
    cassette = Cassette(path)
    mixed = client(cassette, Playback(answer({"n": 2}), answer({"n": 3})), mode="new")
    assert [colour.run(mixed.health)["n"] for _ in range(3)] == [1, 2, 3]
    assert path.read_text().startswith(before)
    assert len(cassette.recorded) == 2
    assert cassette.exchanges == Cassette(path).exchanges
    assert cassette.all_played


def test_mode_all_records_everything_anew(colour: Colour, client: Any, path: Path) -> None:
    colour.run(client(path, Playback(answer({"n": 1})), mode="all").health)
    before = path.read_text()
    recording = client(path, Playback(answer({"n": 2}), answer({"n": 3})), mode="all")
    assert path.read_text() == before
    assert colour.run(recording.health)["n"] == 2
    assert colour.run(recording.get_sessions, "ada")["n"] == 3
    assert len(Cassette(path).exchanges) == 2
    assert before not in path.read_text()


def test_a_recording_can_be_discarded(colour: Colour, client: Any, path: Path) -> None:
    cassette = Cassette(path)
    colour.run(client(cassette, Playback(answer())).health)
    assert path.exists()
    cassette.discard()
    assert not path.exists()
    assert cassette.exchanges == ()
    colour.run(client(path, Playback(answer({"n": 1}))).health)
    before = path.read_bytes()
    for mode in ("new", "all"):
        cassette = Cassette(path)
        colour.run(client(cassette, Playback(answer({"n": 2})), mode=mode).get_sessions, "ada")
        assert path.read_bytes() != before
        cassette.discard()
        assert path.read_bytes() == before


def test_settings_that_have_no_sense(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="mode= takes 'none', 'once', 'new', 'all', got 'rewind'"):
        RecordedTransport(path, mode="rewind")  # type: ignore[arg-type]  # that is the point
    for speed in (-1, float("inf"), float("nan")):
        with pytest.raises(ConfigurationError, match="speed= takes a number from 0 up"):
            RecordedTransport(path, speed=speed)
    with pytest.raises(ConfigurationError, match="there is no transport named 'nope'"):
        RecordedTransport(path, "nope")
    with pytest.raises(ConfigurationError, match="async transport"):
        RecordedTransport(path, AsyncMemoryTransport(EmbeddedFormation()))  # type: ignore[arg-type]  # likewise
    assert not path.parent.exists()


def test_what_it_looks_like(colour: Colour, recorded: Any, path: Path) -> None:
    transport = recorded(path, "memory", "new")
    name = type(transport).__name__
    assert repr(transport) == f"{name}({str(path)!r}, 'memory', 'new')"
    assert repr(transport.cassette) == f"Cassette({str(path)!r})"
    assert transport.mode == "new"


def test_pyyaml_is_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for module in ("yaml", "muxi_transports.recorded.writing", "muxi_transports.recorded.reading"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'muxi-client\[test\]'"):
        Cassette(path)


def test_a_client_over_the_echo(path: Path) -> None:
    client = FormationClient(transport=lambda: RecordedTransport(path, "memory"), url="http://memory", client_key="any")
    with client:
        client.chat("Hello!", user_id="ada")
    assert len(Cassette(path).exchanges) == 1
