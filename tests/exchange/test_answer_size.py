"""An answer that is read into memory has at most ``max_answer_bytes``, packed or not, over every transport."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from muxi import ConfigurationError, FormationClient, FormationConfig, ServerError
from muxi.testing.transport_suite import Reply
from tests.answers import Colour, Playback, answer, chat_events, plain
from tests.secrets.carriers import AROUND, IN_PROCESS, WIRE, Receiver, carrier
from tests.transports.raw_server import Peer

MIB = 1024 * 1024
LIMIT = MIB // 8
#: 16 MiB of JSON, in 70 KiB.
PACKED = gzip.compress(b'{"data": "' + b"a" * (16 * MIB) + b'"}', 1)
TYPE = ("Content-Type", "application/json")


def memories(client: Any) -> Any:
    return client.get_memories("ada")


def send_packed(peer: Peer) -> None:
    peer.request()
    peer.answer(PACKED, "200 OK", "Content-Encoding: gzip", "Content-Type: application/json")


def send_announced(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n{")
    peer.wait_for_end()


def send_without_end(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        peer.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def send_refusal(peer: Peer) -> None:
    peer.request()
    peer.answer(PACKED, "503 Busy", "Content-Encoding: gzip", "Retry-After: 0")


PLAIN = Reply(headers=[TYPE], body=b" " * (2 * LIMIT))
ANSWERS = {
    "packed": Receiver(send_packed, Reply(headers=[TYPE, ("Content-Encoding", "gzip")], body=PACKED)),
    "announced": Receiver(send_announced, PLAIN),
    "without end": Receiver(send_without_end, PLAIN),
    "a refusal": Receiver(send_refusal, Reply(503, body=b" " * (2 * LIMIT))),
}


CASES = [(name, kind) for name in (*WIRE, *IN_PROCESS) for kind in ANSWERS if (name[:6], kind) != ("memory", "packed")]
CASES += [(name, "packed") for name in AROUND]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_an_answer_beyond_the_limit_is_refused_before_the_memory_grows(name: str, kind: str, tmp_path: Path) -> None:
    measured = not name.startswith("recorded")  # a cassette keeps what has come, and is slow to write while measured
    peak = 0
    with carrier(name, ANSWERS[kind], tmp_path) as found:
        if measured:
            tracemalloc.start()
        try:
            with pytest.raises(ServerError) as caught:
                found.run("formation", {"client_key": "k", "max_answer_bytes": LIMIT, "max_retries": 2}, memories)
            if measured:
                _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert caught.value.code == "ANSWER_TOO_LARGE"
    assert caught.value.status_code == (503 if kind == "a refusal" else 200)
    assert caught.value.attempts == 1
    assert "max_answer_bytes" in caught.value.message
    assert peak < 6 * MIB


def test_an_answer_of_exactly_the_limit_is_read(colour: Colour) -> None:
    whole = answer({"memories": [], "count": 0})
    size = len(whole.content)
    assert colour.run(colour.formation(Playback(whole), max_answer_bytes=size).get_memories, "ada")["count"] == 0
    with pytest.raises(ServerError, match="ANSWER_TOO_LARGE"):
        colour.run(colour.formation(Playback(whole), max_answer_bytes=size - 1).get_memories, "ada")


def test_the_limit_of_one_call_replaces_that_of_the_client(colour: Colour) -> None:
    client = colour.formation(Playback(answer({"count": 0}), answer({"count": 0})), max_answer_bytes=10)
    for limit in (10_000, None):
        assert colour.run(client.with_options(max_answer_bytes=limit).get_memories, "ada")["count"] == 0


def test_streams_and_downloads_are_not_bounded_by_it(colour: Colour, tmp_path: Path) -> None:
    client = colour.formation(Playback(chat_events(*(str(number) for number in range(50)))), max_answer_bytes=10)
    assert colour.collect(client.chat_stream, "hi", user_id="ada")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("formation.afs", "id: bot\n")
    server = colour.server(Playback(plain(200, archive.getvalue(), "application/zip")), max_answer_bytes=10)
    colour.run(server.download_formation, "bot", tmp_path / "bot.zip")
    assert (tmp_path / "bot.zip").read_bytes() == archive.getvalue()


def test_a_page_in_place_of_a_stream_is_bounded_by_it(colour: Colour) -> None:
    page = answer({"text": "x" * 5000})
    client = colour.formation(Playback(page), max_answer_bytes=1000)
    with pytest.raises(ServerError, match="ANSWER_TOO_LARGE"):
        colour.collect(client.chat_stream, "hi", user_id="ada")


def test_it_is_64_mib_by_default() -> None:
    assert FormationConfig().max_answer_bytes == 64 * MIB


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "64 MiB"])
def test_a_limit_that_is_no_number_of_bytes_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_answer_bytes= takes a whole number of bytes"):
        FormationClient(url="http://localhost", client_key="k", max_answer_bytes=value)
