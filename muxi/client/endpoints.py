"""One method, two colours: the descriptors that make an endpoint out of a method that describes a call.

``@operation`` turns ``def get_memories(self, user_id) -> Call[MemoryPage]`` into a method that on a sync
client returns a ``MemoryPage`` and on an async client a coroutine of one; ``@stream`` does the same for event
streams, ``@procedure`` for several calls with one result, ``@pages`` for iterators. Accessed on a class, the first two
make the call as a value: ``FormationClient.get_memories.call(user_id="u")``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from functools import cached_property, partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from muxi.client.checking import ArgumentCheck, described_with
from muxi.client.colours import AsyncCaller, AsyncRawCaller, Caller, RawCaller
from muxi.lazy import AnnotationNames, TextAnnotations
from muxi.result import RawResponse
from muxi.transport.frames import clear_frames

if TYPE_CHECKING:
    from muxi.call import Call, Pages, Procedure
    from muxi.streaming.call import StreamCall
    from muxi.streaming.streams import AsyncEventStream, EventStream  # noqa: F401  named in texts below

__all__ = ["AnyEndpoint", "Endpoint", "hints", "install", "operation", "pages", "procedure", "reads_files", "stream"]

#: The modules with the names in the annotations of arguments and results, for callers who evaluate them.
_HOMES = ("muxi.types", "muxi", "collections.abc", "muxi.exchange.download")

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E")
#: The type of an endpoint as an attribute of a class, and of its results by the colour of the client.
OnClass = TypeVar("OnClass")
Sync = TypeVar("Sync")
Async = TypeVar("Async")
Raw = TypeVar("Raw")
AsyncRaw = TypeVar("AsyncRaw")


class OperationFunction(Protocol[P, T]):
    """An operation as an attribute of a class."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any: ...

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """The call that the method would make, as a value."""
        ...


