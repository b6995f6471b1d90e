"""The four colours of a client, each as the few methods that an endpoint calls on it.

Endpoints (:mod:`muxi.client.endpoints`) are typed by these classes, clients (:mod:`muxi.client.base`) inherit and
implement them: neither needs the other. The methods are declared for type checkers; a client has them all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from muxi.call import Call, Pages, Procedure
    from muxi.result import RawResponse
    from muxi.streaming.call import StreamCall
    from muxi.streaming.streams import AsyncEventStream, EventStream

__all__ = ["AsyncCaller", "AsyncRawCaller", "Caller", "RawCaller"]

T = TypeVar("T")
E = TypeVar("E")


class Caller:
    """A sync client: runs a call and returns its result."""

    #: Which functions an endpoint gives to this class.
    _colour: ClassVar[str] = "sync"

    def _run(self, call: Call[T]) -> T:
        raise NotImplementedError

    def _open(self, call: StreamCall[E]) -> EventStream[E]:
        raise NotImplementedError

    def _proceed(self, steps: Procedure[T]) -> T:
        raise NotImplementedError

    def _iterate(self, steps: Pages[T]) -> Iterator[T]:
        raise NotImplementedError


class AsyncCaller:
    """An async client: the same, awaited."""

    _colour: ClassVar[str] = "async"

    def _run(self, call: Call[T]) -> Coroutine[Any, Any, T]:
        raise NotImplementedError

    def _open(self, call: StreamCall[E]) -> AsyncEventStream[E]:
        raise NotImplementedError

    def _proceed(self, steps: Procedure[T]) -> Coroutine[Any, Any, T]:
        raise NotImplementedError

    def _iterate(self, steps: Pages[T]) -> AsyncIterator[T]:
        raise NotImplementedError


class RawCaller:
    """``with_raw_response`` of a sync client: returns each result with its HTTP answer."""

    _colour: ClassVar[str] = "raw"

    def _run(self, call: Call[T]) -> RawResponse[T]:
        raise NotImplementedError

    def _open(self, call: StreamCall[E]) -> RawResponse[EventStream[E]]:
        raise NotImplementedError

    def _proceed(self, steps: Procedure[T]) -> RawResponse[T]:
        raise NotImplementedError

    def _iterate(self, steps: Pages[T]) -> Iterator[T]:
        raise NotImplementedError


class AsyncRawCaller:
    """``with_raw_response`` of an async client: the same, awaited."""

    _colour: ClassVar[str] = "async_raw"

    def _run(self, call: Call[T]) -> Coroutine[Any, Any, RawResponse[T]]:
        raise NotImplementedError

    def _open(self, call: StreamCall[E]) -> Coroutine[Any, Any, RawResponse[AsyncEventStream[E]]]:
        raise NotImplementedError

    def _proceed(self, steps: Procedure[T]) -> Coroutine[Any, Any, RawResponse[T]]:
        raise NotImplementedError

    def _iterate(self, steps: Pages[T]) -> AsyncIterator[T]:
        raise NotImplementedError
