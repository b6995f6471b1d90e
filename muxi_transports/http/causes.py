"""Exceptions of HTTP libraries as causes that can be shown: without requests, headers, proxies and frames."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Sequence

from muxi.redact import redact_text

__all__ = ["LibraryError", "clean_cause"]

# Classes of Python itself whose attributes hold an error's number and text, and nothing of a request.
_PLAIN = (
    OSError,
    ConnectionError,
    ConnectionRefusedError,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    TimeoutError,
    PermissionError,
    FileNotFoundError,
    NotADirectoryError,
    BlockingIOError,
    socket.gaierror,
    socket.herror,
    ssl.SSLError,
    ssl.SSLCertVerificationError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
    ssl.SSLSyscallError,
    http.client.RemoteDisconnected,
)


class LibraryError(Exception):
    """The exception of an HTTP library, by its name and its text; the exception itself may hold the request."""


def clean_cause(causes: Sequence[BaseException]) -> Exception:
    """The innermost of several exceptions as a copy that holds nothing of the request.

    An exception of an HTTP library may hold the request with its headers, a proxy's credentials, or the bytes of a
    head; the frames of its traceback hold all of these.

    Args:
        causes: the exceptions, outermost first.
    """
    error = causes[-1]
    if type(error) in _PLAIN:
        number = getattr(error, "errno", None)
        text = redact_text(getattr(error, "strerror", None) or str(error))
        copy: Exception = type(error)(text) if number is None else type(error)(number, text)  # type: ignore[assignment]  # none is a mere BaseException
        for name in ("library", "reason", "verify_code", "verify_message"):
            if hasattr(error, name):
                setattr(copy, name, getattr(error, name))
        return copy
    kind = type(error)
    # The text of a UnicodeError shows what could not be encoded.
    text = "" if isinstance(error, UnicodeError) else f": {' '.join(str(error).split())}"
    return LibraryError(redact_text(f"{kind.__module__}.{kind.__qualname__}{text}"))
