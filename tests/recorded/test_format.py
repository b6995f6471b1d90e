"""What is in a file: every exchange comes out as it went in, people can write one, and mistakes have a line."""

from __future__ import annotations

import textwrap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yaml.emitter import Emitter

from muxi import ConnectionError, FormationClient, TimeoutError
from muxi.transport import Headers
from muxi_transports.recorded import (
    Cassette,
    CassetteError,
    Chunk,
    Exchange,
    RecordedError,
    RecordedRequest,
    RecordedResponse,
    RecordedTransport,
)
from muxi_transports.recorded.json_style import style_of, written
from muxi_transports.recorded.reading import load
from muxi_transports.recorded.writing import HEAD, dump

times = st.integers(0, 10**7).map(lambda milliseconds: milliseconds / 1000)
names = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ-0123456789", min_size=1)
lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
headers = st.builds(Headers, st.lists(st.tuples(names, lines), max_size=4))
texts = st.text(st.characters(exclude_categories=["Cs"]))
data: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
documents = st.builds(
    lambda value, style: written(value, tuple(style)),
    data.filter(lambda value: _is_encodable(value)),
    st.lists(st.sampled_from(["spaced", "ascii", "newline"])),
)
frames = st.lists(st.sampled_from(["data: {}", ": keepalive", "event: done", "", " ", "\u2028", "é"])).map(
    lambda parts: "\n".join(parts).encode()
)
contents = st.binary() | texts.map(str.encode) | documents | frames
facts = st.fixed_dictionaries({}, optional={"connected": st.booleans(), "details": st.dictionaries(texts, lines)})
errors = st.builds(RecordedError, times, st.sampled_from(["ConnectionError", "TimeoutError"]), texts, texts, facts)
chunks = st.lists(st.builds(Chunk, times, contents), max_size=4).map(tuple)
requests = st.builds(RecordedRequest, names, texts, headers, st.none() | contents)
ends = st.one_of(
    st.fixed_dictionaries({"ended": times}),
    st.fixed_dictionaries({"closed": times}),
    st.fixed_dictionaries({"error": errors}),
)
streams = st.booleans()


def _is_encodable(value: Any) -> bool:
    try:
        written(value)
    except ValueError:
        return False
    return True


@st.composite
def responses(draw: st.DrawFn) -> RecordedResponse:
    found = draw(headers)
    if draw(streams):
        found["Content-Type"] = "text/event-stream; charset=utf-8"
    return RecordedResponse(
        draw(st.integers(100, 599)),
        found,
        draw(chunks),
        reason=draw(st.just("OK") | lines),
        http_version=draw(st.sampled_from(["1.0", "1.1", "2"])),
        at=draw(times),
        **draw(ends),
    )


exchanges = st.builds(Exchange, requests, responses()) | st.builds(Exchange, requests, error=errors)


