"""One method, two colours: the descriptors that make an endpoint out of a method that describes a call.

``@operation`` turns ``def get_memories(self, user_id) -> Call[MemoryPage]`` into a method that on a sync
client returns a ``MemoryPage`` and on an async client a coroutine of one; ``@stream`` does the same for event
streams, ``@procedure`` for what takes several calls, ``@pages`` for iterators. Accessed on a class, the first two
make the call as a value: ``FormationClient.get_memories.call(user_id="u")``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from inspect import formatannotation
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from muxi.call import Call, Pages, Procedure, StreamCall
from muxi.result import RawResponse
from muxi.streaming.streams import AsyncEventStream, EventStream

if TYPE_CHECKING:
    from muxi.client.base import AsyncClient, AsyncRawClient, Client, RawClient

__all__ = ["install", "operation", "pages", "procedure", "stream"]

#: What the annotations of results say, for those who evaluate them.
_RESULT_NAMES = {
    "AsyncEventStream": AsyncEventStream,
    "AsyncIterator": AsyncIterator,
    "EventStream": EventStream,
    "Iterator": Iterator,
    "RawResponse": RawResponse,
}

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E")


class OperationFunction(Protocol[P, T]):
    """An operation as a class has it."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any: ...

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
    """What the four have in common: the functions that classes and their instances get to see."""

    #: What comes back, by the colour of the client, around the type that the description names.
    _results: ClassVar[dict[str, str]] = {}

    def __init__(self, describe: Callable[..., Any]) -> None:
        self._describe = cast(FunctionType, describe)
        self._functions: dict[str, Callable[..., Any]] = {}
        self.__doc__ = describe.__doc__

    def function(self, colour: str) -> Callable[..., Any]:
        """The method for clients of a colour: ``sync``, ``async``, ``raw`` or ``async_raw``."""
        function = self._functions.get(colour)
        if function is None:
            function = self._functions[colour] = self._bind(self._describe, colour)
            self._dress(function, self._results[colour])
        return function

    def _get(self, instance: object, owner: type | None) -> Any:
        function = self.function(getattr(owner or type(instance), "_colour", "sync"))
        return function if instance is None else MethodType(function, instance)

    def _bind(self, describe: Callable[..., Any], colour: str) -> Callable[..., Any]:
        raise NotImplementedError

    def _dress(self, function: Callable[..., Any], result: str) -> None:
        """Give the function the face of the method: name, docstring, signature with what really comes back."""
        describe = self._describe
        names = describe.__globals__ if result == "{0}" else {**describe.__globals__, **_RESULT_NAMES}
        face = FunctionType(describe.__code__, names, describe.__name__, describe.__defaults__, describe.__closure__)
        face.__kwdefaults__ = describe.__kwdefaults__
        face.__annotations__ = {**describe.__annotations__, "return": result.format(self._inner())}
        for dressed in (face, function):
            dressed.__name__ = describe.__name__
            dressed.__qualname__ = describe.__qualname__
            dressed.__module__ = describe.__module__
            dressed.__doc__ = describe.__doc__
        function.__annotations__ = face.__annotations__
        function.__wrapped__ = face  # type: ignore[attr-defined]  # the attribute that inspect follows

    def _inner(self) -> str:
        """``MemoryPage`` of ``Call[MemoryPage]``."""
        annotation: object = self._describe.__annotations__.get("return", "")
        text = annotation if isinstance(annotation, str) else formatannotation(annotation)
        return text.partition("[")[2].removesuffix("]") or "Any"


class _CallEndpoint(_Endpoint):
    """An endpoint that is one call, which can be had as a value."""

    def _dress(self, function: Callable[..., Any], result: str) -> None:
        super()._dress(function, result)
        function.call = self._call  # type: ignore[attr-defined]  # what OperationFunction promises

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        return self._describe(None, *args, **kwargs).named(self._describe.__name__)


def install(cls: type, colour: str) -> None:
    """Put the plain functions into a class in place of the descriptors that it inherits.

    What looks into a class finds methods then (``unittest.mock``, documentation tools), and a call saves the
    descriptor. Type checkers go by the descriptors.
    """
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        found.update(vars(base))
    for name, endpoint in found.items():
        if isinstance(endpoint, _Endpoint):
            setattr(cls, name, endpoint.function(colour))


class operation(_CallEndpoint, Generic[P, T]):
    """Make an endpoint of a method that returns a :class:`muxi.call.Call`."""

    _results: ClassVar[dict[str, str]] = {
        "sync": "{0}",
        "async": "{0}",
        "raw": "RawResponse[{0}]",
        "async_raw": "RawResponse[{0}]",
    }

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

    def _bind(self, describe: Callable[..., Any], colour: str) -> Callable[..., Any]:
        name = describe.__name__

        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return client._run(describe(client, *args, **kwargs).named(name))

        async def coroutine(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await client._run(describe(client, *args, **kwargs).named(name))

        return coroutine if colour.startswith("async") else method


class stream(_CallEndpoint, Generic[P, E]):
    """Make an endpoint of a method that returns a :class:`muxi.call.StreamCall`."""

    _results: ClassVar[dict[str, str]] = {
        "sync": "EventStream[{0}]",
        "async": "AsyncEventStream[{0}]",
        "raw": "RawResponse[EventStream[{0}]]",
        "async_raw": "RawResponse[AsyncEventStream[{0}]]",
    }

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

    def _bind(self, describe: Callable[..., Any], colour: str) -> Callable[..., Any]:
        name = describe.__name__

        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return client._open(describe(client, *args, **kwargs).named(name))

        async def coroutine(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await client._open(describe(client, *args, **kwargs).named(name))

        return coroutine if colour == "async_raw" else method


class procedure(_Endpoint, Generic[P, T]):
    """Make an endpoint of a generator that yields calls and waits and returns one result."""

    _results: ClassVar[dict[str, str]] = {
        "sync": "{0}",
        "async": "{0}",
        "raw": "RawResponse[{0}]",
        "async_raw": "RawResponse[{0}]",
    }

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], Procedure[T]]) -> None: ...

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
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

    def _bind(self, describe: Callable[..., Any], colour: str) -> Callable[..., Any]:
        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return client._proceed(describe(client, *args, **kwargs))

        async def coroutine(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return await client._proceed(describe(client, *args, **kwargs))

        return coroutine if colour.startswith("async") else method


class pages(_Endpoint, Generic[P, T]):
    """Make an endpoint of a generator that yields calls, waits and items; the caller gets the items."""

    _results: ClassVar[dict[str, str]] = {
        "sync": "Iterator[{0}]",
        "async": "AsyncIterator[{0}]",
        "raw": "Iterator[{0}]",
        "async_raw": "AsyncIterator[{0}]",
    }

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], Pages[T]]) -> None: ...

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
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

    def _bind(self, describe: Callable[..., Any], colour: str) -> Callable[..., Any]:
        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            return client._iterate(describe(client, *args, **kwargs))

        return method
