"""Matching of requests with recorded ones: ids, keys and times that differ in each run are not compared."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from muxi.redact import REDACTED
from muxi_transports.recorded.exchange import RecordedRequest

__all__ = ["Match", "Matcher", "nearest"]

#: A function from a recorded request and the one that is sent to what differs; nothing is a match.
Match: TypeAlias = Callable[[RecordedRequest, RecordedRequest], Sequence[str]]

# Ids of requests, which the SDK makes up anew each time (and the formation, where it does not).
_MADE_UP = re.compile(r"req_[A-Za-z0-9_-]{8,}")

_MISSING = object()

#: Characters of two paths that are compared for their likeness, which takes quadratic time.
_COMPARED = 200


@dataclass(frozen=True)
class Matcher:
    """Compares method, path, query, body and the user; a part that is switched off is not looked at.

    Hosts are not compared, so that what was recorded on one plays on another, and of headers only those given. The
    order of query parameters does not count, nor how a JSON body is written. Ids of requests (``req_…``) are all the
    same, and ``[redacted]`` in a recording is whatever is sent in its place.

    Args:
        query: whether queries are compared.
        body: whether bodies are compared.
        headers: names of headers that are compared.
        ignore: names of query parameters and of fields, wherever they are in a JSON body, that are not looked at.
    """

    query: bool = True
    body: bool = True
    headers: Collection[str] = ("X-Muxi-User-ID",)
    ignore: Collection[str] = ()

    def __call__(self, recorded: RecordedRequest, sent: RecordedRequest) -> list[str]:
        """The differences, a line for each, as ``body.message: sent 'Hello', recorded 'Hi'``; empty for a match."""
        return list(self._differences(recorded, sent))

    def _differences(self, recorded: RecordedRequest, sent: RecordedRequest) -> Iterator[str]:
        if recorded.method.upper() != sent.method.upper():
            yield _line("method", sent.method, recorded.method)
        there, here = urlsplit(recorded.url), urlsplit(sent.url)
        if not _same_path(there.path, here.path):
            yield _line("path", here.path, there.path)
        if self.query:
            yield from self._data("query", _parameters(there.query), _parameters(here.query))
        for name in self.headers:
            then, now = (it.headers.get(name) for it in (recorded, sent))
            yield from _values(f"header {name}", _or_missing(then), _or_missing(now))
        if self.body:
            yield from self._bodies(recorded, sent)

    def _bodies(self, recorded: RecordedRequest, sent: RecordedRequest) -> Iterator[str]:
        if recorded.digest or sent.digest:
            if recorded.digest != sent.digest:
                yield _line("body", sent.digest or "another body", recorded.digest or "another body")
            return
        yield from self._data("body", _content(recorded), _content(sent))

    def _data(self, where: str, recorded: object, sent: object) -> Iterator[str]:
        if isinstance(recorded, dict) and isinstance(sent, dict):
            for name in dict.fromkeys([*sent, *recorded]):
                if name not in self.ignore:
                    yield from self._data(f"{where}.{name}", recorded.get(name, _MISSING), sent.get(name, _MISSING))
        elif isinstance(recorded, list) and isinstance(sent, list) and len(recorded) == len(sent):
            for index, (one, other) in enumerate(zip(recorded, sent, strict=True)):
                yield from self._data(f"{where}[{index}]", one, other)
        else:
            yield from _values(where, recorded, sent)


def nearest(match: Match, candidates: Sequence[RecordedRequest], sent: RecordedRequest) -> tuple[int, Sequence[str]]:
    """The candidate that is most like what is sent, as its index, and what differs.

    Raises:
        ValueError: there are no candidates.
    """

    def distance(index: int) -> tuple[bool, float, bool, int]:
        then, now = urlsplit(candidates[index].url).path, urlsplit(sent.url).path
        same = _same_path(then, now)
        alike = 1.0 if same else SequenceMatcher(None, then[:_COMPARED], now[:_COMPARED], autojunk=False).ratio()
        other_method = candidates[index].method.upper() != sent.method.upper()
        return alike < 1, 1 - alike, other_method, len(differences[index])

    differences = [match(candidate, sent) for candidate in candidates]
    found = min(range(len(candidates)), key=distance)
    return found, differences[found]


def _same_path(recorded: str, sent: str) -> bool:
    then, now = ([unquote(segment) for segment in path.split("/")] for path in (recorded, sent))
    return len(then) == len(now) and all(_same(one, other) for one, other in zip(then, now, strict=True))


def _same(recorded: object, sent: object) -> bool:
    """True where two values match: equal, made-up ids, or redacted in the recording."""
    if all(value is _MISSING or (isinstance(value, str) and _MADE_UP.fullmatch(value)) for value in (recorded, sent)):
        return True
    if not isinstance(recorded, str) or not isinstance(sent, str):
        # JSON's true is not its 1.
        return recorded == sent and isinstance(recorded, bool) is isinstance(sent, bool)
    if recorded == sent:
        return True
    if REDACTED not in recorded:
        return False
    # Where the SDK says something about a secret it does so in words that may differ.
    return _has_parts(sent, recorded.split(REDACTED))


def _has_parts(text: str, parts: Sequence[str]) -> bool:
    """True where a text consists of these parts, in this order, with anything between them; in linear time."""
    first, *middle, last = parts
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _values(where: str, recorded: object, sent: object) -> Iterator[str]:
    if not _same(recorded, sent):
        yield _line(where, sent, recorded)


def _line(where: str, sent: object, recorded: object) -> str:
    if recorded is _MISSING:
        return f"{where}: sent {_shorten(sent)}, not recorded"
    if sent is _MISSING:
        return f"{where}: not sent, recorded {_shorten(recorded)}"
    return f"{where}: sent {_shorten(sent)}, recorded {_shorten(recorded)}"


def _shorten(value: object, length: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}…"


def _or_missing(value: object) -> object:
    return _MISSING if value is None else value


def _parameters(query: str) -> dict[str, object]:
    """The parameters by name; one that comes more than once has a list, in which order does not count."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else sorted(values) for name, values in found.items()}


def _content(request: RecordedRequest) -> object:
    """A body as data where it is JSON, else as text or bytes."""
    content = request.content
    if not content:
        return _MISSING
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
