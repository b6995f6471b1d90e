"""The sources of a WSGI response's pieces: a thread that runs the application, or the reader's own."""

from __future__ import annotations

import builtins
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING

from muxi_transports.http.application import LIMIT, failure_of, log_late
from muxi_transports.http.attempt import Attempt
from muxi_transports.wsgi.conversation import Complete, WsgiConversation, NotWsgi, WsgiItem
from muxi_transports.wsgi.environ import RequestBody

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ["HereSource", "Source", "ThreadSource"]


class Source(ABC):
    """The items of one conversation, for one reader."""

    @abstractmethod
    def take(self) -> WsgiItem:
        """The next item.

        Raises:
            MuxiError: the application failed, or took too long.
        """

    @abstractmethod
    def leave(self) -> None:
        """Disconnect, from any thread; the iterable of the application is closed at its next step."""


class ThreadSource(Source):
    """Runs the application in a thread of its own, which waits where the reader is slow.

    Args:
        app: the application.
        environ: the request.
        body: its content.
        attempt: the bounds to keep.
        as_it_is: whether the application's exceptions are handed on as they are.
    """

    def __init__(
        self, app: WSGIApplication, environ: WSGIEnvironment, body: RequestBody, attempt: Attempt, *, as_it_is: bool
    ) -> None:
        self._conversation = WsgiConversation(app, environ, self._put)
        self._body = body
        self._attempt = attempt
        self._as_it_is = as_it_is
        self._changed = threading.Condition()
        self._items: deque[WsgiItem] = deque()
        self._waiting = 0
        self._left = False
        self._complete = False
        self._error: BaseException | None = None
        # A daemon: an application that hangs must not keep the process from ending.
        threading.Thread(target=self._work, name="muxi-wsgi", daemon=True).start()

    def take(self) -> WsgiItem:
        attempt = self._attempt
        with self._changed:
            while not self._items:
                if self._error is not None:
                    raise _translate_error(self._error, attempt, as_it_is=self._as_it_is)
                if self._complete:
                    return Complete()
                if self._left:
                    raise attempt.failed("the transport was closed")
                began = time.monotonic()
                try:
                    expired = not self._changed.wait(attempt.next_wait())
                except builtins.TimeoutError:
                    raise attempt.timed_out() from None
                # An application that is still reading is not silent; the whole attempt is bounded all the same.
                if expired and not self._items and self._body.read_at < began:
                    raise attempt.timed_out()
            item = self._items.popleft()
            if isinstance(item, bytes):
                self._waiting -= len(item)
                self._changed.notify_all()
            return item

    def leave(self) -> None:
        with self._changed:
            self._left = True
            self._items.clear()
            self._waiting = 0
            self._changed.notify_all()

    def _put(self, item: WsgiItem) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._left or self._waiting < LIMIT)
            if self._left:
                raise _Left
            self._items.append(item)
            self._waiting += len(item) if isinstance(item, bytes) else 0
            self._changed.notify_all()

    def _work(self) -> None:
        steps = self._conversation.run()
        error: BaseException | None = None
        try:
            for item in steps:
                if not isinstance(item, Complete):
                    self._put(item)
                elif not self._as_it_is:
                    self._end(None)  # before the iterable is closed: the reader has all there is
            steps.close()
        except BaseException as caught:  # the reader raises it
            error = caught
            try:
                steps.close()
            except BaseException as late:
                if isinstance(caught, _Left):
                    error = late
        self._body.close()
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        with self._changed:
            late = self._left or self._complete
            self._complete = True
            if not late:
                self._error = error
            self._changed.notify_all()
        if late and error is not None and not isinstance(error, _Left) and self._attempt.body_error is None:
            log_late(error)


class HereSource(Source):
    """Runs the application in the thread that reads, one step for each item.

    Args:
        as for :class:`ThreadSource`.
    """

    def __init__(
        self, app: WSGIApplication, environ: WSGIEnvironment, body: RequestBody, attempt: Attempt, *, as_it_is: bool
    ) -> None:
        self._steps = WsgiConversation(app, environ).run()
        self._body = body
        self._attempt = attempt
        self._as_it_is = as_it_is
        #: Held while the application works; a generator does not like to be closed meanwhile.
        self._working = threading.Lock()
        self._left = False

    def take(self) -> WsgiItem:
        attempt = self._attempt
        with self._working:
            if self._left:
                raise attempt.failed("the transport was closed")
            try:
                item = next(self._steps)
            except BaseException as error:
                self._body.close()
                if not isinstance(error, Exception):
                    raise  # an interrupt is the caller's
                raise _translate_error(error, attempt, as_it_is=self._as_it_is) from error
            if isinstance(item, Complete) or self._has_left():
                self._close()
            try:
                attempt.next_wait()
            except builtins.TimeoutError:
                self._close()
                raise attempt.timed_out() from None
            return item

    def leave(self) -> None:
        self._left = True
        if self._working.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._working.release()

    def _has_left(self) -> bool:
        return self._left

    def _close(self) -> None:
        self._body.close()
        try:
            self._steps.close()
        except Exception as error:
            if self._as_it_is:
                raise
            log_late(error)


class _Left(ConnectionError):
    """The reader has left: what ``write()`` raises in the application then."""


def _translate_error(error: BaseException, attempt: Attempt, *, as_it_is: bool) -> BaseException:
    if isinstance(error, NotWsgi) and not as_it_is:
        failed = attempt.failed(str(error), code="INVALID_RESPONSE")
        failed.__cause__ = error
        return failed
    return failure_of(error, attempt, as_it_is=as_it_is)
