"""Requests as applications in this process get them, and failures of applications as errors."""

from __future__ import annotations

import logging
from typing import NamedTuple

from muxi.redact import redact_text
from muxi.transport import BytesBody, Request
from muxi.transport.causes import clean_cause
from muxi.transport.frames import clear_frames
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import Origin, check_method, parse_origin, split_url

__all__ = ["LIMIT", "WHERE", "DescribedRequest", "begin", "describe_request", "failure_of", "log_late"]

#: What the messages of errors call the other side.
WHERE = "the application"

#: How much of an answer may wait for its reader before the application has to wait, in bytes.
LIMIT = 64 * 1024

logger: logging.Logger = logging.getLogger("muxi.transports")

_FRAMING = ("content-length", "transfer-encoding")


class DescribedRequest(NamedTuple):
    """A request as a server would hand it to its application."""

    method: str
    origin: Origin
    #: The request target as it is sent, and its parts, percent-encoded.
    target: str
    path: str
    query: str
    #: Every name and value, with those that HTTP libraries add.
    headers: list[tuple[str, str]]

    def __repr__(self) -> str:
        # Without the headers: a request is a local variable of frames that fail.
        return f"DescribedRequest({self.method} {redact_text(self.target)})"


def describe_request(request: Request) -> DescribedRequest:
    """A request as an application gets it.

    Raises:
        ConfigurationError: the URL or the method cannot be sent.
    """
    base, target = split_url(request.url)
    origin = parse_origin(base)
    check_method(request.method)
    path, _, query = target.partition("?")
    body = request.body
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _FRAMING]
    if "host" not in request.headers:
        headers.insert(0, ("Host", base.rpartition("//")[2].rpartition("@")[2]))
    if origin.authorization is not None and "authorization" not in request.headers:
        headers.append(("Authorization", origin.authorization))
    if body is not None:
        framing = ("Transfer-Encoding", "chunked") if body.length is None else ("Content-Length", str(body.length))
        headers.append(framing)
    elif request.method in ("POST", "PUT", "PATCH"):
        headers.append(("Content-Length", "0"))
    return DescribedRequest(request.method, origin, target, path, query, headers)


def begin(attempt: Attempt) -> None:
    """Note that the application is called now: from here on it may have done something."""
    attempt.connected = True
    if attempt.body is None or isinstance(attempt.body, BytesBody):
        # Any other body takes its time; the wait for the head begins when it has been read.
        attempt.await_head()


def failure_of(error: BaseException, attempt: Attempt, *, as_it_is: bool) -> BaseException:
    """The error that the caller gets for an exception of the application.

    Args:
        error: the exception.
        attempt: the attempt that it ended.
        as_it_is: whether the caller wants the exception itself.
    """
    if attempt.body_error is not None:
        return attempt.body_error  # the application failed because its request did
    if as_it_is:
        return error
    clear_frames(error, of_all=True)  # those of the application hold the request, and so its keys
    failed = attempt.failed(f"it raised {_describe_error(error)}")
    failed.__cause__ = error
    return failed


def log_late(error: BaseException, secrets: tuple[str, ...] = ()) -> None:
    """Report an exception that came when the answer was complete or its reader had left.

    Args:
        error: the exception.
        secrets: keys of the request, which the application knows.
    """
    logger.error("the application raised %s when its answer had ended", redact_text(_describe_error(error), secrets))
    clear_frames(error, of_all=True)  # those of the application hold the request, and so its keys
    where = error.__traceback__
    while where is not None and str(where.tb_frame.f_globals.get("__name__")).startswith("muxi_transports."):
        where = where.tb_next  # this package's own frames still run, and hold the error
    logger.debug("where it did", exc_info=clean_cause(error, secrets).with_traceback(where))


def _describe_error(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
