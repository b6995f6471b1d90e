"""Names and attributes of HTTP spans and metrics, by OpenTelemetry's stable semantic conventions.

https://opentelemetry.io/docs/specs/semconv/http/ — pure functions over requests and errors; the names of
generative AI, which still change, are in :mod:`muxi.plugins.tracing.genai`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from muxi.config import Address
from muxi.errors import ConnectionError, MuxiError, StreamInterrupted, TimeoutError, TurnFailed
from muxi.redact import is_secret_header, redact_text

__all__ = [
    "Attributes",
    "error_code",
    "error_type",
    "formation_of",
    "is_transport_failure",
    "method_of",
    "redacted_url",
    "response_attributes",
    "server_of",
    "span_name",
    "template_of",
]

#: Attributes of a span or a metric; OpenTelemetry has no None.
Attributes: TypeAlias = dict[str, str | int | float | bool]

#: The version of the conventions.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.0"

ERROR_TYPE: Final = "error.type"
NETWORK_PROTOCOL_VERSION: Final = "network.protocol.version"
REQUEST_METHOD: Final = "http.request.method"
REQUEST_METHOD_ORIGINAL: Final = "http.request.method_original"
RESEND_COUNT: Final = "http.request.resend_count"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
STATUS_CODE: Final = "http.response.status_code"
URL_FULL: Final = "url.full"
URL_TEMPLATE: Final = "url.template"

# Names of our own, where the conventions have none.
ATTEMPTS: Final = "muxi.attempts"
ERROR_CODE: Final = "muxi.error.code"
FORMATION: Final = "muxi.formation.id"
OPERATION: Final = "muxi.operation"
REQUEST_ID: Final = "muxi.request.id"
STREAM_END: Final = "muxi.stream.end"
STREAM_EVENTS: Final = "muxi.stream.events"
TIME_TO_FIRST_EVENT: Final = "muxi.stream.time_to_first_event"

#: The events on the span of a stream's attempt.
FIRST_EVENT: Final = "muxi.stream.first_event"
LAST_EVENT: Final = "muxi.stream.end"

#: Upper bounds of the histogram of requests, in seconds, as the conventions recommend them.
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})

_PORTS = {"http": 80, "https": 443}

#: Replacement of a secret in a URL.
_HIDDEN = "REDACTED"

#: Secret query parameters that the conventions name, in addition to those recognized by their name.
_SECRET_PARAMETERS = frozenset({"awsaccesskeyid", "key", "sig"})

#: The end of the base URL of a formation behind a server's proxy.
_BEHIND_PROXY = re.compile(r"/(api|draft)/([^/]+)(/v1)\Z")


def method_of(method: str) -> dict[str, str]:
    """Return the attributes of a method, ``_OTHER`` for one that the conventions do not know."""
    if method in _METHODS:
        return {REQUEST_METHOD: method}
    return {REQUEST_METHOD: "_OTHER", REQUEST_METHOD_ORIGINAL: method}


def span_name(method: Mapping[str, str], known: Mapping[str, object]) -> str:
    """Return the name of a span: the method, and the route if it is known."""
    verb = "HTTP" if REQUEST_METHOD_ORIGINAL in method else method[REQUEST_METHOD]
    return f"{verb} {known[URL_TEMPLATE]}" if URL_TEMPLATE in known else verb


def server_of(url: str) -> Attributes:
    """Return the attributes of a URL's host and port."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return {}
    found: Attributes = {}
    if parts.hostname:
        found[SERVER_ADDRESS] = parts.hostname
    if port is not None:
        found[SERVER_PORT] = port
    return found


def template_of(path: str, address: Address) -> str:
    """Return the route from the root of the server, without ids.

    Args:
        path: route below the base URL, with its parameters in braces.
        address: address of the client.
    """
    base = urlsplit(address.base_url).path
    if address.proxied:
        base = _BEHIND_PROXY.sub(r"/\1/{formation_id}\3", base)
    return base + path


def formation_of(address: Address) -> str | None:
    """Return the id of a formation behind a server's proxy; None if it is addressed directly."""
    found = _BEHIND_PROXY.search(address.base_url) if address.proxied else None
    return found[2] if found else None


def redacted_url(url: str) -> str:
    """Return a URL without user and password, and with the values of secret query parameters masked."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return redact_text(url)
    # An "@" after the host does not mark a user.
    rest = urlunsplit(("", "", redact_text(parts.path), _query(parts.query), redact_text(parts.fragment)))
    return f"{parts.scheme}://{_host_alone(parts.netloc)}{rest}"


def _host_alone(netloc: str) -> str:
    user, at, host = netloc.rpartition("@")
    if not at:
        return host
    return f"{_HIDDEN}:{_HIDDEN}@{host}" if ":" in user else f"{_HIDDEN}@{host}"


def _query(query: str) -> str:
    return "&".join(_parameter(*pair.partition("=")) for pair in query.split("&")) if query else ""


def _parameter(name: str, equals: str, value: str) -> str:
    secret = name.lower() in _SECRET_PARAMETERS or is_secret_header(name)
    return f"{name}{equals}{_HIDDEN if secret and value else redact_text(value)}"


def error_type(error: BaseException) -> str:
    """Return the class name of an error: a low-cardinality attribute."""
    return type(error).__qualname__


def error_code(error: BaseException) -> str | None:
    """Return the code of an error of the SDK. Its message may quote an agent, and is not for spans."""
    return error.code or None if isinstance(error, MuxiError) else None


def is_transport_failure(error: BaseException) -> bool:
    """Tell whether an error is a failure of HTTP, rather than the content of an answer."""
    if isinstance(error, TurnFailed):
        return False
    return not isinstance(error, MuxiError) or isinstance(error, ConnectionError | TimeoutError | StreamInterrupted)


def response_attributes(status: int, version: str) -> Attributes:
    """Return the attributes of an answer: its status, which is an error from 400 on."""
    found: Attributes = {STATUS_CODE: status, NETWORK_PROTOCOL_VERSION: version}
    if status >= 400:
        found[ERROR_TYPE] = str(status)
    return found
