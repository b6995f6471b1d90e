"""One request to an ASGI application: what it receives, what it sends, and the reader on the other side."""

from __future__ import annotations

import asyncio
import builtins
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias, cast
from urllib.parse import unquote

from muxi.transport import BytesBody, Request
from muxi_transports.http.application import LIMIT, DescribedRequest, failure_of, log_late
from muxi_transports.http.attempt import Attempt
from muxi_transports.http.wire import PIECE

__all__ = ["App", "AsgiHead", "AsgiMessage", "AsgiReceive", "AsgiSend", "Visit", "http_scope"]

# Any, as in every framework's own types: an application may put anything into a scope and a message.
AsgiMessage: TypeAlias = MutableMapping[str, Any]
AsgiReceive: TypeAlias = Callable[[], Awaitable[AsgiMessage]]
AsgiSend: TypeAlias = Callable[[AsgiMessage], Awaitable[None]]
App: TypeAlias = Callable[[AsgiMessage, AsgiReceive, AsgiSend], Awaitable[None]]

# How many rounds of the loop an application has to notice that its client has left, before ``send`` raises.
_ROUNDS = 5


class AsgiHead(NamedTuple):
    """Status and headers, as the application sent them."""

    status: int
    headers: list[tuple[str, str]]


def http_scope(request: DescribedRequest, state: MutableMapping[str, Any] | None) -> dict[str, Any]:
    """The scope of a request (ASGI 3, HTTP).

    Args:
        request: the request.
        state: what the application keeps of its lifespan, if it has one.
    """
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.origin.scheme,
        "path": unquote(request.path),
        "raw_path": request.path.encode("ascii"),
        "query_string": request.query.encode("ascii"),
        "root_path": "",
        "headers": [
            (name.lower().encode("ascii"), value.encode("utf-8", "surrogateescape")) for name, value in request.headers
        ],
        "client": ("127.0.0.1", 0),
        "server": (request.origin.host, request.origin.port),
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope


