"""A call that is answered by a stream, and what sending a call of either kind returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from muxi.call import Call

if TYPE_CHECKING:
    from muxi.streaming.streams import AsyncEventStream, EventStream

__all__ = ["FEED", "LOG", "AsyncSendable", "Sendable", "StreamCall"]

#: The names of the streams that are not chats: a log, and a feed of events.
LOG, FEED = "log", "feed"

E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)


class Sendable(Protocol[T_co]):
    """A call of either kind, typed by what ``send()`` of a sync client returns for it."""

    @property
    def _sync(self) -> T_co: ...


class AsyncSendable(Protocol[T_co]):
    """A call of either kind, typed by what ``send()`` of an async client returns for it."""

    @property
    def _async(self) -> T_co: ...


class StreamCall(Call[E], frozen=True):
    """A call that is answered by a stream of events of type ``E``."""

    #: The format of the stream, as the name of its reader: ``chat``, ``log``, … (see :mod:`muxi.streaming.chat`).
    events: str = "chat"
    #: The route that cancels the work when the caller closes the stream early, with ``request_id`` in it.
    cancel: str | None = None

    if TYPE_CHECKING:

        @property
        def _sync(self) -> EventStream[E]: ...  # type: ignore[override]  # an open stream, not one event
        @property
        def _async(self) -> AsyncEventStream[E]: ...  # type: ignore[override]  # likewise
