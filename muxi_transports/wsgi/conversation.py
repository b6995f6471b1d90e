"""A WSGI application's answer to one request, step by step, as PEP 3333 has it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

__all__ = ["Complete", "WsgiConversation", "NotWsgi", "WsgiHead", "WsgiItem"]


class WsgiHead(NamedTuple):
    """Status and headers, as the application gave them."""

    status: str
    headers: list[tuple[str, str]]


class Complete(NamedTuple):
    """The mark behind the last piece of an answer."""


WsgiItem = WsgiHead | bytes | Complete


class NotWsgi(Exception):
    """The application broke the rules of WSGI."""


class WsgiConversation:
    """One call of an application.

    Args:
        app: the application.
        environ: the request.
        on_write: where the ``write()`` callable puts its pieces; without it they are kept until the application
            returns.
    """

    def __init__(
        self,
        app: WSGIApplication,
        environ: WSGIEnvironment,
        on_write: Callable[[WsgiItem], None] | None = None,
    ) -> None:
        self._app = app
        self._environ = environ
        self._head: WsgiHead | None = None
        self._head_is_out = False
        self._written: list[WsgiItem] = []
        self._on_write = on_write or self._written.append

    def run(self) -> Generator[WsgiItem, None, None]:
        """The head, the pieces that are not empty, and the mark; closing it closes the application's iterable.

        The head comes with the first piece, as a server has to hold it until then.

        Raises:
            NotWsgi: the application did what no server could send.
        """
        iterable = self._app(self._environ, self._start_response)
        try:
            yield from self._written
            self._written.clear()
            for piece in iterable:
                if not isinstance(piece, bytes):
                    raise NotWsgi(f"it yielded {type(piece).__name__} instead of bytes")
                if piece:
                    yield from self._once()
                    yield piece
            yield from self._written
            yield from self._once()
            yield Complete()
        finally:
            close: Callable[[], object] | None = getattr(iterable, "close", None)
            if close is not None:
                close()

    def _once(self) -> list[WsgiItem]:
        """The head, the first time."""
        if self._head_is_out:
            return []
        if self._head is None:
            raise NotWsgi("it did not call start_response")
        self._head_is_out = True
        return [self._head]

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None:
            try:
                if self._head_is_out and exc_info[1] is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame
        elif self._head is not None:
            raise NotWsgi("it called start_response twice, without an exc_info")
        self._head = WsgiHead(status, list(headers))
        return self._write

    def _write(self, piece: bytes) -> None:
        if piece:
            for item in (*self._once(), piece):
                self._on_write(item)