@settings(max_examples=settings().max_examples * 3 // 2, deadline=None)
@given(st.lists(exchanges, max_size=3), st.sampled_from([0, 2]))
def test_what_goes_in_comes_out(given_: list[Exchange], indent: int) -> None:
    text = HEAD + "".join(dump(exchange, indent) for exchange in given_)
    assert text.endswith("\n")
    found, column = load(text, "a.yaml")
    assert found == given_
    assert column == (indent if given_ else None)


@pytest.mark.parametrize(
    "word", ["0E0", "1e3", "1_0", "0x1", "1:30", ".5", "+1", "no", "Null", "~", "", "=", "<<", "é "]
)
def test_words_that_look_like_something_else(word: str) -> None:
    exchange = Exchange(RecordedRequest("POST", word, content=written({word: [word, 1e20, 1e-7, 12]})), error=LOST)
    assert load(HEAD + dump(exchange), "a.yaml")[0] == [exchange]


@given(documents)
def test_json_in_a_usual_style_is_its_data(content: bytes) -> None:
    if (found := style_of(content)) is not None:
        assert written(*found) == content


@pytest.mark.parametrize("indent", [0, 3])
@pytest.mark.parametrize(
    "text",
    ["QUJD" * 5000, " a: # '\"\\" * 2000 + " ", "- " * 4000],
    ids=["base64", "of other meaning to YAML", "a list"],
)
def test_a_long_text_in_json_is_written_without_a_look_at_each_character(
    text: str, indent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyze, looked_at = Emitter.analyze_scalar, []

    def count(self: Emitter, scalar: str) -> Any:
        looked_at.append(len(scalar))
        return analyze(self, scalar)

    monkeypatch.setattr(Emitter, "analyze_scalar", count)
    content = written({"file": text, "parts": [text, {"name": "x"}]})
    exchange = Exchange(RecordedRequest("POST", "http://h/", content=content), error=LOST)
    file = dump(exchange, indent)

    assert max(looked_at) < 100
    assert load(HEAD + file, "a.yaml")[0] == [exchange]


def test_json_in_no_usual_style_is_left_as_it_is() -> None:
    for content in (b'{"a" :1}', b'{"a":1,"a":1}', b'{"a":1.50}', b"[NaN]", b'["\\ud800"]', b"\xff", b"", b"1"):
        assert style_of(content) is None


LOST = RecordedError(0.5, "ConnectionError", "CONNECTION_LOST", "gone", {"connected": True})

HAND_WRITTEN = """\
muxi-cassette: 1
exchanges:

  # What the health check says when all is well.
  - request: {method: GET, url: /v1/health}
    response:
      status: 200
      headers:
        Content-Type: application/json
        Content-Length: 27
        X-Two: [no, 2]
      json: {status: healthy, since: 2026-11-22}

  - request:
      method: POST
      url: /v1/chat
      headers: {X-Muxi-User-ID: ada}
      json: {message: Hi, stream: true}
    response:
      status: 200
      headers: {Content-Type: text/event-stream}
      stream:
      - at: 0.1
        text: |+
          data: {"token": {"type": "content", "content": "Hello."}}

      - text: |+
          data: {"token": {"type": "completed", "content": "Hello."}}

          event: done
          data: {}

      error: {type: ConnectionError, message: gone}

  - request: {method: GET, url: /v1/memories, headers: {X-Muxi-User-ID: ada}}
    error: {at: 30, type: TimeoutError, code: READ_TIMEOUT, message: too long, bound: read}
"""


def test_a_cassette_written_by_hand_plays(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(HAND_WRITTEN)
    cassette = Cassette(path)
    health, chat, memories = cassette.exchanges
    assert (health.line, chat.line, memories.line) == (5, 14, 35)
    assert health.response is not None
    assert health.response.reason == "OK"
    assert health.response.headers.get_all("x-two") == ["no", "2"]
    assert health.response.content == b'{"status":"healthy","since":"2026-11-22"}'
    assert chat.response is not None
    assert [chunk.at for chunk in chat.response.chunks] == [0.1, 0.1]
    with FormationClient(
        transport=RecordedTransport(cassette),
        url="http://localhost",
        client_key="any",
        validate_responses="off",
        max_retries=0,
    ) as client:
        assert client.chat_stream("Hi", user_id="ada").result()["content"] == "Hello."
        with pytest.raises(TimeoutError) as raised:
            client.get_memories("ada")
    assert (raised.value.bound, raised.value.connected, raised.value.code) == ("read", True, "READ_TIMEOUT")


def test_what_is_recorded_is_put_after_what_was_written_by_hand(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(HAND_WRITTEN)
    with FormationClient(
        transport=RecordedTransport(path, "memory", "new"), url="http://memory", client_key="any"
    ) as client:
        client.get_sessions("ada")
    text = path.read_text()
    assert text.startswith(HAND_WRITTEN)
    assert text[len(HAND_WRITTEN) :].startswith("  - request:\n      method: GET\n")
    assert len(Cassette(path).exchanges) == 4


def broken(*lines: str) -> str:
    return "muxi-cassette: 1\nexchanges:\n" + textwrap.dedent("\n".join(lines)) + "\n"


REQUEST = "- request: {method: GET, url: /}"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "is empty"),
        ("a: [", 1, "expected the node content"),
        ("\tb: 1", 1, "cannot start any token"),
        ("- 1", 1, "mapping"),
        ("exchanges: []", 1, "has to begin with 'muxi-cassette: 1'"),
        ("interactions: []\nversion: 1", 1, "not a cassette"),
        ("muxi-cassette: 2\nexchanges: []", 1, "is of version '2' of the format"),
        ("muxi-cassette: 1\nexchange: []", 2, "'exchange' is unknown here; known are exchanges"),
        ("muxi-cassette: 1\nexchanges: 3", 2, "has to be a list"),
        (broken("- 3"), 3, "mapping"),
        (broken("- {}"), 3, "has no 'request'"),
        (broken(REQUEST), 3, "either a 'response' or an 'error'"),
        (broken("- request: {method: GET}", "  response: {status: 200}"), 3, "has no 'url'"),
        (broken(REQUEST, "  response: {status: ok}"), 4, "'status' has to be a number"),
        (broken(REQUEST, "  response: {status: 2.5}"), 4, "'status' has to be a whole number"),
        (broken(REQUEST, "  response: {status: 200, at: -1}"), 4, "'at' has to be a number from 0 up"),
        (broken(REQUEST, "  response:", "    status: 200", "    body: a"), 6, "'body' is unknown here"),
        (broken(REQUEST, "  response: {status: 200, text: a, json: {}}"), 4, "has 'json' and 'text'"),
        (broken(REQUEST, "  response: {status: 200, base64: '!'}"), 4, "is not base64"),
        (broken(REQUEST, "  response: {status: 200, stream: [{at: 1}]}"), 4, "has no body"),
        (broken(REQUEST, "  response: {status: 200, stream: [], text: a}"), 4, "a stream and another body"),
        (broken(REQUEST, "  response: {status: 200, text: a, arrived: [[1]]}"), 4, "a time and a number of bytes"),
        (broken(REQUEST, "  response: {status: 200, json: {}, json_style: [odd]}"), 4, "not odd"),
        (broken(REQUEST, "  response: {status: 200, json_style: [ascii]}"), 4, "of no use without 'json'"),
        (broken(REQUEST, "  response: {status: 200, ended: 1, closed: 1}"), 4, "one of 'ended', 'closed' and 'error'"),
        (broken(REQUEST, "  response: {status: 200, status: 200}"), 4, "has 'status' twice"),
        (broken(REQUEST, '  response: {status: 200, headers: {A: "a\\nb"}}'), 4, "is no header"),
        (broken(REQUEST, "  response: {status: 200, headers: {A: {}}}"), 4, "has to be a text"),
        (broken(REQUEST, "  error: {type: KeyError}"), 4, "is no error of muxi.errors: 'KeyError'"),
        (broken("- request: {method: GET, url: /, text: a, digest: b}", "  error: {}"), 3, "a body and a digest"),
        (broken("- &a", "  request: {method: GET, url: /, json: [*a]}", "  error: {}"), None, "contains itself"),
    ],
)
def test_mistakes_have_a_line(path: Path, text: str, line: int | None, message: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(CassetteError) as raised:
        Cassette(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)
    if line is not None:
        assert f"{path}:{line}: " in str(raised.value)


def test_a_file_that_cannot_be_read_or_written(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff")
    with pytest.raises(CassetteError, match="not UTF-8"):
        Cassette(path)
    with pytest.raises(CassetteError, match="cannot be read"):
        Cassette(path.parent)
    blocked = path / "b.yaml"
    with pytest.raises(CassetteError, match=r"cannot be (read|written)"):  # noqa: SIM117  the cassette may fail first
        with FormationClient(
            transport=RecordedTransport(blocked, "memory"), url="http://memory", client_key="any"
        ) as client:
            client.health()


@pytest.mark.parametrize("kind", [ConnectionError, TimeoutError])
def test_errors_are_raised_again_as_they_were(kind: type[ConnectionError | TimeoutError]) -> None:
    error = kind("CODE", "what happened", details={"a": [1]}, connected=False)
    again = RecordedError.of(error, 1.5).made()
    assert type(again) is kind
    assert {**vars(again), "details": {"a": [1]}} == vars(error)
    assert str(again) == str(error)


def test_a_file_is_replaced_whole() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        with FormationClient(
            transport=RecordedTransport(path, "memory"), url="http://memory", client_key="any"
        ) as client:
            client.health()
            reader = path.open()
            before = path.read_text()
            client.health()
            assert reader.read() == before
            reader.close()
        assert [it.name for it in path.parent.iterdir()] == ["a.yaml"]
