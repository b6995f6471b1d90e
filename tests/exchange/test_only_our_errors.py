"""Whatever a peer sends or a caller hands in: what comes out is one of the SDK's errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muxi import ConfigurationError, ServerError, ValidationError
from muxi.call import Call
from muxi.exchange import download
from muxi.transport import BufferedResponse
from tests.answers import Colour, Playback, json_answer, plain


@pytest.mark.parametrize("status", [0, 1, 100, 101, 103, 199])
def test_a_status_below_200_is_no_answer(colour: Colour, status: int) -> None:
    client = colour.formation(Playback(plain(status)))
    with pytest.raises(ServerError, match="UNEXPECTED_ANSWER"):
        colour.run(client.get_memories, "ada")
    with pytest.raises(ServerError, match="UNEXPECTED_ANSWER"):
        colour.run(colour.formation(Playback(plain(status))).chat_stream, "x")


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def cyclic() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = value
    return value


@pytest.mark.parametrize("deep", [nested(100_000), cyclic()], ids=["100000", "cycle"])
def test_a_payload_nested_too_deeply_is_refused_before_it_is_sent(colour: Colour, deep: dict[str, Any]) -> None:
    play = Playback()
    client = colour.formation(play)
    for method, arguments in (
        ("add_memory", {"content": "x", "user_id": "u", "metadata": deep}),
        ("chat", {"payload": {"message": "x", "context": deep}}),
        ("ingest_memory", {"content": deep, "user_id": "u", "source": "s"}),
        ("send", {"call": Call.post("/x", body=deep)}),
    ):
        with pytest.raises(ValidationError, match="INVALID_"):
            colour.run(getattr(client, method), **arguments)
    assert not play.requests


def test_a_payload_of_some_thousand_levels_is_refused_or_sent_as_it_is(colour: Colour) -> None:
    # Python 3.13 and later encode what earlier ones refuse.
    play = Playback(json_answer(200, {}))
    client = colour.formation(play)
    try:
        expected = json.dumps(nested(3000), separators=(",", ":")).encode()
    except RecursionError:
        with pytest.raises(ValidationError, match="INVALID_BODY"):
            colour.run(client.send, Call.post("/x", body=nested(3000)))
        assert not play.requests
    else:
        colour.run(client.send, Call.post("/x", body=nested(3000)))
        assert play.request.body is not None
        assert b"".join(play.request.body.chunks()) == expected


def test_half_a_surrogate_pair_is_refused_without_showing_the_body(colour: Colour) -> None:
    client = colour.formation(Playback())
    with pytest.raises(ValidationError, match="surrogate") as caught:
        colour.run(client.create_secret, "NAME\udc80", "hush")
    error: BaseException | None = caught.value
    while error is not None:
        assert "hush" not in repr(error)
        assert "hush" not in repr(getattr(error, "object", ""))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("length", ["5" * 5000, "9" * 19, "²", "-1", "+3", "1e3"])
def test_a_length_that_is_none_is_ignored_by_downloads(colour: Colour, tmp_path: Path, length: str) -> None:
    response = BufferedResponse(200, [("Content-Length", length)], b"abc")
    assert download._length(response) is None
    assert download.save(response, tmp_path / "file") == 3


@pytest.mark.parametrize("timeout", [float("inf"), float("nan"), 1e10, -1, 0, True, "3"])
@pytest.mark.parametrize("option", ["timeout", "connect_timeout", "deadline", "idle_timeout", "stall_timeout"])
def test_a_time_limit_that_is_none_is_refused_when_the_client_is_made(
    colour: Colour, option: str, timeout: object
) -> None:
    with pytest.raises(ConfigurationError, match=f"{option}= takes a number of seconds"):
        colour.formation(**{option: timeout})
    with pytest.raises(ConfigurationError, match=f"{option}= takes a number of seconds"):
        colour.server(**{option: timeout})
    with pytest.raises(ConfigurationError, match=f"{option}= takes a number of seconds"):
        colour.formation().with_options(**{option: timeout})