class StreamFunction(Protocol[P, E]):
    """A streaming operation as an attribute of a class."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any: ...

    def call(self, *args: P.args, **kwargs: P.kwargs) -> StreamCall[E]:
        """The call that the method would make, as a value."""
        ...


class Endpoint(Generic[P, OnClass, Sync, Async, Raw, AsyncRaw]):
    """A descriptor that gives each colour of client its own function for one description.

    Args:
        describe: the method; returns a call, or is a generator of steps. It does no I/O.
    """

    #: The method of a client that runs what is described; see :mod:`muxi.client.colours`.
    _caller: ClassVar[str]
    #: Result annotations by colour, around the type that the description names.
    _results: ClassVar[dict[str, str]]
    #: Colours whose clients get a coroutine function.
    _coroutines: ClassVar[frozenset[str]] = frozenset({"async", "async_raw"})
    #: Whether the description is one call, which is also available as a value.
    _is_call: ClassVar[bool] = False

    def __init__(self, describe: Callable[..., Any]) -> None:
        self._describe = cast(FunctionType, describe)
        self._functions: dict[str, Callable[..., Any]] = {}
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> OnClass: ...
    @overload
    def __get__(self, instance: Caller, owner: type) -> Callable[P, Sync]: ...
    @overload
    def __get__(self, instance: AsyncCaller, owner: type) -> Callable[P, Async]: ...
    @overload
    def __get__(self, instance: RawCaller, owner: type) -> Callable[P, Raw]: ...
    @overload
    def __get__(self, instance: AsyncRawCaller, owner: type) -> Callable[P, AsyncRaw]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        function = self.function(getattr(owner or type(instance), "_colour", "sync"))
        return function if instance is None else MethodType(function, instance)

    def function(self, colour: str) -> Callable[..., Any]:
        """Return the method for clients of a colour: ``sync``, ``async``, ``raw`` or ``async_raw``."""
        function = self._functions.get(colour)
        if function is None:
            function = self._functions[colour] = self._make_function(colour)
            self._copy_face(function, self._results[colour])
        return function

    def _make_function(self, colour: str) -> Callable[..., Any]:
        describe, caller = self._describe_call if self._is_call else self._describe_checked, self._caller
        raise_problem = self._raise_problem

        # The arguments are dropped before the call is sent: these frames still run when an error passes through them,
        # and tools that record the locals of a traceback would find a secret among the arguments.

        def method(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            try:
                described = describe(client, *args, **kwargs)
            except BaseException as error:
                raise_problem(error, kwargs)
                raise
            finally:
                del args, kwargs
            return getattr(client, caller)(described)

        def later(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            made = partial(describe, client, *args, **kwargs)

            async def describe_in_thread() -> Any:
                from muxi.bundles.stopping import run_in_thread

                try:
                    return await run_in_thread(made)
                except BaseException as error:
                    raise_problem(error, made.keywords)
                    raise

            return getattr(client, caller)(describe_in_thread)

        in_thread = getattr(self._describe, "reads_files", False)

        async def coroutine(client: Any, /, *args: Any, **kwargs: Any) -> Any:
            try:
                if in_thread:
                    from muxi.bundles.stopping import run_in_thread

                    client._runner.claim_loop()
                    described = await run_in_thread(partial(describe, client, *args, **kwargs))
                else:
                    described = describe(client, *args, **kwargs)
            except BaseException as error:
                raise_problem(error, kwargs)
                raise
            finally:
                del args, kwargs
            return await getattr(client, caller)(described)

        if in_thread and colour == "async" and colour not in self._coroutines:
            return later  # a stream, which is described when it is opened
        return coroutine if colour in self._coroutines else method

    @cached_property
    def _check(self) -> ArgumentCheck:
        return ArgumentCheck(self._describe)  # at the first call, which spares an import 2 ms

    def _raise_problem(self, error: BaseException, given: Mapping[str, object]) -> None:
        """Raise the error of arguments that do not fit the method; clear the frames of any other error."""
        describe = self._describe
        message = str(error)
        if not isinstance(error, TypeError) or not message.startswith(f"{describe.__qualname__}() "):
            clear_frames(error)
            return
        # The class that has the method is an internal one.
        message = message.replace(f"{describe.__qualname__}()", f"{describe.__name__}()", 1)
        if "Did you mean" not in message:  # as Python 3.13 has it
            from difflib import get_close_matches  # only for a mistake

            code = describe.__code__
            known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
            for name in given:
                if f"'{name}'" in message and name not in known and (near := get_close_matches(name, known, 1, 0.7)):
                    message += f". Did you mean {near[0]!r}?"
                    break
        if (hint := getattr(describe, "hint", "")) and "Did you mean" not in message:
            message += f". {hint}"
        problem = TypeError(message)
        try:
            raise problem from None
        finally:
            problem.__context__ = None  # its frames have the arguments
            del error, given

    def _describe_call(self, client: object, /, *args: Any, **kwargs: Any) -> Any:
        return self._describe_checked(client, *args, **kwargs).named(self._describe.__name__)

    def _describe_checked(self, client: object, /, *args: Any, **kwargs: Any) -> Any:
        if mistakes := self._check.mistakes(args, kwargs):
            return described_with(mistakes, self._describe, client, args, kwargs)
        return self._describe(client, *args, **kwargs)

    def _call(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._describe_call(None, *args, **kwargs)
        except TypeError as error:
            self._raise_problem(error, kwargs)
            raise

    def _copy_face(self, function: Callable[..., Any], result: str) -> None:
        """Copy name, docstring and signature of the description, with the result that the method returns.

        The signature belongs to a second function, which ``inspect`` finds by ``__wrapped__``: its annotations stay
        texts until they are asked for. Evaluated for every endpoint they would cost an import 10 ms.
        """
        describe = self._describe
        names = AnnotationNames(describe.__globals__, _HOMES)
        face = FunctionType(describe.__code__, names, describe.__name__, describe.__defaults__, describe.__closure__)
        face.__kwdefaults__ = describe.__kwdefaults__
        texts = {**describe.__annotations__, "return": result.format(self._described_type())}
        face.__annotations__ = TextAnnotations(texts, names)
        for copy in (face, function):
            copy.__name__ = describe.__name__
            copy.__qualname__ = describe.__qualname__
            copy.__module__ = describe.__module__
            copy.__doc__ = describe.__doc__
        function.__annotations__ = face.__annotations__
        function.__wrapped__ = face  # type: ignore[attr-defined]  # the attribute that inspect follows
        if self._is_call:
            function.call = self._call  # type: ignore[attr-defined]  # declared by OperationFunction

    def _described_type(self) -> str:
        """``MemoryPage`` of ``Call[MemoryPage]``."""
        annotation: object = self._describe.__annotations__.get("return", "")
        if isinstance(annotation, str):
            text = annotation
        else:
            from inspect import formatannotation

            text = formatannotation(annotation)
        return text.partition("[")[2].removesuffix("]") or "Any"


def reads_files(describe: Callable[P, T]) -> Callable[P, T]:
    """Mark a description that reads files: on an async client a thread runs it, so that the loop goes on."""
    describe.reads_files = True  # type: ignore[attr-defined]  # an attribute of functions of our own
    return describe


def hints(text: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Have the error of arguments that do not fit a method end with a text: the call to write instead."""

    def mark(describe: Callable[P, T]) -> Callable[P, T]:
        describe.hint = text  # type: ignore[attr-defined]  # an attribute of functions of our own
        return describe

    return mark


