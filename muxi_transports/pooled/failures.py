"""Exceptions of urllib3, requests and of what is below them, as errors of :mod:`muxi.errors`."""

from __future__ import annotations

import builtins
import http.client
import ssl
from collections.abc import Callable, Iterator
from typing import TypeVar

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

from muxi.errors import MuxiError
from muxi.transport.causes import copy_cause
from muxi_transports.http.attempt import Attempt, invalid_request
from muxi_transports.http1 import IncompleteAnswer

__all__ = ["FAILURES", "failure_of", "translated"]

T = TypeVar("T")

_NOT_HTTP = (http.client.HTTPException, DecodeError)
_EARLY_END = (http.client.IncompleteRead, http.client.RemoteDisconnected, IncompleteAnswer)
_NOT_CONNECTED = (NewConnectionError, ConnectTimeoutError, ProxyError, SSLError, LocationValueError)
_FAILED_TO_CONNECT = "Failed to establish a new connection: "
#: The exceptions of urllib3, requests and of what is below them.
FAILURES = (HTTPError, OSError, http.client.HTTPException)


def translated(work: Callable[[], T], attempt: Attempt, *, foreign: bool = False) -> T:
    """Do something, with every exception of the libraries as an error of :mod:`muxi.errors`.

    The exception itself is not chained to that error: it may hold the request with its keys. A copy of it is.

    Args:
        work: what is done.
        attempt: what was tried.
        foreign: whether the connection is not one of ours, so that only the exception tells how far it came.
    """
    failure: BaseException
    try:
        return work()
    except MuxiError:
        raise
    except FAILURES as error:
        failure = failure_of(error, attempt, foreign=foreign)
    except ValueError as error:
        if attempt.body_error is None and not foreign:
            failure = invalid_request(error)
        else:
            raise
    raise failure


def failure_of(error: BaseException, attempt: Attempt, *, foreign: bool = False, body: bool = False) -> BaseException:
    """The error for an exception; the exceptions of a request's body are left as they are.

    Args:
        error: the exception.
        attempt: what was tried.
        foreign: whether the connection is not one of ours.
        body: whether a library's code was reading the body of the answer, so that any exception means that this failed.
    """
    if attempt.body_error is not None:
        return attempt.body_error
    causes = list(_causes(error))
    if attempt.ended_by == "transport":
        return attempt.closed_by_transport()
    for cause in () if body else causes:
        if isinstance(cause, LocationValueError | http.client.InvalidURL | UnicodeError):
            return invalid_request(cause)
    if foreign and not attempt.observed:
        attempt.connected = not any(isinstance(cause, _NOT_CONNECTED) for cause in causes)
    if foreign and attempt.proxy is None and any(isinstance(cause, ProxyError) for cause in causes):
        attempt.proxy = "of the session"
    invalid = any(isinstance(cause, InvalidChunkLength) for cause in causes) or any(
        isinstance(cause, _NOT_HTTP) and not isinstance(cause, _EARLY_END) for cause in causes
    )
    # How a socket or a file says that it has been closed is no word on what came over it.
    strange = body and not isinstance(error, (*FAILURES, ValueError, AttributeError))
    failure = attempt.failed_by([_as_builtin(cause) for cause in causes], invalid=invalid or strange)
    failure.__cause__ = copy_cause(causes)
    return failure


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
    if isinstance(error, Urllib3TimeoutError | EmptyPoolError) and not isinstance(error, NewConnectionError):
        return builtins.TimeoutError(str(error))
    if isinstance(error, NewConnectionError) and (said := str(error).partition(_FAILED_TO_CONNECT)[2]):
        return OSError(said)  # without the repr of a connection
    if isinstance(error, SSLError):
        return ssl.SSLError(str(error))
    return error
