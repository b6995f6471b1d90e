"""Exceptions of urllib3, requests and of what is below them, as errors of :mod:`muxi.errors`."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, TypeVar

from muxi.errors import MuxiError
from muxi.transport.causes import copy_cause
from muxi_transports.http.attempt import Attempt, invalid_request
from muxi_transports.http1 import IncompleteAnswer

__all__ = ["failure_of", "translated"]

T = TypeVar("T")

_EARLY_END = (http.client.IncompleteRead, http.client.RemoteDisconnected, IncompleteAnswer)
_OF_PYTHON = (OSError, http.client.HTTPException)


def _library() -> ModuleType | None:
    """The module about urllib3's exceptions; None as long as no one has imported urllib3, so that none can occur."""
    if "urllib3.exceptions" not in sys.modules:
        return None
    from muxi_transports.pooled import library_failures

    return library_failures


def _failures() -> tuple[type[BaseException], ...]:
    """The exceptions of urllib3, requests and of what is below them."""
    library = _library()
    return _OF_PYTHON if library is None else (*_OF_PYTHON, library.HTTPError)


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
    except _failures() as error:
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
    library: Any = _library()
    causes = list(_causes(error, library))
    if attempt.ended_by == "transport":
        return attempt.closed_by_transport()
    for cause in () if body else causes:
        if isinstance(cause, http.client.InvalidURL | UnicodeError) or (library and library.is_invalid_url(cause)):
            return invalid_request(cause)
    if foreign and not attempt.observed:
        attempt.connected = not (library and any(map(library.is_before_connection, causes)))
    if foreign and attempt.proxy is None and library and any(map(library.is_of_proxy, causes)):
        attempt.proxy = "of the session"
    invalid = any(
        (isinstance(cause, http.client.HTTPException) and not isinstance(cause, _EARLY_END))
        or (library and library.is_broken_answer(cause))
        for cause in causes
    )
    # How a socket or a file says that it has been closed is no word on what came over it.
    strange = body and not isinstance(error, (*_failures(), ValueError, AttributeError))
    known = causes if library is None else [library.as_builtin(cause) for cause in causes]
    failure = attempt.failed_by(known, invalid=invalid or strange)
    failure.__cause__ = copy_cause(causes)
    return failure


def _causes(error: BaseException, library: Any) -> Iterator[BaseException]:  # Any: a module, or None
    """The exceptions behind an exception, outermost first."""
    seen: set[int] = set()
    behind: BaseException | None = error
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        reason = library.reason_behind(behind) if library else None
        wrapped = next((arg for arg in reversed(behind.args) if isinstance(arg, BaseException)), None)
        behind = reason or wrapped or behind.__cause__
