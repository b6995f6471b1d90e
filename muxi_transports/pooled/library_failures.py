"""The exceptions of urllib3, and what each means; loaded only where urllib3 has been imported."""

from __future__ import annotations

import builtins
import ssl

import urllib3  # noqa: F401  whole, before its parts: another thread may be half through importing it
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    EmptyPoolError,
    HTTPError,
    InvalidChunkLength,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

__all__ = [
    "HTTPError",
    "as_builtin",
    "is_before_connection",
    "is_broken_answer",
    "is_invalid_url",
    "is_of_proxy",
    "reason_behind",
]

_NOT_CONNECTED = (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError, LocationValueError)
_FAILED_TO_CONNECT = "Failed to establish a new connection: "


def is_invalid_url(error: BaseException) -> bool:
    """Return whether a URL cannot be sent."""
    return isinstance(error, LocationValueError)


def is_before_connection(error: BaseException) -> bool:
    """Return whether an exception says that there was no connection."""
    return isinstance(error, _NOT_CONNECTED)


def is_of_proxy(error: BaseException) -> bool:
    """Return whether a proxy failed."""
    return isinstance(error, ProxyError)


def is_broken_answer(error: BaseException) -> bool:
    """Return whether an answer broke a rule of HTTP."""
    return isinstance(error, DecodeError | InvalidChunkLength)


def reason_behind(error: BaseException) -> BaseException | None:
    """The exception that made urllib3 give up."""
    return error.reason if isinstance(error, MaxRetryError) else None


def as_builtin(error: BaseException) -> BaseException:
    """An exception of urllib3 as the one of Python that means the same, where there is one."""
    if isinstance(error, Urllib3TimeoutError | EmptyPoolError) and not isinstance(error, NewConnectionError):
        return builtins.TimeoutError(str(error))
    if isinstance(error, NewConnectionError) and (said := str(error).partition(_FAILED_TO_CONNECT)[2]):
        return OSError(said)  # without the repr of a connection
    if isinstance(error, SSLError):
        return ssl.SSLError(str(error))
    return error
