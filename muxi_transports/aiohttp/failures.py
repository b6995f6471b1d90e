"""Exceptions of aiohttp and of what is below it, as errors of :mod:`muxi.errors`."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import Iterator

import aiohttp
from aiohttp import http_exceptions

from muxi.transport.causes import copy_cause
from muxi_transports.http.attempt import Attempt, invalid_request
from muxi_transports.http1 import MalformedAnswer

__all__ = ["failure_of"]

# What means an answer that is not HTTP.
_NOT_HTTP = (http_exceptions.HttpProcessingError, aiohttp.ClientResponseError)
# What aiohttp and what is below it raise of themselves.
_LIBRARY = (aiohttp.ClientError, http_exceptions.HttpProcessingError, OSError, asyncio.TimeoutError)


def failure_of(error: Exception, attempt: Attempt, fault: MalformedAnswer | None = None) -> BaseException:
    """The error for an exception; those of a request's body, and those that are no failure of HTTP, stay as they are.

    The exception itself is not chained to the error: it may hold the request with its keys. A copy of it is.

    Args:
        error: the exception.
        attempt: what was tried.
        fault: the rule of HTTP/1.1 that the answer breaks.
    """
    if attempt.body_error is not None:
        return attempt.body_error
    if fault is not None:
        return attempt.failed(str(fault), code="INVALID_RESPONSE")
    if isinstance(error, _LIBRARY):
        failure = _failure_of_library(error, attempt)
        failure.__cause__ = copy_cause(list(_causes(error)))
        return failure
    return invalid_request(error) if isinstance(error, ValueError) else error


def _failure_of_library(error: Exception, attempt: Attempt) -> BaseException:
    if isinstance(error, aiohttp.InvalidURL):
        return invalid_request(error)
    if isinstance(error, asyncio.TimeoutError) or attempt.is_overdue:
        return attempt.timed_out()
    if isinstance(error, aiohttp.ClientConnectorError):
        attempt.connected = False
    found = [_as_builtin(cause) for cause in _causes(error)]
    return attempt.failed_by(found, invalid=any(isinstance(cause, _NOT_HTTP) for cause in found))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions behind an exception, outermost first."""
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        if isinstance(behind, aiohttp.ClientConnectorCertificateError):
            behind = behind.certificate_error
        elif isinstance(behind, aiohttp.ClientConnectorError):
            behind = behind.os_error
        else:
            behind = behind.__cause__


def _as_builtin(error: BaseException) -> BaseException:
    """An exception of aiohttp as the one of Python that means the same, where there is one."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return OSError(f"Tunnel connection failed: {error.status} {error.message}")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        # Its message may be the head that has arrived, with all its fields.
        return http.client.RemoteDisconnected("the connection was closed before the answer was complete")
    if isinstance(error, http_exceptions.PayloadEncodingError) and "Not enough data" in str(error):
        return http.client.IncompleteRead(b"")
    if isinstance(error, aiohttp.ClientConnectorError) and type(error).__name__ == "ClientConnectorDNSError":
        return socket.gaierror(str(error.os_error))  # whatever resolver it came from; aiohttp 3.10 has no such class
    return error
