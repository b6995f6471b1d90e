"""Cassettes as text: YAML that reads well, differs in few lines where little has changed, and loses no byte."""

from __future__ import annotations

import base64
import re
import secrets
from http import HTTPStatus
from typing import Any

import yaml

from muxi.transport import Headers
from muxi_transports.recorded.exchange import Exchange, RecordedError, RecordedRequest, RecordedResponse
from muxi_transports.recorded.json_style import style_of

__all__ = ["HEAD", "VERSION", "dump", "reason_of"]

#: The version of the format; each file begins with it.
VERSION = 1

HEAD = f"muxi-cassette: {VERSION}\nexchanges:\n"

# What YAML can have as an indented block: several lines, the first not indented, none ended in another way.
_BLOCK = re.compile(r"\S[^\r\t\x85\u2028\u2029]*\n[^\r\t\x85\u2028\u2029]*\Z")

_BREAK = re.compile("[\n\r\x85\u2028\u2029]")


def dump(exchange: Exchange, indent: int = 0) -> str:
    """One exchange as an entry of the list in a file, indented by so many columns."""
    binary = _Binary()
    text = yaml.dump(
        [_exchange(exchange, binary)],
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=2**31,
    )
    text = binary.put_in(text)
    if not indent:
        return text
    return "".join(" " * indent + line + "\n" if line else "\n" for line in text.split("\n")[:-1])


def reason_of(status: int) -> str:
    """The usual phrase for a status; the one that is not written down."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


#: Length from which a text of a JSON document is written without PyYAML, in characters.
_LONG = 4096


class _Binary:
    """The binary bodies and long texts of an exchange. PyYAML looks at each character; theirs are put in afterwards."""

    def __init__(self) -> None:
        self._contents: list[bytes] = []
        self._texts: list[str] = []
        # Nothing that was recorded has these words in it: they are made up here.
        token = secrets.token_hex(16)
        self._word, self._text_word = f"base64-{token}-", f"text-{token}-"

    def shorten(self, value: object) -> object:
        """Return JSON data with a word in place of each long text; only of printable ASCII, such as base64."""
        if isinstance(value, str) and len(value) >= _LONG and value.isascii() and value.isprintable():
            self._texts.append(value)
            return f"{self._text_word}{len(self._texts) - 1}"
        if isinstance(value, dict):
            return {name: self.shorten(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.shorten(item) for item in value]
        return value

    def keep(self, content: bytes) -> str:
        """Keep a body; return the word that stands for it."""
        self._contents.append(content)
        return f"{self._word}{len(self._contents) - 1}"

    def put_in(self, text: str) -> str:
        """The text with each word replaced by its body as an indented block, or by its text in quotes."""
        if self._texts:
            text = re.sub(rf"(?m){self._text_word}(\d+)$", self._quoted, text)
        if not self._contents:
            return text
        return re.sub(rf"(?m)^([ -]*)(base64: ){self._word}(\d+)$", self._block, text)

    def _quoted(self, found: re.Match[str]) -> str:
        text = self._texts[int(found[1])].replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'

    def _block(self, found: re.Match[str]) -> str:
        lines = base64.encodebytes(self._contents[int(found[3])]).decode("ascii").split("\n")[:-1]
        margin = "\n" + " " * (len(found[1]) + 2)
        return f"{found[1]}{found[2]}|{margin}{margin.join(lines)}"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Where a block cannot have it after all, PyYAML takes quotes by itself.
    style = "|" if _BLOCK.match(text) else '"' if _BREAK.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _exchange(exchange: Exchange, binary: _Binary) -> dict[str, object]:
    entry: dict[str, object] = {"request": _request(exchange.request, binary)}
    if exchange.response is not None:
        entry["response"] = _response(exchange.response, binary)
    if exchange.error is not None:
        entry["error"] = _error(exchange.error)
    return entry


def _request(request: RecordedRequest, binary: _Binary) -> dict[str, object]:
    entry: dict[str, object] = {"method": request.method, "url": request.url}
    if len(request.headers):
        entry["headers"] = _headers(request.headers)
    if request.digest is not None:
        entry["digest"] = request.digest
    elif request.content is not None:
        entry |= _content(request.content, binary)
    return entry


def _response(response: RecordedResponse, binary: _Binary) -> dict[str, object]:
    entry: dict[str, object] = {"status": response.status}
    if response.reason != reason_of(response.status):
        entry["reason"] = response.reason
    if response.http_version != "1.1":
        entry["http_version"] = response.http_version
    entry["at"] = response.at
    if len(response.headers):
        entry["headers"] = _headers(response.headers)
    if _is_stream(response):
        entry["stream"] = [{"at": chunk.at, **_content(chunk.content, binary, data=False)} for chunk in response.chunks]
    elif response.chunks:
        entry |= _content(response.content, binary)
        times = [[chunk.at, len(chunk.content)] for chunk in response.chunks]
        entry["arrived"] = times[0][0] if len(times) == 1 else _Flow(times)
    # Last, so that no tool that trims the ends of files takes a line break from a body.
    if response.error is not None:
        entry["error"] = _error(response.error)
    elif response.closed is not None:
        entry["closed"] = response.closed
    elif response.ended is not None:
        entry["ended"] = response.ended
    return entry


class _Flow(list[object]):
    """A list that is written in one line."""


def _flow(dumper: yaml.SafeDumper, data: _Flow) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_Dumper.add_representer(_Flow, _flow)


def _is_stream(response: RecordedResponse) -> bool:
    kind = (response.headers.get("content-type") or "").partition(";")[0].strip().lower()
    return kind == "text/event-stream" and bool(response.chunks)


def _content(content: bytes, binary: _Binary, *, data: bool = True) -> dict[str, object]:
    if data and (found := style_of(content)) is not None:
        document, style = found
        return {"json": binary.shorten(document), **({"json_style": _Flow(style)} if style else {})}
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": binary.keep(content)}


def _headers(headers: Headers) -> dict[str, object]:
    entry: dict[str, object] = {}
    for name in headers:
        values = headers.get_all(name)
        entry[name] = values[0] if len(values) == 1 else values
    return entry


def _error(error: RecordedError) -> dict[str, object]:
    return {"at": error.at, "type": error.type, "code": error.code, "message": error.message, **error.facts}