class Visit:
    """One request on its way through an application, which runs as a task of the loop.

    Args:
        request: what is sent.
        attempt: the bounds to keep.
        as_it_is: whether the application's exceptions are handed on as they are.
    """

    def __init__(self, request: Request, attempt: Attempt, *, as_it_is: bool) -> None:
        self._attempt = attempt
        self._as_it_is = as_it_is
        body = request.body
        #: The body in memory, the last piece first; None where it is made while it is sent.
        self._slices = _slices(body.content if body else b"") if body is None or isinstance(body, BytesBody) else None
        self._pieces = attempt.pieces()
        self._sent = False
        self._read_at = 0.0
        self._items: deque[bytes] = deque()
        self._waiting = 0
        self._head: AsgiHead | None = None
        self._complete = False
        self._ended = False
        self._left = False
        self._error: BaseException | None = None
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._gone = asyncio.Event()

    async def run(self, app: App, scope: AsgiMessage) -> None:
        """Call the application; never raises but for a cancellation of its task."""
        error: BaseException | None = None
        try:
            await app(scope, self._receive, self._send)
        except (asyncio.CancelledError, KeyboardInterrupt) as interrupt:
            error = interrupt
            raise
        except BaseException as caught:  # the reader raises it
            error = caught
        finally:
            del app, scope  # this frame is in the traceback of the error, and the scope has keys in it
            self._end(error)
            # A thread may still be reading, and closes the body at its end.
            with suppress(ValueError):
                self._pieces.close()

    def _end(self, error: BaseException | None) -> None:
        attempt = self._attempt
        late = self._left or (self._complete and not self._as_it_is)
        if late and isinstance(error, Exception) and not isinstance(error, _ClientLeft) and attempt.body_error is None:
            log_late(error, self._attempt.secrets)
        if error is not None and not late:
            if isinstance(error, asyncio.CancelledError):
                error = attempt.failed("it was cancelled")
            self._error = failure_of(error, attempt, as_it_is=self._as_it_is)
        elif not self._complete and not late:
            what = "without an answer" if self._head is None else "before its answer did"
            self._error = attempt.body_error or attempt.failed(f"it ended {what}")
        self._ended = True
        self._gone.set()
        self._changed.set()

    # -- the application's side --------------------------------------------------------------------------------

    async def _receive(self) -> AsgiMessage:
        if not self._sent and not self._left:
            if self._slices is not None:
                piece = self._slices.pop()
                self._sent = not self._slices
                return {"type": "http.request", "body": piece, "more_body": not self._sent}
            try:
                made = await asyncio.to_thread(next, self._pieces, None)
            except Exception:  # kept by the attempt, and raised by its caller; to the application its client has left
                self._sent = True
                self.leave()
                return {"type": "http.disconnect"}
            self._read_at = time.monotonic()
            if made is None:
                self._sent = True
                if self._head is None:
                    self._attempt.await_head()
                    self._changed.set()  # from now on another bound runs
            return {"type": "http.request", "body": made or b"", "more_body": not self._sent}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: AsgiMessage) -> None:
        kind = message["type"]
        if self._left:
            # It hears of it by receive() first, if it listens; one that only sends must not do so for ever.
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)
            raise _ClientLeft("the client has left")
        if kind == "http.response.start" and self._head is None:
            pairs = cast("Iterable[tuple[bytes, bytes]]", message.get("headers", ()))
            headers = [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in pairs]
            self._head = AsgiHead(int(message["status"]), headers)
            self._changed.set()
        elif kind == "http.response.body" and self._head is not None and not self._complete:
            piece = bytes(message.get("body", b""))
            if piece:
                self._items.append(piece)
                self._waiting += len(piece)
            self._complete = not message.get("more_body", False)
            if self._complete:
                self._gone.set()
            self._changed.set()
            while not self._complete and self._is_crowded():
                self._drained.clear()
                await self._drained.wait()
        else:
            raise RuntimeError(f"the application sent {kind!r} where it does not belong")

    def _is_crowded(self) -> bool:
        return self._waiting > LIMIT and not self._left

    # -- the reader's side -------------------------------------------------------------------------------------

    async def head(self) -> AsgiHead:
        """Status and headers, as soon as they are there.

        Raises:
            MuxiError: the application failed, or took too long.
        """
        while self._head is None:
            if self._attempt.body_error is not None:
                raise self._attempt.body_error
            if self._error is not None:
                raise self._error
            if self._left:
                raise self._attempt.failed("the transport was closed")
            await self._wait()
        if self._attempt.body_error is not None:
            raise self._attempt.body_error  # the application made an answer of it; the caller wants to know
        return self._head

    async def take(self) -> bytes | None:
        """The part of the body that has arrived since; None at its end.

        Raises:
            MuxiError: the application failed, or took too long.
        """
        while not self._items:
            if self._left or (self._complete and not self._as_it_is):
                return None
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            await self._wait()
        taken = b"".join(self._items)
        self._items.clear()
        self._waiting = 0
        self._drained.set()
        return taken

    def leave(self) -> None:
        """Disconnect; in the loop. The application receives ``http.disconnect``."""
        self._left = True
        self._items.clear()
        self._waiting = 0
        for event in (self._gone, self._drained, self._changed):
            event.set()

    async def _wait(self) -> None:
        """Wait for something to change, as long as the bounds allow."""
        attempt = self._attempt
        self._changed.clear()
        began = time.monotonic()
        try:
            await asyncio.wait_for(self._changed.wait(), attempt.next_wait())
        except (builtins.TimeoutError, asyncio.TimeoutError):
            # An application that is still reading is not silent; the whole attempt is bounded all the same.
            over = attempt.deadline is not None and time.monotonic() >= attempt.deadline
            if over or self._read_at < began or attempt.headless:
                raise attempt.timed_out() from None


class _ClientLeft(OSError):
    """Raised by ``send`` in an application whose client has left."""


def _slices(content: bytes) -> list[bytes]:
    return [content[at : at + PIECE] for at in range(0, len(content), PIECE)][::-1] or [b""]
