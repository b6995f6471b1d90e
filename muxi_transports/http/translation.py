"""Failures of an HTTP library as errors of the SDK: one context manager around every call that reads or writes."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from muxi.errors import MuxiError
from muxi.transport.causes import copy_cause
from muxi_transports.http.attempt import Attempt

__all__ = ["translated"]

# An answer that ended too early is a broken connection; everything else that http.client reports is no HTTP.
_EARLY_END = (http.client.IncompleteRead, http.client.RemoteDisconnected)


@contextmanager
def translated(attempt: Attempt, *failures: type[Exception]) -> Iterator[None]:
    """Raise the failures of a block as errors of :mod:`muxi.errors`; the attempt decides which.

    An ``OSError``, which is also what sockets and TLS raise, and an ``HTTPException`` of :mod:`http.client` are always
    translated, errors of :mod:`muxi.errors` and those of the request's own body never. The cause of the new error holds
    nothing of the request: exceptions of HTTP libraries may have its headers in them.

    Args:
        attempt: the attempt; its ``connected`` says whether anything can have been received.
        *failures: the exceptions of the library that mean an answer which is no HTTP.
    """
    try:
        yield
    except MuxiError:
        raise
    except Exception as error:
        if not isinstance(error, (OSError, http.client.HTTPException, *failures)):
            raise
        if attempt.body_error is not None:
            raise attempt.body_error from None
        found: list[BaseException] = [error]
        while (below := found[-1].__cause__ or found[-1].__context__) is not None and below not in found:
            found.append(below)
        invalid = isinstance(error, (http.client.HTTPException, *failures)) and not isinstance(error, _EARLY_END)
        raise attempt.failed_by(found, invalid=invalid) from copy_cause(found)
