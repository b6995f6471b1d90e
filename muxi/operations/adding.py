"""The types of ``add_memory``: its result depends on whether a ``source`` is given."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar, overload

from muxi.call import Call
from muxi.client.colours import AsyncCaller, AsyncRawCaller, Caller, RawCaller
from muxi.client.endpoints import Endpoint
from muxi.result import RawResponse
from muxi.types import CreatedMemory, IngestedMemory

if TYPE_CHECKING:
    from typing_extensions import Required, Unpack

__all__ = ["AddMemory", "AddMemoryEndpoint", "AddMemoryFunction"]

Stored = TypeVar("Stored", covariant=True)
Ingested = TypeVar("Ingested", covariant=True)


class MemoryFields(TypedDict, total=False):
    """Keyword arguments of ``add_memory``."""

    user_id: str
    metadata: Mapping[str, Any] | None
    scope: str | None
    scope_id: str | None
    source: None
    source_id: str | None
    timestamp: str | None
    subject: str | None


class SourcedMemoryFields(TypedDict, total=False):
    """Keyword arguments of ``add_memory`` with a ``source``."""

    user_id: str
    metadata: Mapping[str, Any] | None
    scope: str | None
    scope_id: str | None
    source: Required[str]
    source_id: str | None
    timestamp: str | None
    subject: str | None


class AddMemory(Protocol[Stored, Ingested]):
    """``add_memory`` of a client: stores at once, or with a ``source`` ingests in the background."""

    @overload
    def __call__(
        self, content: Any = ..., mem_type: str | None = ..., detail: str | None = ..., **fields: Unpack[MemoryFields]
    ) -> Stored: ...
    @overload
    def __call__(
        self,
        content: Any = ...,
        mem_type: str | None = ...,
        detail: str | None = ...,
        **fields: Unpack[SourcedMemoryFields],
    ) -> Ingested: ...


class AddMemoryFunction(Protocol):
    """``add_memory`` as an attribute of a class."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __call__(self, client: Any, /, *args: Any, **kwargs: Any) -> Any: ...

    @property
    def call(self) -> AddMemory[Call[CreatedMemory], Call[IngestedMemory]]:
        """Makes the call as a value."""
        ...


class AddMemoryEndpoint(Endpoint[..., AddMemoryFunction, Any, Any, Any, Any]):
    """The descriptor of ``add_memory`` for type checkers; at run time it is an ``operation`` as any other."""

    @overload
    def __get__(self, instance: None, owner: type) -> AddMemoryFunction: ...
    @overload
    def __get__(self, instance: Caller, owner: type) -> AddMemory[CreatedMemory, IngestedMemory]: ...
    @overload
    def __get__(
        self, instance: AsyncCaller, owner: type
    ) -> AddMemory[Coroutine[Any, Any, CreatedMemory], Coroutine[Any, Any, IngestedMemory]]: ...
    @overload
    def __get__(
        self, instance: RawCaller, owner: type
    ) -> AddMemory[RawResponse[CreatedMemory], RawResponse[IngestedMemory]]: ...
    @overload
    def __get__(
        self, instance: AsyncRawCaller, owner: type
    ) -> AddMemory[
        Coroutine[Any, Any, RawResponse[CreatedMemory]], Coroutine[Any, Any, RawResponse[IngestedMemory]]
    ]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        raise NotImplementedError
