"""A request as WSGI describes it (PEP 3333): the environ, and the body as a file."""

from __future__ import annotations

import io
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote_to_bytes

from muxi_transports.http.application import DescribedRequest
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import PIECE

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["RequestBody", "environ_of"]


class RequestBody(io.RawIOBase):
    """The body of a request as a file, made while it is read.

    Args:
        attempt: whose body it is.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._pieces = attempt.pieces()
        self._rest = b""
        self._finished = False
        #: When something of it was last read, by ``time.monotonic``.
        self.read_at: float = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest and not self._finished:
            try:
                piece = next(self._pieces, None)
            except BaseException as error:
                # The caller gets the error itself; to the application its client has broken off.
                self._finished = True
                raise ConnectionResetError("the client broke off while it sent the request") from error
            self.read_at = time.monotonic()
            if piece is None:
                self._finished = True
                if not self._attempt.headless:
                    self._attempt.await_head()
            else:
                self._rest = piece
        taken = self._rest[: len(target)]
        target[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def close(self) -> None:
        """Close the body behind it."""
        with suppress(ValueError):  # another thread reads, and closes it at its end
            self._pieces.close()
        super().close()


def environ_of(request: DescribedRequest, body: RequestBody, *, multithread: bool) -> WSGIEnvironment:
    """The environ of a request.

    Args:
        request: the request.
        body: its content.
        multithread: whether the application may be called from several threads at once.
    """
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "QUERY_STRING": request.query,
        "REQUEST_URI": request.target,
        "RAW_URI": request.target,
        "SERVER_NAME": request.origin.host,
        "SERVER_PORT": str(request.origin.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": request.origin.scheme,
        "wsgi.input": io.BufferedReader(cast(io.RawIOBase, body), PIECE),
        # The end of the input is the end of the body, whether its length is known or not.
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        # The text of an environ is bytes in disguise.
        disguised = value.encode("utf-8", "surrogateescape").decode("latin-1")
        separator = "; " if key == "HTTP_COOKIE" else ", "
        environ[key] = f"{environ[key]}{separator}{disguised}" if key in environ else disguised
    return environ
