"""Cassettes out of their text, with an error that names the line for whatever is not as it should be."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

import yaml

from muxi import errors
from muxi.errors import MuxiError, ValidationError
from muxi.transport import Headers
from muxi_transports.recorded.errors import CassetteError
from muxi_transports.recorded.exchange import FACTS, Chunk, Exchange, RecordedError, RecordedRequest, RecordedResponse
from muxi_transports.recorded.json_style import STYLES, written
from muxi_transports.recorded.writing import VERSION, reason_of

__all__ = ["load"]


class _Loader(yaml.SafeLoader):
    """YAML with the plain values of JSON: ``no`` and ``2026-11-22`` are texts.

    Nothing is more than a text here that is one for PyYAML, which writes such texts without quotes.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012  as in the base class


for _tag, _pattern, _first in (
    ("null", r"(?:null|~|)$", ["n", "~", ""]),
    ("bool", r"(?:true|false)$", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)\.[0-9]*(?:[eE][-+][0-9]+)?$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def load(text: str, name: str) -> tuple[list[Exchange], int | None]:
    """The exchanges of a cassette, and by how much its entries are indented.

    Args:
        text: the text.
        name: what the file is called in errors.

    Returns:
        The exchanges, and the column of the list's dashes; None where nothing can be put after its end.

    Raises:
        CassetteError: it is not a cassette, or one of another version.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise CassetteError(f"{name}:{mark.line + 1 if mark else 1}: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise CassetteError(f"{name} is not YAML: {error}") from error
    if node is None:
        raise CassetteError(f"{name} is empty; delete it to record it anew")
    _check_aliases(node, name)
    root = _Node(node, name, "the file")
    fields = root.fields()
    if "muxi-cassette" not in fields:
        raise root.wrong(f"is not a cassette: it has to begin with 'muxi-cassette: {VERSION}'")
    version = fields.pop("muxi-cassette")
    if version.text() != str(VERSION):
        raise version.wrong(
            f"is of version {version.text()!r} of the format, and this muxi-client reads version {VERSION}; "
            "record it anew, or read it with the muxi-client that has written it"
        )
    root.only(fields, "exchanges")
    entries = fields.get("exchanges")
    if entries is None or entries.is_null:
        return [], None
    exchanges = [_exchange(entry) for entry in entries.items()]
    last = [*fields][-1] == "exchanges" and isinstance(node, yaml.MappingNode) and not node.flow_style
    blocks = isinstance(entries.node, yaml.SequenceNode) and not entries.node.flow_style
    blocks = blocks and text.endswith("\n") and not text.rstrip().endswith("\n...")
    return exchanges, entries.node.start_mark.column if last and blocks else None


#: Limits on aliases: a file may expand to ten times its length, and to 100,000 characters in any case.
_GROWTH, _SLACK = 10, 100_000


def _check_aliases(root: yaml.Node, name: str) -> None:
    """Refuse a file whose aliases repeat each other: a few hundred bytes can stand for gigabytes.

    Raises:
        CassetteError: it is one, or an anchor contains itself.
    """
    written = 0
    expanded: dict[int, int] = {}
    open_nodes: set[int] = set()
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    while stack:
        node, is_complete = stack.pop()
        key = id(node)
        if is_complete:
            open_nodes.discard(key)
            own = len(node.value) + 1
            written += own
            expanded[key] = own + sum(expanded[id(child)] for child in _children(node))
        elif key in open_nodes:
            raise _Node(node, name, "the file").wrong("has an anchor in it that contains itself")
        elif key not in expanded:
            open_nodes.add(key)
            stack.append((node, True))
            stack += [(child, False) for child in _children(node)]
    if expanded[id(root)] > _GROWTH * written + _SLACK:
        raise _Node(root, name, "the file").wrong("repeats itself by aliases (*name) until it could fill the memory")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


@dataclass(frozen=True)
class _Node:
    """A part of a file, and what it is called in errors."""

    node: yaml.Node
    name: str
    what: str

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    @property
    def is_null(self) -> bool:
        return bool(self.node.tag == "tag:yaml.org,2002:null")

    def wrong(self, problem: str) -> CassetteError:
        return CassetteError(f"{self.name}:{self.line}: {self.what} {problem}")

    def fields(self) -> dict[str, _Node]:
        """The fields of a mapping, in order."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("has to be a mapping of names to values")
        found: dict[str, _Node] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.wrong("has a name in it that is not a text")
            field = _Node(key, self.name, "a name").text()
            if field in found:
                raise _Node(key, self.name, self.what).wrong(f"has {field!r} twice")
            found[field] = _Node(value, self.name, f"{field!r}")
        return found

    def items(self) -> list[_Node]:
        """The items of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong("has to be a list")
        return [_Node(item, self.name, f"an entry of {self.what}") for item in self.node.value]

    def text(self) -> str:
        """A text, or whatever else is written in one word: ``200`` as ``"200"``."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.wrong("has to be a text")
        text = str(self.node.value)
        if text.isascii():
            return text
        try:
            # As in JSON, an escaped pair of surrogates is one character.
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self.wrong("has half of a surrogate pair in it, which stands for no character") from None

    def number(self) -> float:
        """A number from 0 up: of seconds."""
        data = self.data()
        if isinstance(data, bool) or not isinstance(data, int | float) or not 0 <= data < float("inf"):
            raise self.wrong("has to be a number from 0 up")
        return data

    def whole(self) -> int:
        """A whole number from 0 up."""
        number = self.number()
        if not isinstance(number, int):
            raise self.wrong("has to be a whole number")
        return number

    def data(self) -> object:
        """The value as JSON data."""
        if isinstance(self.node, yaml.MappingNode):
            return {name: value.data() for name, value in self.fields().items()}
        if isinstance(self.node, yaml.SequenceNode):
            return [item.data() for item in self.items()]
        text, kind = self.text(), self.node.tag.rpartition(":")[2]
        try:
            return {"null": lambda: None, "bool": lambda: text == "true", "int": lambda: int(text)}.get(
                kind, lambda: float(text) if kind == "float" else text
            )()
        except ValueError as error:
            raise self.wrong(f"is no number: {error}") from error

    def only(self, fields: dict[str, _Node], *known: str) -> None:
        """Refuse unknown fields, which are misspelt."""
        for name, value in fields.items():
            if name not in known:
                raise value.wrong(f"is unknown here; known are {', '.join(known)}")

    def need(self, fields: dict[str, _Node], name: str) -> _Node:
        """A field that has to be there."""
        if name not in fields:
            raise self.wrong(f"has no {name!r}")
        return fields[name]


_BODIES = ("json", "json_style", "text", "base64")


def _exchange(entry: _Node) -> Exchange:
    fields = entry.fields()
    entry.only(fields, "request", "response", "error")
    request = _request(entry.need(fields, "request"))
    if ("response" in fields) is ("error" in fields):
        raise entry.wrong("has to have either a 'response' or an 'error'")
    response = _response(fields["response"]) if "response" in fields else None
    error = _error(fields["error"], 0.0) if "error" in fields else None
    return Exchange(request, response, error, entry.line)


def _request(entry: _Node) -> RecordedRequest:
    fields = entry.fields()
    entry.only(fields, "method", "url", "headers", "digest", *_BODIES)
    digest = fields["digest"].text() if "digest" in fields else None
    content = _content(entry, fields)
    if digest is not None and content is not None:
        raise entry.wrong("has a body and a digest; give one of them")
    method, url = (entry.need(fields, name).text() for name in ("method", "url"))
    return RecordedRequest(method, url, _headers(fields), content, digest)


def _response(entry: _Node) -> RecordedResponse:
    fields = entry.fields()
    entry.only(
        fields,
        *("status", "reason", "http_version", "at", "headers", "stream", *_BODIES, "arrived"),
        *("ended", "closed", "error"),
    )
    status = entry.need(fields, "status").whole()
    times = {name: fields[name].number() for name in ("at", "ended", "closed") if name in fields}
    if len({"ended", "closed", "error"} & fields.keys()) > 1:
        raise entry.wrong("has to have one of 'ended', 'closed' and 'error'")
    at = times.get("at", 0.0)
    chunks = _chunks(entry, fields, at)
    return RecordedResponse(
        status,
        _headers(fields),
        chunks,
        reason=fields["reason"].text() if "reason" in fields else reason_of(status),
        http_version=fields["http_version"].text() if "http_version" in fields else "1.1",
        at=at,
        ended=times.get("ended"),
        closed=times.get("closed"),
        error=_error(fields["error"], chunks[-1].at if chunks else at) if "error" in fields else None,
    )


def _chunks(entry: _Node, fields: dict[str, _Node], at: float) -> tuple[Chunk, ...]:
    """A body in the pieces in which it came. One that says nothing about when came with its head."""
    content = _content(entry, fields)
    if "stream" not in fields:
        return () if content is None else _pieces(content, fields.get("arrived"), at)
    if content is not None or "arrived" in fields:
        raise entry.wrong("has a stream and another body; give one of them")
    chunks: list[Chunk] = []
    for item in fields["stream"].items():
        parts = item.fields()
        item.only(parts, "at", *_BODIES)
        at = parts["at"].number() if "at" in parts else at
        piece = _content(item, parts)
        if piece is None:
            raise item.wrong("has no body: give 'text', 'json' or 'base64'")
        chunks.append(Chunk(at, piece))
    return tuple(chunks)


def _pieces(content: bytes, arrived: _Node | None, at: float) -> tuple[Chunk, ...]:
    if arrived is None:
        return (Chunk(at, content),)
    if isinstance(arrived.node, yaml.ScalarNode):
        return (Chunk(arrived.number(), content),)
    chunks: list[Chunk] = []
    begin = 0
    for item in arrived.items():
        pair = item.items()
        if len(pair) != 2:
            raise item.wrong("has to be a time and a number of bytes")
        end = begin + pair[1].whole()
        chunks.append(Chunk(pair[0].number(), content[begin:end]))
        begin = end
    if begin < len(content) and chunks:
        # The body has been made longer by hand.
        chunks[-1] = Chunk(chunks[-1].at, chunks[-1].content + content[begin:])
    return tuple(chunks)


def _content(entry: _Node, fields: dict[str, _Node]) -> bytes | None:
    given = [name for name in ("json", "text", "base64") if name in fields]
    if len(given) > 1:
        raise entry.wrong(f"has {' and '.join(map(repr, given))}; give one of them")
    if "json" in fields:
        style = tuple(item.text() for item in fields["json_style"].items()) if "json_style" in fields else ()
        if unknown := set(style) - {*STYLES}:
            raise fields["json_style"].wrong(f"knows {', '.join(STYLES)}, not {', '.join(sorted(unknown))}")
        return written(fields["json"].data(), style)
    if "json_style" in fields:
        raise fields["json_style"].wrong("is of no use without 'json'")
    if "text" in fields:
        return fields["text"].text().encode()
    if "base64" in fields:
        try:
            return base64.b64decode("".join(fields["base64"].text().split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise fields["base64"].wrong(f"is not base64: {error}") from error
    return None


def _headers(fields: dict[str, _Node]) -> Headers:
    headers = Headers()
    if "headers" not in fields:
        return headers
    for name, value in fields["headers"].fields().items():
        values = value.items() if isinstance(value.node, yaml.SequenceNode) else [value]
        for one in values:
            try:
                headers.add(name, one.text())
            except ValidationError as error:
                raise one.wrong(f"is no header: {error.message}") from error
    return headers


def _error(entry: _Node, at: float) -> RecordedError:
    fields = entry.fields()
    entry.only(fields, "at", "type", "code", "message", *FACTS)
    kind = entry.need(fields, "type")
    found = getattr(errors, kind.text(), None)
    if not (isinstance(found, type) and issubclass(found, MuxiError)):
        raise kind.wrong(f"is no error of muxi.errors: {kind.text()!r}")
    return RecordedError(
        fields["at"].number() if "at" in fields else at,
        kind.text(),
        fields["code"].text() if "code" in fields else "",
        fields["message"].text() if "message" in fields else "",
        {name: fields[name].data() for name in FACTS if name in fields},
    )
