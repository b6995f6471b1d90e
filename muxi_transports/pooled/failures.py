"""What urllib3, requests and the floors below them raise, as errors of :mod:`muxi.errors`."""

from __future__ import annotations

import builtins
import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    InvalidChunkLength,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from muxi.errors import MuxiError
from muxi_transports.http.attempt import Attempt, invalid_request

__all__ = ["FAILURES", "failure_of", "translated"]

# What means an answer that is no HTTP, and what of it only means an early end.
_INVALID = (http.client.HTTPException, DecodeError)
_EARLY_END = (http.client.IncompleteRead, http.client.RemoteDisconnected)
_NOT_CONNECTED = (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError, LocationValueError)
_FAILED_TO_CONNECT = "Failed to establish a new connection: "
# What urllib3 and the floors below it raise.
FAILURES = (HTTPError, OSError, http.client.HTTPException)


@contextmanager
def translated(attempt: Attempt, *, foreign: bool = False) -> Iterator[None]:
    """Every exception of requests, urllib3, http.client, ssl and the socket as an error of :mod:`muxi.errors`.

    Args:
        attempt: what was tried.
        foreign: whether the connection is not one of ours, so that how far it came is told by the exception alone.
    """
    try:
        yield
    except MuxiError:
        raise
    except FAILURES as error:
        raise failure_of(error, attempt, foreign=foreign) from error
    except ValueError as error:
        if foreign or attempt.body_error is not None:
            raise
        raise invalid_request(error) from error


def failure_of(error: BaseException, attempt: Attempt, *, foreign: bool = False) -> BaseException:
    """The error for whatever went wrong; what the body itself raised is left as it is."""
    if attempt.body_error is not None:
        return attempt.body_error
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, LocationValueError | http.client.InvalidURL | UnicodeError):
            return invalid_request(cause)
    if foreign:
        attempt.connected = not any(isinstance(cause, _NOT_CONNECTED) for cause in causes)
        if attempt.proxy is None and any(isinstance(cause, ProxyError) for cause in causes):
            attempt.proxy = "of the session"
    return attempt.failed_by(
        [_as_builtin(cause) for cause in causes],
        invalid=any(isinstance(e, InvalidChunkLength) for e in causes)
        or any(isinstance(e, _INVALID) and not isinstance(e, _EARLY_END) for e in causes),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions behind an exception, outermost first."""
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        if isinstance(behind, MaxRetryError) and behind.reason is not None:
            behind = behind.reason
        else:
            wrapped = next((arg for arg in reversed(behind.args) if isinstance(arg, BaseException)), None)
            behind = wrapped or behind.__cause__


def _as_builtin(error: BaseException) -> BaseException:
    """An exception of urllib3 as the one of Python that means the same, where there is one."""
    if isinstance(error, Urllib3TimeoutError) and not isinstance(error, NewConnectionError):
        return builtins.TimeoutError(str(error))
    if isinstance(error, NewConnectionError) and (said := str(error).partition(_FAILED_TO_CONNECT)[2]):
        return OSError(said)  # without the repr of a connection
    if isinstance(error, SSLError):
        return ssl.SSLError(str(error))
    return error
