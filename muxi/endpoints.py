"""One method, two colours: the descriptors that make an endpoint out of a method that describes a call.

``@operation`` turns ``def get_memories(self, user_id) -> Call[MemoryPage]`` into a method that on a sync
client returns a ``MemoryPage`` and on an async client a coroutine of one; ``@stream`` does the same for event
streams, ``@procedure`` for what takes several calls, ``@pages`` for iterators. Accessed on a class, each makes
the call as a value: ``FormationClient.get_memories.call(user_id="u")``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from muxi.call import Call, Pages, Procedure, StreamCall

if TYPE_CHECKING:
    from muxi.client import AsyncClient, AsyncRawClient, Client, RawClient
    from muxi.result import RawResponse
    from muxi.streams import AsyncEventStream, EventStream

__all__ = ["operation", "pages", "procedure", "stream"]

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E")


class OperationFunction(Protocol[P, T]):
    """An operation as a class has it."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, client: Any, /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """The call that the method would make, as a value."""
        ...


class StreamFunction(Protocol[P, E]):
    """A streaming operation as a class has it."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any: ...

    def call(self, *args: P.args, **kwargs: P.kwargs) -> StreamCall[E]:
        """The call that the method would make, as a value."""
        ...


class _Endpoint:
    """What the four have in common: the functions that a class and its instances get to see."""

    #: What stands in place of the description's return type: for sync and for async clients.
    _results: tuple[str, str] = ("{0}", "{0}")

    def __init__(self, describe: Callable[..., Any]) -> None:
        self._describe = cast(FunctionType, describe)
        self.__doc__ = describe.__doc__
        self._sync: Callable[..., Any] = self._bind_sync(self._describe)
        self._async: Callable[..., Any] = self._bind_async(self._describe)
        for function, result in zip((self._sync, self._async), self._results, strict=True):
            self._dress(function, result)

    def __set_name__(self, owner: type, name: str) -> None:
        for function in (self._sync, self._async):
            function.__qualname__ = f"{owner.__qualname__}.{name}"

    def _function(self, owner: type) -> Callable[..., Any]:
        return self._async if getattr(owner, "_asynchronous", False) else self._sync

    def _get(self, instance: object, owner: type | None) -> Any:
        function = self._function(owner or type(instance))
        return function if instance is None else MethodType(function, instance)

    def _bind_sync(self, describe: Callable[..., Any]) -> Callable[..., Any]:
        raise NotImplementedError

    def _bind_async(self, describe: Callable[..., Any]) -> Callable[..., Any]:
        return self._bind_sync(describe)

    def _dress(self, function: Callable[..., Any], result: str) -> None:
        """Give the function the face of the method: name, docstring, signature with what really comes back."""
        describe = self._describe
        face = FunctionType(
            describe.__code__, describe.__globals__, describe.__name__, describe.__defaults__, describe.__closure__
        )
        face.__kwdefaults__ = describe.__kwdefaults__
        annotation = describe.__annotations__.get("return", "Any")
        inner = annotation.partition("[")[2].removesuffix("]") if isinstance(annotation, str) else "Any"
        face.__annotations__ = {**describe.__annotations__, "return": result.format(inner or "Any")}
        face.__doc__ = describe.__doc__
        function.__name__ = describe.__name__
        function.__doc__ = describe.__doc__
        function.__module__ = describe.__module__
        function.__wrapped__ = face  # type: ignore[attr-defined]  # the attribute that inspect follows
        function.call = self._call  # type: ignore[attr-defined]  # what OperationFunction promises

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        return self._describe(None, *args, **kwargs).named(self._describe.__name__)


class operation(_Endpoint, Generic[P, T]):
    """Make an endpoint of a method that returns a :class:`muxi.call.Call`."""

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None: ...

    @overload
    def __get__(self, instance: None, owner: type) -> OperationFunction[P, T]: ...
    @overload
    def __get__(self, instance: Client, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: AsyncClient, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, instance: RawClient, owner: type) -> Callable[P, RawResponse[T]]: ...
    @overload
    def __get__(self, instance: AsyncRawClient, owner: type) -> Callable[P, Coroutine[Any, Any, RawResponse[T]]]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._get(instance, owner)

    def _bind_sync(self, describe: Callable[..., Any]) -> Callable[..., Any]:
        name = describe.__name__

        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return client._run(describe(client, *args, **kwargs).named(name))

        return method

    def _bind_async(self, describe: Callable[..., Any]) -> Callable[..., Any]:
        name = describe.__name__

        async def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await client._run(describe(client, *args, **kwargs).named(name))

        return method


class stream(_Endpoint, Generic[P, E]):
    """Make an endpoint of a method that returns a :class:`muxi.call.StreamCall`."""

    _results = ("EventStream[{0}]", "AsyncEventStream[{0}]")

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], StreamCall[E]]) -> None: ...

    @overload
    def __get__(self, instance: None, owner: type) -> StreamFunction[P, E]: ...
    @overload
    def __get__(self, instance: Client, owner: type) -> Callable[P, EventStream[E]]: ...
    @overload
    def __get__(self, instance: AsyncClient, owner: type) -> Callable[P, AsyncEventStream[E]]: ...
    @overload
    def __get__(self, instance: RawClient, owner: type) -> Callable[P, RawResponse[EventStream[E]]]: ...
    @overload
    def __get__(
        self, instance: AsyncRawClient, owner: type
    ) -> Callable[P, Coroutine[Any, Any, RawResponse[AsyncEventStream[E]]]]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._get(instance, owner)

    def _bind_sync(self, describe: Callable[..., Any]) -> Callable[..., Any]:
        name = describe.__name__

        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return client._open(describe(client, *args, **kwargs).named(name))

        return method


class procedure(_Endpoint, Generic[P, T]):
    """Make an endpoint of a generator that yields calls and waits and returns one result."""

    _results = ("{0}", "{0}")

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], Procedure[T]]) -> None: ...

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], T]: ...
    @overload
    def __get__(self, instance: Client, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: AsyncClient, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, instance: RawClient, owner: type) -> Callable[P, RawResponse[T]]: ...
    @overload
    def __get__(self, instance: AsyncRawClient, owner: type) -> Callable[P, Coroutine[Any, Any, RawResponse[T]]]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._get(instance, owner)

    def _bind_sync(self, describe: Callable[..., Any]) -> Callable[..., Any]:
        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return client._proceed(describe(client, *args, **kwargs))

        return method

    def _bind_async(self, describe: Callable[..., Any]) -> Callable[..., Any]:
        async def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await client._proceed(describe(client, *args, **kwargs))

        return method


class pages(_Endpoint, Generic[P, T]):
    """Make an endpoint of a generator that yields calls, waits and items; the caller gets the items."""

    _results = ("Iterator[{0}]", "AsyncIterator[{0}]")

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], Pages[T]]) -> None: ...

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], Iterator[T]]: ...
    @overload
    def __get__(self, instance: Client, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: AsyncClient, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    @overload
    def __get__(self, instance: RawClient, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, instance: AsyncRawClient, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._get(instance, owner)

    def _bind_sync(self, describe: Callable[..., Any]) -> Callable[..., Any]:
        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return client._iterate(describe(client, *args, **kwargs))

        return method
