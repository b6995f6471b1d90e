"""URLs, methods and headers on their way out, and headers on their way in, as every HTTP transport needs them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from muxi.errors import ConfigurationError, ValidationError
from muxi.redact import redact_text
from muxi.transport import Body, Headers
from muxi_transports.http.unix import SCHEME, socket_in

__all__ = [
    "ACCEPT_ENCODING",
    "PIECE",
    "Origin",
    "basic_credentials",
    "check_method",
    "parse_origin",
    "received_headers",
    "sendable_headers",
    "split_url",
]

#: The content codings that are asked for where a request names none; the transports undo them as the body arrives.
ACCEPT_ENCODING = "gzip, deflate"
#: Size of a read or a write, in bytes.
PIECE = 64 * 1024

_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_UNSENDABLE = re.compile(r"[^\x21-\x7e]")
_ORIGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*://[^/?#]*")


class Origin(NamedTuple):
    """The scheme, host and port of a URL, or the Unix socket that it names."""

    scheme: str
    host: str
    port: int
    #: The value of an ``Authorization`` header, out of a user and password in the URL.
    authorization: str | None
    #: The path of the Unix socket that it leads to, in place of host and port.
    socket: str | None = None

    def __repr__(self) -> str:
        # Without the credentials: an origin is a local variable of frames that fail.
        return f"Origin({self.scheme}, {self.where})"

    @property
    def where(self) -> str:
        """Host and port, or the socket, for messages."""
        if self.socket is not None:
            return f"the socket {self.socket}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def host_header(self) -> str:
        """The value of the ``Host`` header: the port is left out where it is the scheme's own (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


_PORTS = {"http": 80, "https": 443}


def check_method(method: str) -> None:
    """Refuse what is no method, such as one that would break out of the request line (RFC 9110, section 9.1).

    Raises:
        ConfigurationError: it is none.
    """
    if not _METHOD(method):
        raise ConfigurationError(f"{method!r} is not an HTTP method")


def split_url(url: str) -> tuple[str, str]:
    """The beginning of a URL up to its path, and the request target exactly as it stands there.

    Raises:
        ConfigurationError: it has characters that would break out of the request line, or no host.
    """
    found = _ORIGIN.match(url)
    if found is None or _UNSENDABLE.search(url):
        raise ConfigurationError(
            redact_text(f"{url!r} is not a URL that can be sent; it has to be absolute and percent-encoded")
        )
    target = url[found.end() :].partition("#")[0]
    return found[0], target if target.startswith("/") else "/" + target


def parse_origin(base: str) -> Origin:
    """Scheme, host and port of a URL's beginning, or the socket that it names (``http+unix://%2Frun%2Fmuxi.sock``).

    Raises:
        ConfigurationError: not http(s), no host, no such port, or this system has no Unix sockets.
    """
    try:
        parts = urlsplit(base)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(redact_text(f"{base!r} is not a URL: {error}")) from error
    if parts.scheme == SCHEME:
        return Origin("http", "localhost", 80, None, socket_in(parts.netloc))
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(redact_text(f"{base!r} is not an http or https URL"))
    if not host:
        raise ConfigurationError(redact_text(f"{base!r} names no host"))
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme], basic_credentials(parts))


def basic_credentials(parts: SplitResult) -> str | None:
    """The user and password of a URL as the value of an ``Authorization`` header (RFC 7617); None where it has none."""
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def sendable_headers(headers: Headers, body: Body | None, authorization: str | None = None) -> dict[str, str]:
    """The headers of a request as HTTP libraries take them: ``Accept-Encoding`` and ``Content-Length`` are set.

    Values of one name are joined by commas. ``Host`` and ``Transfer-Encoding`` are left to the library.

    Args:
        headers: the headers of the request. A ``Content-Length`` or ``Transfer-Encoding`` among them is left out where
            there is a body: its own ``length`` counts.
        body: the body of the request.
        authorization: an ``Authorization`` header out of the URL, used where the request has none.
    """
    sendable: dict[str, str] = {}
    kept = ""
    for name, value in headers.items():  # the values of one name come one after the other
        if kept and name.lower() == kept.lower():
            sendable[kept] += f", {value}"
            continue
        if body is not None and name.lower() in ("content-length", "transfer-encoding"):
            continue
        sendable[name] = value
        kept = name
    if "accept-encoding" not in headers:
        sendable["Accept-Encoding"] = ACCEPT_ENCODING
    if authorization is not None and "authorization" not in headers:
        sendable["Authorization"] = authorization
    if body is not None and body.length is not None:
        sendable["Content-Length"] = str(body.length)
    return sendable


def received_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """The headers of an answer. UTF-8 is decoded; folded lines are joined, and a name that is none is left out.

    Args:
        pairs: names, and values decoded as ISO 8859-1 (as HTTP libraries do).
    """
    found = [(name, value if value.isascii() else _as_utf8(value)) for name, value in pairs]
    try:
        return Headers(found)
    except ValidationError:
        headers = Headers()
        for name, value in found:
            try:
                headers.add(name, re.sub(r"[\r\n\0]+[ \t]*", " ", value))
            except ValidationError:
                continue
        return headers


def _as_utf8(value: str) -> str:
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
