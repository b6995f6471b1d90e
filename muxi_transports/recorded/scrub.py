"""Scrubbing: keys, secrets and private data are taken out of an exchange before it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_plus, urlsplit, urlunsplit

from muxi.redact import REDACTED, SecretDict, is_secret_field, is_secret_header, mask_forms, redact_text, secret_forms
from muxi.transport import Headers
from muxi.transport.arguments import check_arguments
from muxi_transports.recorded.exchange import Chunk, Exchange, RecordedError, RecordedRequest, RecordedResponse
from muxi_transports.recorded.literals import Literal, literals_of

__all__ = ["Scrubber"]

# Shorter ones would be found in words that have nothing to do with them.
_SHORTEST = 8

# Shorter beginnings of secrets are words, or say only what kind of key it is.
_BEGINNING = 12

# Names that sound like secrets and are none: of things, and of what is known about them.
_HARMLESS = re.compile(r"(?:^|[-_])(?:ids?|names?|types?|counts?|kind|service|status|provider|at)$", re.IGNORECASE)
# Where the value of a secret is in a field of no telling name.
_SECRETS_ROUTE = re.compile(r"/secrets(?:/[^/]*)?$")
# No name has a question mark in it: else each one would be looked through to the end of the text.
_PARAMETER = re.compile(r"(?<=[?&])([^=&?\s\"'<>#]+)=([^&\s\"'<>#]+)")
_BEARER = re.compile(r"\b(Bearer\s+)[A-Za-z0-9._~+/\-]{8,}=*")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# Headers whose value begins with the name of a scheme (RFC 9110, section 11.4).
_SCHEMED = ("authorization", "proxy-authorization")


class _Edit(NamedTuple):
    """A part of a body, in bytes, and what is to be in its place."""

    start: int
    end: int
    content: bytes


@check_arguments()
@dataclass
class Scrubber:
    """Takes out of exchanges what must not be in a file, and puts ``[redacted]`` in its place.

    Whatever you add, these always go: headers that hold keys, signatures or cookies; users and passwords in URLs;
    fields of JSON bodies and parameters of queries whose names say that they hold secrets (``api_key``, ``token``,
    ``password``, ``credential`` with all that is in it); the values that formations keep as secrets; words in the shape
    of the platform's keys. A secret of eight characters or more that a request has carried is also taken out wherever
    else it turns up.

    Args:
        fields: names of further fields and parameters that are to go, such as ``email``.
        headers: names of further headers that are to go.
        values: texts that are to go wherever they turn up, such as the name of a customer.
        functions: functions from a text to what is to be written instead of it. They are shown each URL, each value of
            a header, each text of a JSON body, and every other text line by line.
        keep: names of fields and parameters that are to stay although they sound like secrets.
    """

    fields: Collection[str] = ()
    headers: Collection[str] = ()
    values: Collection[str] = field(default=(), repr=False)
    functions: Sequence[Callable[[str], str]] = ()
    keep: Collection[str] = ()
    #: Secrets that requests have carried, each with the forms in which it can occur.
    _known: SecretDict[tuple[str, ...]] = field(default_factory=SecretDict, init=False, repr=False, compare=False)

    def learn(self, request: RecordedRequest) -> bool:
        """Take note of the secrets that a request carries; whether there was one that had not been known."""
        before = len(self._known)
        for secret in request.secrets:
            self._note(secret)
        for name, value in request.headers.items():
            if self._is_secret_header(name):
                self._note(_credential(value) if name.lower() in _SCHEMED else value)
        self._note(unquote(urlsplit(request.url).password or ""))
        for name, value in _parameters(request.url):
            if self._is_secret_field(name):
                self._note(value)
        if request.content is not None:
            route = _route(request.url)
            for literal in literals_of(_text(request.content) or "") or ():
                if isinstance(literal.value, str) and self._is_secret(literal, route):
                    self._note(literal.value)
        return len(self._known) > before

    def request(self, request: RecordedRequest) -> RecordedRequest:
        """A request as it may be written."""
        content = request.content
        if content is not None:
            chunks = (Chunk(0.0, content),)
            content = b"".join(chunk.content for chunk in self._chunks(chunks, request.headers, _route(request.url)))
        headers = self._headers(request.headers)
        return replace(request, url=self._url(request.url), headers=headers, content=content, secrets=())

    def exchange(self, exchange: Exchange) -> Exchange:
        """An exchange as it may be written."""
        request, response, error = self.request(exchange.request), exchange.response, exchange.error
        return replace(
            exchange,
            request=request,
            response=response and self._response(response, _route(exchange.request.url)),
            error=error and self._error(error),
        )

    def text(self, text: str) -> str:
        """A text as it may be written."""
        # One may begin with another.
        for value in sorted((*self._known, *self.values), key=len, reverse=True):
            for form in {value, quote(value, safe="")}:
                text = text.replace(form, REDACTED) if form else text
        for forms in self._known.values():
            text = mask_forms(text, forms)
        for value in self._known:
            text = _redact_beginnings(text, value)
        text = _PARAMETER.sub(self._parameter, _BEARER.sub(lambda found: found[1] + REDACTED, redact_text(text)))
        for function in self.functions:
            text = function(text)
        return text

    def _note(self, value: str) -> None:
        if len(value) >= _SHORTEST and REDACTED not in value:
            self._known[value] = secret_forms((value,))

    def _is_secret_header(self, name: str) -> bool:
        return is_secret_header(name) or name.lower() in {it.lower() for it in self.headers}

    def _is_secret_field(self, name: str) -> bool:
        if name in self.keep:
            return False
        return name in self.fields or (is_secret_field(name) and _HARMLESS.search(name) is None)

    def _is_secret(self, literal: Literal, route: str, *, event: bool = False) -> bool:
        """True where a value is a secret, by the names of the fields that lead to it."""
        if not literal.path or isinstance(literal.value, bool) or literal.value in (None, ""):
            return False
        *around, name = literal.path
        if name in self.keep:
            return False
        if self._is_secret_field(name) or (name == "value" and _SECRETS_ROUTE.search(route)):
            # Many count their tokens.
            return isinstance(literal.value, str) or name in self.fields
        # What is said in a chat comes as `{"token": {"content": …}}`; lists of credentials have no secrets in them.
        holders = [it for it in around if self._is_secret_field(it) and it != "credentials"]
        if event and around[:1] == ["token"]:
            holders = holders[1:]
        return bool(holders) and _HARMLESS.search(name) is None

    def _url(self, url: str) -> str:
        parts = urlsplit(url)
        return self.text(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))

    def _parameter(self, found: re.Match[str]) -> str:
        return f"{found[1]}={REDACTED if self._is_secret_field(unquote_plus(found[1])) else found[2]}"

    def _headers(self, headers: Headers) -> Headers:
        return Headers(
            (name, REDACTED if self._is_secret_header(name) else self.text(value)) for name, value in headers.items()
        )

    def _error(self, error: RecordedError) -> RecordedError:
        facts = {name: self.text(value) if isinstance(value, str) else value for name, value in error.facts.items()}
        if details := facts.get("details"):
            text = json.dumps(details, ensure_ascii=False, default=str)
            facts["details"] = json.loads(_apply_edits(text, self._json_edits(text, "") or []))
        return replace(error, message=self.text(error.message), facts=facts)

    def _response(self, response: RecordedResponse, route: str) -> RecordedResponse:
        headers, length = self._headers(response.headers), len(response.content)
        chunks = self._chunks(response.chunks, response.headers, route)
        after = sum(len(chunk.content) for chunk in chunks)
        if after != length and headers.get("content-length") == str(length):
            headers["Content-Length"] = str(after)
        error = response.error and self._error(response.error)
        return replace(response, headers=headers, chunks=chunks, error=error, reason=self.text(response.reason))

    def _chunks(self, chunks: tuple[Chunk, ...], headers: Headers, route: str) -> tuple[Chunk, ...]:
        content = b"".join(chunk.content for chunk in chunks)
        text = _text(content)
        if not content:
            return chunks
        if text is None:
            return _apply(list(self._byte_edits(content)), chunks)
        edits = self._json_edits(text, route)
        edits = list(self._line_edits(content, route)) if edits is None else _in_bytes(text, edits)
        chunks = _apply(edits, chunks) if edits else chunks
        # Names of fields are no literals, and a secret may begin in one literal and end in the next.
        left = list(self._byte_edits(b"".join(chunk.content for chunk in chunks)))
        return _apply(left, chunks) if left else chunks

    def _json_edits(self, text: str, route: str, *, event: bool = False) -> list[_Edit] | None:
        """The edits of a JSON document, in characters; None where it is no JSON."""
        literals = literals_of(text)
        if literals is None:
            return None
        edits: list[_Edit] = []
        for literal in literals:
            if self._is_secret(literal, route, event=event):
                new = REDACTED
            elif isinstance(literal.value, str):
                new = self.text(literal.value)
            else:
                continue
            if new != literal.value:
                escaped = text[literal.start : literal.end].isascii()
                edits.append(_Edit(literal.start, literal.end, json.dumps(new, ensure_ascii=escaped).encode()))
        return edits

    def _byte_edits(self, content: bytes) -> Iterator[_Edit]:
        """The edits of content that is no text: the secrets that requests have carried, in any form."""
        forms = {form.encode("utf-8", "surrogatepass") for forms in self._known.values() for form in forms}
        found = [(at, -len(form)) for form in forms for at in _positions(content, form)]
        end = 0
        for start, length in sorted(found):
            if start >= end:
                end = start - length
                yield _Edit(start, end, REDACTED.encode())

    def _line_edits(self, content: bytes, route: str) -> Iterator[_Edit]:
        """The edits of a text, line by line: the data of an event may be JSON."""
        for found in _LINE.finditer(content):
            line = found[0].rstrip(b"\r\n")
            prefix = line[: 5 + line[5:6].isspace()] if line.startswith(b"data:") else b""
            data = line[len(prefix) :].decode()
            edits = self._json_edits(data, route, event=bool(prefix)) if prefix else None
            new = self.text(data) if edits is None else _apply_edits(data, edits)
            if new != data:
                start = found.start() + len(prefix)
                yield _Edit(start, found.start() + len(line), new.encode())


def _redact_beginnings(text: str, secret: str) -> str:
    """The text without what it repeats of a secret from its beginning, as servers do: ``invalid key hunter2-hun…``."""
    beginning = secret[: max(_BEGINNING, len(secret) // 2)]
    pieces: list[str] = []
    at = 0
    while (found := text.find(beginning, at)) >= 0:
        pairs = enumerate(zip(secret, text[found : found + len(secret)], strict=False))
        length = next((index for index, (one, other) in pairs if one != other), min(len(secret), len(text) - found))
        pieces += [text[at:found], REDACTED]
        at = found + length
    return "".join([*pieces, text[at:]]) if pieces else text


def _positions(content: bytes, part: bytes) -> Iterator[int]:
    """The places of a part in content, without overlaps."""
    at = content.find(part)
    while at >= 0:
        yield at
        at = content.find(part, at + len(part))


def _credential(value: str) -> str:
    """The secret of a ``Bearer …``; a value of more words is a signature, and another each time."""
    words = value.split()
    return words[-1] if len(words) in (1, 2) else ""


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _route(url: str) -> str:
    return urlsplit(url).path


def _parameters(url: str) -> Iterator[tuple[str, str]]:
    for found in _PARAMETER.finditer(url):
        yield unquote_plus(found[1]), unquote_plus(found[2])


def _apply_edits(text: str, edits: list[_Edit]) -> str:
    pieces: list[str] = []
    at = 0
    for edit in edits:
        pieces += [text[at : edit.start], edit.content.decode()]
        at = edit.end
    return "".join([*pieces, text[at:]])


def _in_bytes(text: str, edits: list[_Edit]) -> list[_Edit]:
    """Edits by characters as edits by bytes."""
    counted: list[_Edit] = []
    characters = count = 0
    for edit in edits:
        start = count + len(text[characters : edit.start].encode())
        end = start + len(text[edit.start : edit.end].encode())
        counted.append(_Edit(start, end, edit.content))
        characters, count = edit.end, end
    return counted


def _apply(edits: list[_Edit], chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    """The same chunks with other content: what replaces a part is in the chunk in which the part began."""
    changed: list[Chunk] = []
    begin = first = 0
    for chunk in chunks:
        end = begin + len(chunk.content)
        pieces: list[bytes] = []
        at = begin
        while first < len(edits) and edits[first].start < end:
            edit = edits[first]
            pieces.append(chunk.content[at - begin : max(at, edit.start) - begin])
            if edit.start >= begin:
                pieces.append(edit.content)
            at = max(at, min(edit.end, end))
            if edit.end > end:
                break  # it goes on in the next chunk
            first += 1
        pieces.append(chunk.content[at - begin :])
        changed.append(Chunk(chunk.at, b"".join(pieces)))
        begin = end
    return tuple(changed)
