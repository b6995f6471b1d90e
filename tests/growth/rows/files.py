"""Rows: files that others have made, or that were damaged: bundles, cassettes, traces, journals, settings."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from muxi.batch.journal import Journal, JournalFile
from muxi.batch.records import JournalHeader as Header
from muxi.batch.records import begun_line, header_line, parse, unsent_line
from muxi.bundles.contents import find_secrets, read_archive
from muxi.bundles.fields import _read_lines, read_fields
from muxi.cli.commands.audit import _read_line, count_calls
from muxi.cli.commands.batch.files import LineFile
from muxi.cli.commands.batch.prompts import Prompts, PromptTemplate
from muxi.cli.trace.page import escape_json
from muxi.plugins.chain import Chain, verify
from muxi.profiles.store import ProfileStore
from muxi.tracefile.reading import LineParser
from muxi.tracefile.summary import TraceSummary
from muxi.transport import Headers
from muxi_transports.recorded.exchange import Chunk, Exchange, RecordedError, RecordedRequest, RecordedResponse
from muxi_transports.recorded.matching import Matcher, nearest
from muxi_transports.recorded.reading import load
from muxi_transports.recorded.scrub import Scrubber
from muxi_transports.recorded.writing import dump
from tests.growth.rows.row import Row, binary, in_pieces, sized, texts, yaml
from tests.server.bench import archive

__all__ = ["ROWS"]

_FOLDER = tempfile.TemporaryDirectory(prefix="muxi-growth-")
_DIGEST = "0" * 32


def file_of(content: bytes | str, name: str) -> Path:
    path = Path(_FOLDER.name, name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_file(name: str, read: Callable[[str], object]) -> Callable[[str], object]:
    """A function of a text that is read from a file."""

    def run(text: str) -> object:
        return read(str(file_of(text, name)))

    return run


def end_of(path: str) -> None:
    """Continue an audit trail."""
    Chain(path).append({"event": "started"})


def read_journal(path: str) -> object:
    file = JournalFile(Journal(path), "client")
    try:
        return [file.look_up(position) for position in range(3)]
    finally:
        file.close()


def journal(*lines: bytes) -> str:
    return (header_line(Header(_DIGEST, "client")) + b"".join(lines)).decode()


def read_prompts(path: str) -> object:
    return sum(1 for _ in Prompts(path, None, "u").prompts())


def continue_answers(path: str) -> None:
    LineFile(path, resume=True).close()


def read_profiles(name: str, read: Callable[[ProfileStore], object]) -> Callable[[str], object]:
    """A function of the text of a file of settings."""
    folder = Path(_FOLDER.name, name)
    folder.mkdir()

    def run(text: str) -> object:
        for file in ("profiles.yaml", "formations.yaml", "defaults.yaml"):
            (folder / file).write_text(text)
        return read(ProfileStore(str(folder)))

    return run


def summarize(lines: bytes) -> object:
    parser, summary = LineParser(), TraceSummary()
    summary.add_all(parser.feed(lines))
    summary.add_all(parser.finish())
    summary.finish()
    return summary.describe(parser.tally), [escape_json(kept.details) for kept in summary.selection()]


def trace_line(event: str, **fields: object) -> bytes:
    return json.dumps({"v": 1, "t": 1.0, "at": 0.1, "call": "c", "event": event, **fields}).encode() + b"\n"


def feed_trace() -> Callable[[bytes], object]:
    parser = LineParser()
    return lambda piece: list(parser.feed(piece))


def cassette(text: str) -> object:
    return load(text, "cassette.yaml")


def recorded(**fields: object) -> str:
    exchange = {"request": {"method": "GET", "url": "/v1/x"}, "response": {"status": 200, **fields}}
    return json.dumps({"muxi-cassette": 1, "exchanges": [exchange]})


def scrub(kind: str, url: str = "/v1/x") -> Callable[[str], object]:
    """A function that scrubs an answer whose request carried keys."""
    headers = Headers({"Authorization": "Bearer hunter2-hunter2-hunter2", "Content-Type": "application/json"})

    def run(text: str) -> object:
        scrubber = Scrubber()
        scrubber.learn(RecordedRequest("POST", url, headers, b'{"password": "hunter2-hunter2"}'))
        scrubber.learn(RecordedRequest("POST", f"{url}?token=hunter2-hunter2&{text}", Headers()))
        body = json.dumps({"a": text, "token": [text]}) if kind == "application/json" else text
        response = RecordedResponse(200, Headers({"Content-Type": kind}), (Chunk(0.0, body.encode()),), reason="OK")
        request = RecordedRequest("POST", f"/v1/x?a={text}", headers, body.encode())
        error = RecordedError(0.0, "ServerError", "", text, {"details": {"a": text}})
        return dump(scrubber.exchange(Exchange(request, response, None, 0))), scrubber.exchange(
            Exchange(request, None, error, 0)
        )

    return run


def compare(text: str) -> object:
    sent = RecordedRequest("GET", f"/v1/{text}b?{text}", Headers(), text.encode())
    there = RecordedRequest("POST", f"/v1/a{text}?{text}", Headers(), f"[redacted]{text}".encode())
    return nearest(Matcher(), [there], sent)


_BEGUN = begun_line(1, _DIGEST) + unsent_line(1)
_EVENT = trace_line("event", type="text", text="a", data="b")
_CALL = (
    trace_line("started", operation="chat")
    + trace_line("attempt", attempt=1, headers=[["a", "b"]])
    + trace_line("finished", outcome="ok")
)

many_profiles = read_profiles("many", lambda store: (store.profiles(), store.get("q")))

ROWS: dict[str, Row] = {
    "read_fields": yaml(read_fields),
    "read_fields without PyYAML": texts(_read_lines, "id: a\n", "id:", " ", "'", "id: 'a' #"),
    "find_secrets": texts(lambda text: list(find_secrets(text)), "${{ secrets.", "${{ secrets.A }}", "}}", "$"),
    "read_archive": binary(lambda data: read_archive(io.BytesIO(data), "x"), b"\x1f\x8b", b"\0"),
    "an archive": sized(
        500,
        files=lambda size: (lambda data: lambda: read_archive(io.BytesIO(data), "x"))(
            archive({"bot/formation.afs": "id: bot\n", **{f"bot/{index}": "" for index in range(size)}})
        ),
        name=lambda size: (lambda data: lambda: read_archive(io.BytesIO(data), "x"))(
            archive({"bot/" + "a/" * size: ""})
        ),
    ),
    "a cassette": yaml(cassette),
    "the pieces of a cassette": sized(
        500,
        arrived=lambda size: (lambda text: lambda: cassette(text))(
            recorded(text="a" * size * 100, arrived=[[0, 100]] * size)
        ),
        stream=lambda size: (lambda text: lambda: cassette(text))(recorded(stream=[{"text": "a"}] * size)),
        base64=lambda size: (lambda text: lambda: cassette(text))(recorded(base64="YWFh" * size)),
        headers=lambda size: (lambda text: lambda: cassette(text))(recorded(headers={"a": ["b\u00fc"] * size})),
    ),
    # From 200 characters on: of paths that differ, no more are compared.
    "the comparison with a cassette": texts(compare, "a", "/", "%41", "&", "a=b&", "[redacted]", "req_")._replace(
        most_steps=20_000
    ),
    "scrubbing JSON": texts(
        scrub("application/json"), "://", "?a", "hunter2-hunte", "Bearer ", "\\", '"', "ü", "a=b&", most=5000
    ),
    "scrubbing text": texts(
        scrub("text/plain"),
        "://",
        "?a",
        "hunter2-hunter2",
        "hunter2-hunte",
        "Bearer a",
        "\r",
        "\n",
        "ü",
        "&token=",
        most=5000,
    ),
    "scrubbing events": texts(
        scrub("text/event-stream"),
        "data: {}\n\n",
        'data: {"token": "a"}\n\n',
        "data:",
        "\r\n",
        'data: "a"\n',
        most=5000,
    ),
    "a binary body of a cassette": binary(
        lambda data: dump(Exchange(RecordedRequest("POST", "/v1/x", Headers(), data + b"\xff"), None, None, 0)),
        b"a",
        b"\0",
    ),
    "the lines of a trace": binary(summarize, _EVENT, _CALL, b"\n", b"[", b"a", b'{"v":1}\n', trace_line("wait")),
    "a trace of many calls": sized(
        1000,
        calls=lambda size: (lambda data: lambda: summarize(data))(
            b"".join(trace_line("started", call=f"c{index}", operation=f"o{index}") for index in range(size))
        ),
    ),
    "a trace in pieces": in_pieces(feed_trace, b"a", b"a\n", b"\n", _CALL, piece=5),
    "the lines of a journal": texts(
        lambda text: read_journal(str(file_of(journal() + text, "journal"))),
        *(_BEGUN.decode(), "[", '{"done":', "a", '{"done":1,"call":"'),
    ),
    "a record of a journal": texts(
        lambda text: parse(text.encode(), 1), "[", '"', '{"begun":0,', begun_line(1, _DIGEST).decode().strip()
    ),
    "an audit trail": texts(read_file("trail", verify), "{}\n", "[", "a", '{"hash": "a"}\n'),
    "the end of an audit trail": texts(read_file("torn", end_of), "a", "{}\n", "["),
    "the calls of an audit trail": sized(
        calls=lambda size: lambda: count_calls({"event": "finished", "operation": f"o{one}"} for one in range(size)),
    ),
    "a line of an audit trail": texts(_read_line, "[", "{", '"'),
    "the answers of a batch": texts(
        read_file("answers.jsonl", continue_answers), '{"position": 1}\n', "[", '{"position":'
    ),
    "prompts in JSON": texts(read_file("prompts.jsonl", read_prompts), '"a"\n', '{"message": "a"}\n', "[", "\n", " "),
    "prompts in CSV": texts(
        read_file("prompts.csv", read_prompts), "message\na\n", "a,", '"', '""', "\n", "message,", after="\n"
    ),
    "the template of a prompt": texts(PromptTemplate, "{a}", "{", "{{", "{a!r", "{a:{b}"),
    "profiles": yaml(read_profiles("one", lambda store: (store.profiles(), store.formations(), store.user()))),
    "many profiles": sized(
        300,
        profiles=lambda size: (lambda text: lambda: many_profiles(text))(
            "profiles:\n" + "".join(f"  p{index}:\n    url: http://a\n" for index in range(size))
        ),
    ),
}

assert csv.field_size_limit() < 200_000, "a field of CSV is bounded"
