"""No key appears in a trace, whatever its shape, and however a server repeats it: in one piece or over several."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from muxi import MuxiError
from muxi.cli.trace.show import write_page
from muxi.plugins import BearerAuth, Trace
from tests.secrets.conftest import Side
from tests.secrets.marks import KEYS, VALUES, leaks, spellings
from tests.transports.raw_server import Peer

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

#: Answers that repeat the key, KEY, in every spelling: status, content type, body.
ANSWERS: dict[str, tuple[str, str, str]] = {
    "401": ("401 Unauthorized", "application/json", '{"success": false, "error": {"code": "NO", "message": KEY}}'),
    "422": ("422 Unprocessable", "application/json", '{"success": false, "error": {"code": KEY, "data": {"a": KEY}}}'),
    "500": ("500 No", "application/json", '{"success": false, "error": {"code": "NO", "message": KEY, "data": [KEY]}}'),
    "page": ("502 Bad Gateway", "text/html", "<p>KEY</p>"),
    "text": ("400 Bad", "text/plain", "KEY"),
    "flat": ("400 Bad", "application/json", '{"error": "Bad", "message": KEY}'),
    "success": ("200 OK", "application/json", '{"success": true, "data": {"memories": [{"content": KEY, KEY: 1}]}}'),
    "no JSON": ("200 OK", "application/json", "{KEY"),
    "list": ("200 OK", "application/json", "[KEY]"),
    "bytes": ("200 OK", "application/octet-stream", "KEY"),
}


def repeats(name: str, secret: str) -> Callable[[Peer], None]:
    """Return the script of a server that repeats a secret."""
    status, content_type, template = ANSWERS[name]
    text = " | ".join(spellings(secret))
    body = template.replace("KEY", json.dumps(text) if content_type.endswith("json") else text)

    def serve(peer: Peer) -> None:
        peer.request()
        peer.answer(body.encode(), status, f"Content-Type: {content_type}")

    return serve


def memories(client: Any) -> Any:
    return client.get_memories("ada")


@pytest.fixture(params=["requests", "aiohttp"])
def side(request: pytest.FixtureRequest) -> Side:
    """Clients of each colour: plugins see nothing of the transports but their errors."""
    return Side(request.param)


def _shown(path: Path) -> list[tuple[str, str]]:
    """The texts that a trace and its page show."""
    page = path.with_suffix(".html")
    write_page(str(path), str(page))
    text = path.read_text("utf-8")
    decoded = "\n".join(_texts([json.loads(line) for line in text.splitlines()]))
    return [("file", text), ("values", decoded), ("page", page.read_text("utf-8"))]


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [str(value)]


def _call(side: Side, kind: str, settings: dict[str, Any], work: Any, path: Path) -> None:
    plugins = [*settings.pop("plugins", ()), Trace(path, bodies=True)]
    with suppress(MuxiError):
        side.run(kind, {"max_retries": 0, "timeout": 5, **settings, "plugins": plugins}, work)
    assert path.read_text("utf-8").count('"event":"finished"') == 1


@pytest.mark.parametrize("shape", ["platform", "quotes", "backslashes"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_trace_hides_a_key_however_it_is_repeated(
    side: Side, serve: Any, tmp_path: Path, answer: str, shape: str
) -> None:
    key, path = KEYS[shape], tmp_path / "trace.jsonl"
    _call(side, "formation", {"url": serve(repeats(answer, key)).url, "client_key": key}, memories, path)
    assert leaks(key, iter(_shown(path))) == []


@pytest.mark.parametrize("shape", KEYS)
@pytest.mark.parametrize("where", ["admin key", "bearer", "header"])
def test_a_trace_hides_every_kind_of_key(side: Side, serve: Any, tmp_path: Path, where: str, shape: str) -> None:
    key, path = KEYS[shape], tmp_path / "trace.jsonl"
    settings: dict[str, Any] = {"url": serve(repeats("401", key)).url}
    keys: dict[str, dict[str, Any]] = {
        "admin key": {"admin_key": key},
        "bearer": {"client_key": "other", "plugins": [BearerAuth(key, header="X-Mesh", scheme="")]},
        "header": {"client_key": "other", "headers": {"X-Api-Key": key}},
    }
    settings |= keys[where]
    _call(side, "formation", settings, memories, path)
    assert leaks(key, iter(_shown(path))) == []


@pytest.mark.parametrize("shape", VALUES)
def test_a_trace_hides_a_secret_that_is_stored(side: Side, serve: Any, tmp_path: Path, shape: str) -> None:
    value, path = VALUES[shape], tmp_path / "trace.jsonl"
    url = serve(repeats("422", value)).url
    _call(side, "formation", {"url": url, "admin_key": "k"}, lambda client: client.create_secret("NAME", value), path)
    assert leaks(value, iter(_shown(path))) == []


@pytest.mark.parametrize("shape", KEYS)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_trace_hides_a_key_that_a_stream_repeats_piece_by_piece(
    side: Side, serve: Any, tmp_path: Path, shape: str, size: int
) -> None:
    key, path = KEYS[shape], tmp_path / "trace.jsonl"
    said = f"Your key is {key} indeed."

    def script(peer: Peer) -> None:
        peer.request()
        pieces = [said[at : at + size] for at in range(0, len(said), size)]
        frames = [json.dumps({"token": {"type": "content", "content": piece}}) for piece in pieces]
        done = 'event: done\ndata: {"finished": true}\n\n'
        peer.send(SSE, *(f"data: {frame}\n\n".encode() for frame in frames), done.encode())
        peer.close()

    def work(client: Any) -> Any:
        return client.chat_stream("hi", user_id="ada")

    _call(side, "formation", {"url": serve(script).url, "client_key": key}, work, path)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    text = "".join(line.get("text", "") for line in lines if line["event"] == "event" and line["type"] == "text")
    whole = text + lines[-1].get("rest", {}).get("text", "")
    assert leaks(key, iter([*_shown(path), ("text", whole)])) == []
    assert whole.startswith("Your key is ")