#: An endpoint of any kind.
AnyEndpoint = Endpoint[..., Any, Any, Any, Any, Any]


def install(cls: type, colour: str) -> None:
    """Put the plain functions into a class in place of the descriptors that it inherits.

    Tools that look into a class then find methods (``unittest.mock``, documentation tools), and a call saves the
    descriptor. Type checkers go by the descriptors.
    """
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        found.update(vars(base))
    for name, endpoint in found.items():
        if isinstance(endpoint, Endpoint):
            setattr(cls, name, endpoint.function(colour))


_ONE_RESULT = {"sync": "{0}", "async": "{0}", "raw": "RawResponse[{0}]", "async_raw": "RawResponse[{0}]"}


class operation(
    Endpoint[
        P,
        OperationFunction[P, T],
        T,
        Coroutine[Any, Any, T],
        RawResponse[T],
        Coroutine[Any, Any, RawResponse[T]],
    ],
    Generic[P, T],
):
    """Make an endpoint of a method that returns a :class:`muxi.call.Call`."""

    _caller: ClassVar[str] = "_run"
    _results: ClassVar[dict[str, str]] = _ONE_RESULT
    _is_call: ClassVar[bool] = True

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], Call[T]]) -> None: ...


class stream(
    Endpoint[
        P,
        StreamFunction[P, E],
        "EventStream[E]",
        "AsyncEventStream[E]",
        RawResponse["EventStream[E]"],
        Coroutine[Any, Any, RawResponse["AsyncEventStream[E]"]],
    ],
    Generic[P, E],
):
    """Make an endpoint of a method that returns a :class:`muxi.StreamCall`."""

    _caller: ClassVar[str] = "_open"
    _results: ClassVar[dict[str, str]] = {
        "sync": "EventStream[{0}]",
        "async": "AsyncEventStream[{0}]",
        "raw": "RawResponse[EventStream[{0}]]",
        "async_raw": "RawResponse[AsyncEventStream[{0}]]",
    }
    _coroutines: ClassVar[frozenset[str]] = frozenset({"async_raw"})
    _is_call: ClassVar[bool] = True

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], StreamCall[E]]) -> None: ...


class procedure(
    Endpoint[
        P,
        Callable[Concatenate[Any, P], Any],
        T,
        Coroutine[Any, Any, T],
        RawResponse[T],
        Coroutine[Any, Any, RawResponse[T]],
    ],
    Generic[P, T],
):
    """Make an endpoint of a generator that yields calls and waits and returns one result."""

    _caller: ClassVar[str] = "_proceed"
    _results: ClassVar[dict[str, str]] = _ONE_RESULT

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], Procedure[T]]) -> None: ...


class pages(
    Endpoint[P, Callable[Concatenate[Any, P], Any], Iterator[T], AsyncIterator[T], Iterator[T], AsyncIterator[T]],
    Generic[P, T],
):
    """Make an endpoint of a generator that yields calls, waits and items; the caller gets the items."""

    _caller: ClassVar[str] = "_iterate"
    _results: ClassVar[dict[str, str]] = {
        "sync": "Iterator[{0}]",
        "async": "AsyncIterator[{0}]",
        "raw": "Iterator[{0}]",
        "async_raw": "AsyncIterator[{0}]",
    }
    _coroutines: ClassVar[frozenset[str]] = frozenset()

    if TYPE_CHECKING:

        def __init__(self, describe: Callable[Concatenate[Any, P], Pages[T]]) -> None: ...
