"""Cassettes and answers that are made to be expensive: work grows with their length, and no faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muxi.redact import REDACTED
from muxi_transports.recorded import Cassette, CassetteError, Matcher, RecordedRequest, Scrubber
from muxi_transports.recorded.exchange import Chunk, Exchange, RecordedResponse
from muxi_transports.recorded.reading import load

HEAD = "muxi-cassette: 1\nexchanges:\n"
ENTRY = HEAD + "- request: {method: GET, url: /}\n  response:\n    status: 200\n"


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def grows_linearly(work: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Whether ten times the size takes less than forty times as long; what takes a moment at most has not grown."""
    small = min(seconds(work(size)) for _ in range(3))
    return (large := seconds(work(10 * size))) < 0.2 or large < 40 * small


# -- texts of peers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["?a", "&a", "?a=", "Bearer ", "Bearer  x", '"', '{"a":', "data: {", "data: x\n", "\\"]
)
def test_scrubbing_a_text_takes_linear_time(text: str) -> None:
    def work(count: int) -> Callable[[], object]:
        content = (text * count).encode()
        response = RecordedResponse(200, chunks=(Chunk(0, content),))
        exchange = Exchange(RecordedRequest("GET", "http://h/"), response)
        return lambda: Scrubber().exchange(exchange)

    assert grows_linearly(work, 2_000)


def test_scrubbing_many_secrets_in_many_chunks_takes_linear_time() -> None:
    def work(count: int) -> Callable[[], object]:
        chunks = tuple(Chunk(0, b'data: {"token_secret": "hush-hush"}\n\n') for _ in range(count))
        exchange = Exchange(RecordedRequest("GET", "http://h/"), RecordedResponse(200, chunks=chunks))
        return lambda: Scrubber().exchange(exchange)

    assert grows_linearly(work, 300)


def test_comparing_with_a_scrubbed_text_takes_linear_time() -> None:
    def work(count: int) -> Callable[[], object]:
        recorded = RecordedRequest("POST", "/", content=(f"{REDACTED}a" * 30 + "c").encode())
        sent = RecordedRequest("POST", "/", content=b"a" * count + b"b")
        return lambda: Matcher()(recorded, sent)

    assert grows_linearly(work, 2_000)


@pytest.mark.parametrize(
    ("recorded", "sent", "same"),
    [
        ("[redacted]", "anything", True),
        ("a[redacted]b", "ab", True),
        ("a[redacted]a", "a", False),
        ("a[redacted]b[redacted]c", "a1b2c", True),
        ("a[redacted]b[redacted]c", "a1c", False),
        ("[redacted]ab[redacted]", "aab", True),
    ],
)
def test_what_was_redacted_is_anything(recorded: str, sent: str, same: bool) -> None:
    requests = [RecordedRequest("POST", "/", content=text.encode()) for text in (recorded, sent)]
    assert (not Matcher()(*requests)) is same


# -- files -------------------------------------------------------------------------------------------------------


def bomb(levels: int) -> str:
    """A file of a few hundred bytes whose aliases stand for ten to the power of the levels."""
    lines = ["- &a0 xxxxxxxxxx"]
    lines += [f"- &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, levels + 1)]
    return ENTRY + "    json:\n" + "".join(f"      {line}\n" for line in lines)


def test_aliases_that_repeat_each_other_are_refused_at_once() -> None:
    assert len(bomb(9)) < 800
    with pytest.raises(CassetteError, match="repeats itself by aliases"):
        load(bomb(9), "a.yaml")


def test_aliases_as_people_write_them_are_read() -> None:
    text = ENTRY + "    headers: &headers {A: b}\n- request: {method: GET, url: /, headers: *headers}\n  error: {type: "
    exchanges, _ = load(text + "TimeoutError}\n", "a.yaml")
    assert exchanges[1].request.headers["a"] == "b"


@pytest.mark.parametrize(
    "text",
    ["    json: " + "[" * 50_000, "    json: " + "{a: " * 50_000, "    " + "? " * 50_000, "    json: " + "- " * 50_000],
)
def test_nesting_without_an_end_is_no_cassette(text: str) -> None:
    with pytest.raises(CassetteError):
        load(ENTRY + text, "a.yaml")


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (r'    text: "\ud800"', 6),
        (r'    json: {a: "\udfff"}', 6),
        (r'    json: {"\ud800": 1}', 6),
        (r'    headers: {A: "\ud800"}', 6),
        (r'    reason: "\ud800"', 6),
    ],
)
def test_half_of_a_surrogate_pair_is_a_mistake_with_a_line(path: Path, line: str, number: int) -> None:
    path.parent.mkdir()
    path.write_text(f"{ENTRY}{line}\n")
    with pytest.raises(CassetteError, match=rf"{path.name}:{number}: .*half of a surrogate pair"):
        Cassette(path)


def test_a_surrogate_pair_as_json_escapes_it_is_one_character() -> None:
    exchanges, _ = load(ENTRY + '    json: {"face": "\\ud83d\\ude42"}\n', "a.yaml")
    response = exchanges[0].response
    assert response is not None
    assert response.content.decode() == '{"face":"\N{SLIGHTLY SMILING FACE}"}'
