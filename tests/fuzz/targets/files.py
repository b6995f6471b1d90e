"""Targets: files that others have made: formation files, bundles, cassettes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from unittest.mock import patch

import yaml

from muxi import ManualClock, bundles
from muxi.bundles.contents import Contents, check, decoded
from muxi.transport import Headers, Request, Response
from muxi_transports.recorded import RecordedTransport, reading
from tests.fuzz.registry import goes_on, is_drawn, target
from tests.fuzz.targets.deployments import archive
from tests.fuzz.targets.scripted import Parts, ScriptedTransport, formation, only_errors


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="muxi-fuzz-")


#: libyaml's scanner and parser, where they are installed: the SDK sees the same nodes and events of both.
_QuickLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _QuickCassetteLoader(_QuickLoader):  # type: ignore[misc,valid-type]  # which it is depends on the installation
    """A loader for cassettes, with the values that they have."""

    yaml_implicit_resolvers = reading._Loader.yaml_implicit_resolvers


@contextmanager
def _quick_yaml(data: bytes) -> Iterator[None]:
    """Have libyaml read most inputs of a long run, in a tenth of the time, and PyYAML's own parser the others."""
    if is_drawn(data, 50):
        yield
        return
    with patch.object(yaml, "SafeLoader", _QuickLoader), patch.object(reading, "_Loader", _QuickCassetteLoader):
        yield


def _formation_files() -> Iterator[bytes]:
    yield b"id: bot\ndescription: a bot\nversion: 1.0.0\n"
    yield b'# A comment\n---\nid: "bot"\nname: \'A bot\'\ndescription: |\n  Several\n  lines\nversion: "2"\n...\n'
    yield b'{"id": "bot", "description": "a bot", "version": "1.0.0"}'
    yield b'id: bot\ndescription: >-\n  folded\ntags: ["a", "b"]\nllm: {model: "x"}\nagents:\n  - id: a\n    x: &y 1\n'
    yield b"id: bot\ndescription: *alias\nversion: !!str 1\nother: ${{ secrets.KEY }}\n"


@target(
    "formation-file", _formation_files,
    b"id: ", b"description: ", b"version: ", b"|\n  ", b">+1\n", b"&a ", b"*a", b"!!", b"- ", b"? ", b"%YAML 1.1\n",
    b"---\n", b"'", b'"\\x', b'"\\U', b"# ", b"${{ secrets.", b"\t", b"\xef\xbb\xbf", b"<<: ", b"=", b"0o7",
)  # fmt: skip
def formation_file(data: bytes) -> None:
    def read_alone() -> None:
        check(Contents("bundle", "bot/formation.afs", decoded(data, "bundle", "bot/formation.afs"), frozenset()))

    with _quick_yaml(data):
        only_errors(read_alone)
    if not goes_on(data):
        return
    bundle = archive(data)
    only_errors(lambda: bundles.prepare(bundle), lambda: bundles.prepare(bundle, formation_id="bot", version="1"))


def _archives() -> Iterator[bytes]:
    whole = archive(b"id: bot\ndescription: a bot\nversion: 1.0.0\n")
    yield whole
    yield archive(b"id: bot\ndescription: a bot\nversion: 1.0.0\n", "formation.yaml")
    yield whole[: len(whole) // 2]
    yield b"PK\x03\x04" + whole
    yield b""


@target("bundle", _archives, b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"ustar", b"formation.afs", b"/", b"\0" * 512)
def bundle(data: bytes) -> None:
    only_errors(lambda: bundles.prepare(data))


def _answers(request: Request) -> Response:
    """An answer for each of the calls that a cassette is played with."""
    if request.method == "GET":
        return Parts(200, Headers({"Content-Type": "application/json"}), [b'{"data": {"memories": [], "count": 0}}'])
    stream = b'data: {"token": {"type": "content", "content": "Hi"}}\n\nevent: done\ndata: {}\n\n'
    return Parts(200, Headers({"Content-Type": "text/event-stream"}), [stream[:20], stream[20:]])


def _play(transport: RecordedTransport) -> None:
    client = formation(transport)
    only_errors(lambda: client.get_memories("ada"), lambda: client.chat_stream("Hello!", user_id="ada").result())


def _cassettes() -> Iterator[bytes]:
    scripted, file = ScriptedTransport(), Path(_folder().name, "recorded.yaml")
    scripted.answer = _answers
    _play(RecordedTransport(file, scripted, mode="all"))
    yield file.read_bytes()
    yield b"{}"
    request = b"muxi-cassette: 1\nexchanges:\n- request:\n    method: GET\n    url: /v1/memories\n"
    yield request + b"  response:\n    status: 200\n    headers: {Content-Type: [a, b]}\n    json: {data: {x: 1.5}}\n"
    yield request + b"  response:\n    status: 200\n    stream:\n    - {at: 0.1, text: 'Hi'}\n    closed: 2\n"
    yield request + b"    digest: x\n  error: {at: 1, type: TimeoutError, code: TIMEOUT, message: no, bound: read}\n"
    yield request + b"    json: &a [1, null]\n  response:\n    status: 204\n    base64: aGk=\n    arrived: [[0.1, 1]]\n"


@target(
    "cassette", _cassettes,
    b"request:", b"response:", b"status: ", b"headers:", b"chunks:", b"- at: ", b"base64", b"error:", b"|-\n",
    b"!!binary ", b"&a ", b"*a", b"\\ud800", b"method: GET", b"url: ", b"json:", b"text: ",
)  # fmt: skip
def cassette(data: bytes) -> None:
    with suppress(UnicodeDecodeError), _quick_yaml(data):
        text = data.decode()
        only_errors(lambda: reading.load(text, "cassette.yaml"))
    if not goes_on(data):
        return
    file = Path(_folder().name, "cassette.yaml")
    file.write_bytes(data)

    only_errors(lambda: _play(RecordedTransport(file, mode="none", clock=ManualClock())))
