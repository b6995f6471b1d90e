"""Chats whose answers are data: parsed as JSON, and loaded by a schema or a model of the caller's."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, overload

from muxi.answers import Loads, Model
from muxi.call import Procedure, send
from muxi.client.endpoints import procedure
from muxi.operations.chat import ChatOperations, text_of

if TYPE_CHECKING:
    from marshmallow import Schema

    from muxi.client.colours import AsyncCaller, AsyncRawCaller, Caller, RawCaller
    from muxi.result import RawResponse
    from muxi.types import ChatRequest, FileInput

__all__ = ["ParsedChatOperations"]

T = TypeVar("T")

if TYPE_CHECKING:
    Payload: TypeAlias = ChatRequest | Mapping[str, Any] | str
    Files: TypeAlias = Sequence[FileInput] | None

    # Type checkers find the result by the schema: a model's own type; of marshmallow, whose load() has no types, Any;
    # and what any other load() returns.

    class _Sync(Protocol):
        @overload
        def __call__(self, payload: Payload, schema: Model[T], *, user_id: str = "", files: Files = None) -> T: ...
        @overload
        def __call__(
            self, payload: Payload, schema: Schema | type[Schema], *, user_id: str = "", files: Files = None
        ) -> Any: ...
        @overload
        def __call__(
            self, payload: Payload, schema: Loads[T] | type[Loads[T]], *, user_id: str = "", files: Files = None
        ) -> T: ...

    class _Async(Protocol):
        @overload
        def __call__(
            self, payload: Payload, schema: Model[T], *, user_id: str = "", files: Files = None
        ) -> Coroutine[Any, Any, T]: ...
        @overload
        def __call__(
            self, payload: Payload, schema: Schema | type[Schema], *, user_id: str = "", files: Files = None
        ) -> Coroutine[Any, Any, Any]: ...
        @overload
        def __call__(
            self, payload: Payload, schema: Loads[T] | type[Loads[T]], *, user_id: str = "", files: Files = None
        ) -> Coroutine[Any, Any, T]: ...

    class _Raw(Protocol):
        @overload
        def __call__(
            self, payload: Payload, schema: Model[T], *, user_id: str = "", files: Files = None
        ) -> RawResponse[T]: ...
        @overload
        def __call__(
            self, payload: Payload, schema: Schema | type[Schema], *, user_id: str = "", files: Files = None
        ) -> RawResponse[Any]: ...
        @overload
        def __call__(
            self, payload: Payload, schema: Loads[T] | type[Loads[T]], *, user_id: str = "", files: Files = None
        ) -> RawResponse[T]: ...

    class _AsyncRaw(Protocol):
        @overload
        def __call__(
            self, payload: Payload, schema: Model[T], *, user_id: str = "", files: Files = None
        ) -> Coroutine[Any, Any, RawResponse[T]]: ...
        @overload
        def __call__(
            self, payload: Payload, schema: Schema | type[Schema], *, user_id: str = "", files: Files = None
        ) -> Coroutine[Any, Any, RawResponse[Any]]: ...
        @overload
        def __call__(
            self, payload: Payload, schema: Loads[T] | type[Loads[T]], *, user_id: str = "", files: Files = None
        ) -> Coroutine[Any, Any, RawResponse[T]]: ...

    class parsing:
        """The descriptor of :meth:`ParsedChatOperations.chat_parsed`, as type checkers see it."""

        def __init__(self, describe: Callable[..., Any]) -> None: ...
        @overload
        def __get__(self, instance: None, owner: type) -> Callable[..., Any]: ...
        @overload
        def __get__(self, instance: Caller, owner: type) -> _Sync: ...
        @overload
        def __get__(self, instance: AsyncCaller, owner: type) -> _Async: ...
        @overload
        def __get__(self, instance: RawCaller, owner: type) -> _Raw: ...
        @overload
        def __get__(self, instance: AsyncRawCaller, owner: type) -> _AsyncRaw: ...
        def __get__(self, instance: object, owner: type) -> Any: ...

else:
    parsing = procedure


class ParsedChatOperations:
    """Methods that send a message and load the agents' answer."""

    @parsing
    def chat_parsed(
        self,
        payload: ChatRequest | Mapping[str, Any] | str,
        schema: Model[T] | Loads[T] | type[Loads[T]],
        *,
        user_id: str = "",
        files: Sequence[FileInput] | None = None,
    ) -> Procedure[T]:
        """Send a message whose answer is JSON, and load it with a schema or a model.

        ::

            class Recipe(pydantic.BaseModel):
                name: str
                steps: list[str]

            recipe = formation.chat_parsed("A recipe as JSON with name and steps.", Recipe, user_id="ada")
            print(recipe.name)

        The message itself has to ask for JSON; the runtime knows nothing of schemas.

        Args:
            payload: as for :meth:`chat`.
            schema: a pydantic model, a marshmallow schema or its class, or anything else with a ``model_validate()``
                or a ``load()``. For type checkers the result is the model, or what ``load()`` returns (marshmallow
                does not say what that is).
            user_id: as for :meth:`chat`.
            files: as for :meth:`chat`.

        Returns:
            The object that the schema loaded.

        Raises:
            ValidationError: the answer is not JSON (``ANSWER_NOT_JSON``), does not fit (``ANSWER_INVALID``), or is
                yet to come from the background (``ANSWER_PENDING``); ``details["text"]`` has its text and
                ``details["validation_errors"]`` the wrong fields. Or the payload does not fit.
            TurnFailed: the formation answered that the turn failed.
            MuxiError: any other failure.
        """
        from muxi.schemas.loading import loader_of

        load = loader_of(schema)  # before the turn, which takes its time and its tokens
        answer = yield from send(ChatOperations.chat.call(payload, user_id=user_id, files=files))
        text = text_of(answer)
        # Here, because it loads marshmallow.
        from muxi.schemas.answer import load_answer

        return load_answer(text, load, answer.get("request_id"))
