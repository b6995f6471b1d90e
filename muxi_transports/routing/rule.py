"""Rules that match requests: ``[methods] [scheme://][host[:port]][/path]``, every part optional."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from muxi.errors import ConfigurationError
from muxi.redact import redact_text
from muxi.transport import Request

__all__ = ["Place", "RoutingRule", "parse_rule", "place_of"]

_PORTS = {"http": 80, "https": 443}
_SHAPE = re.compile(
    r"(?:(?P<methods>[A-Za-z]+(?:,[A-Za-z]+)*)[ ]+)?"
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]?#]*)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^\s?#]*)?"
)


class Place(NamedTuple):
    """The destination of a request, as rules match it."""

    method: str
    scheme: str
    host: str
    port: int | None
    #: The segments of the path, each percent-decoded by itself.
    segments: tuple[str, ...]


def place_of(request: Request) -> Place:
    """Return the destination of a request.

    Raises:
        ConfigurationError: its URL is not one.
    """
    try:
        parts = urlsplit(request.url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(redact_text(f"{request.url!r} is not a URL: {error}")) from error
    return Place(
        request.method.upper(),
        parts.scheme,
        parts.hostname or "",
        port or _PORTS.get(parts.scheme),
        _segments(parts.path),
    )


@dataclass(frozen=True)
class RoutingRule:
    """A rule, taken apart; None and empty fit everything."""

    text: str
    methods: frozenset[str]
    scheme: str | None
    host: str | None
    port: int | None
    path: tuple[str, ...]

    def fits(self, place: Place) -> bool:
        """True where the rule matches a request to that place."""
        return (
            (not self.methods or place.method in self.methods)
            and (self.scheme is None or place.scheme == self.scheme)
            and (self.host is None or _matches_host(self.host, place.host))
            and (self.port is None or place.port == self.port)
            and _matches_path(self.path, place.segments)
        )


def parse_rule(text: str) -> RoutingRule:
    """Take a rule apart.

    Raises:
        ConfigurationError: it is not a rule.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"rules= takes rules as texts, got {type(text).__name__}")
    found = _SHAPE.fullmatch(text.strip())
    port = int(found["port"]) if found and found["port"] else None
    if not text.strip() or found is None or (port or 0) > 65535:
        shown = text.rpartition("@")[2]  # a rule has no user and password; they are not to be shown
        raise ConfigurationError(
            redact_text(f"{shown!r} is not a rule; write [METHODS] [scheme://][host[:port]][/path], as in ")
            + "'POST https://*.example.com/v1/chat', 'localhost:8001' or '/**/chat'"
        )
    host = found["host"].strip("[]").lower()
    scheme = found["scheme"].lower() if found["scheme"] else None
    if port is None and scheme is not None and host:
        port = _PORTS.get(scheme)
    methods = frozenset(found["methods"].upper().split(",")) if found["methods"] else frozenset[str]()
    return RoutingRule(text.strip(), methods, scheme, host or None, port, _segments((found["path"] or "").rstrip("/")))


def _segments(path: str) -> tuple[str, ...]:
    return tuple(unquote(segment) for segment in path.split("/")[1:])


def _matches_host(pattern: str, host: str) -> bool:
    """Match a host against a pattern; ``*`` is any text."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), host) is not None


def _matches_path(pattern: tuple[str, ...], segments: tuple[str, ...]) -> bool:
    """Match the beginning of a path; ``*`` is one segment, ``**`` any number of them."""
    # Where in the path one may be after what has been read of the pattern.
    reached = {0}
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(segments) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(segments) and part in ("*", segments[at])}
        if not reached:
            return False
    return True
