"""One method, two colours: what tools see of an endpoint."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import typing
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, get_type_hints
from unittest.mock import AsyncMock, create_autospec

import pytest

from muxi import (
    AsyncEventStream,
    AsyncFormationClient,
    AsyncServerClient,
    EventStream,
    FormationClient,
    RawResponse,
    ServerClient,
)
from muxi.call import Call, Pages, Procedure
from muxi.client.base import AsyncClient, Client
from muxi.client.endpoints import AnyEndpoint, Endpoint, operation, pages, procedure, stream
from muxi.formation import AsyncRawFormationClient, FormationOperations, RawFormationClient
from muxi.server import ServerOperations
from muxi.streaming.call import StreamCall
from muxi.types import ChatEvent, ChatResult, Memory, MemoryPage
from tests.answers import AsyncPlaybackTransport, Colour, Playback, answer

CLIENTS: list[type] = [FormationClient, AsyncFormationClient, ServerClient, AsyncServerClient]


def endpoints(cls: type) -> dict[str, AnyEndpoint]:
    operations: type = FormationOperations if issubclass(cls, FormationOperations) else ServerOperations
    return {
        name: found
        for base in reversed(operations.__mro__)
        for name, found in vars(base).items()
        if isinstance(found, Endpoint)
    }


ALL = [(cls, name) for cls in CLIENTS for name in endpoints(cls)]


@pytest.mark.parametrize(("cls", "name"), ALL)
def test_an_endpoint_is_a_documented_function_of_its_class(cls: type, name: str) -> None:
    function = inspect.getattr_static(cls, name)
    assert inspect.isfunction(function), "what looks into the class finds a plain function"
    assert function is getattr(cls, name)
    assert inspect.getdoc(function)
    assert function.__name__ == name
    assert function.__qualname__.endswith(f".{name}")
    assert function.__module__.startswith("muxi.operations.")
    assert inspect.isfunction(function.__wrapped__)
    assert f"def {name}(" in inspect.getsource(function)


@pytest.mark.parametrize(("cls", "name"), ALL)
def test_an_endpoint_is_a_coroutine_function_on_async_clients_unless_it_iterates(cls: type, name: str) -> None:
    kind = endpoints(cls)[name]
    expected = issubclass(cls, AsyncClient) and not isinstance(kind, stream | pages)
    assert inspect.iscoroutinefunction(getattr(cls, name)) is expected


@pytest.mark.parametrize(("cls", "name"), ALL)
def test_the_signature_of_an_endpoint_can_be_evaluated_and_matches_its_hints(cls: type, name: str) -> None:
    function = getattr(cls, name)
    signature = inspect.signature(function, eval_str=True)
    hints = get_type_hints(function)
    assert next(iter(signature.parameters)) == "self"
    assert not isinstance(signature.return_annotation, str)
    # Whether T | None or Optional[T] is said differs between versions of Python.
    assert hints["return"] == signature.return_annotation
    called = typing.get_origin(signature.return_annotation) or signature.return_annotation
    assert called not in (Call, StreamCall, Procedure, Pages)
    assert hints.keys() - {"return"} == signature.parameters.keys() - {"self"}


def returned(client: Any, name: str) -> Any:
    return inspect.signature(getattr(client, name), eval_str=True).return_annotation


def test_what_is_bound_has_no_self_and_says_what_really_comes_back() -> None:
    client = Colour().formation()
    signature = inspect.signature(client.get_memories)
    assert next(iter(signature.parameters)) == "user_id"
    assert str(signature).endswith("-> 'MemoryPage'")
    assert returned(client, "chat") is ChatResult
    assert returned(client, "chat_stream") == EventStream[ChatEvent]
    assert returned(client, "iter_memories") == Iterator[Memory]
    assert returned(client.with_raw_response, "get_memories") == RawResponse[MemoryPage]
    assert returned(client.with_raw_response, "chat_stream") == RawResponse[EventStream[ChatEvent]]
    assert returned(AsyncFormationClient, "get_memories") is MemoryPage
    assert returned(AsyncFormationClient, "chat_stream") == AsyncEventStream[ChatEvent]
    assert returned(AsyncFormationClient, "iter_memories") == AsyncIterator[Memory]
    assert returned(AsyncRawFormationClient, "get_memories") == RawResponse[MemoryPage]
    assert returned(AsyncRawFormationClient, "chat_stream") == RawResponse[AsyncEventStream[ChatEvent]]


def test_raw_methods_of_an_async_client_are_coroutine_functions_streams_included() -> None:
    assert inspect.iscoroutinefunction(AsyncRawFormationClient.chat)
    assert inspect.iscoroutinefunction(AsyncRawFormationClient.chat_stream)
    assert not inspect.iscoroutinefunction(RawFormationClient.chat_stream)


@pytest.mark.parametrize("cls", CLIENTS)
def test_help_can_be_had(cls: type) -> None:
    import pydoc

    text = pydoc.plain(pydoc.render_doc(cls))
    for name in endpoints(cls):
        assert f" {name}(" in text


@pytest.mark.parametrize("cls", CLIENTS)
def test_calls_can_be_had_as_values_where_one_call_is_made(cls: type) -> None:
    for name, kind in endpoints(cls).items():
        assert hasattr(getattr(cls, name), "call") is isinstance(kind, operation | stream)


def test_a_wrong_argument_is_told_like_that_of_any_method(colour: Colour) -> None:
    client = colour.formation()
    with pytest.raises(TypeError, match=r"get_memories\(\) missing 1 required positional argument: 'user_id'"):
        colour.run(client.get_memories)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'usr_id'"):
        colour.run(client.get_memories, usr_id="x")
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'user_id'"):
        FormationClient.get_memories.call()  # type: ignore[call-arg]  # what is tested


def test_a_method_can_be_called_by_way_of_its_class(colour: Colour) -> None:
    client = colour.formation(answer({"a": 1}))
    assert colour.run(type(client).get_memories, client, "ada") == {"a": 1}


def test_a_function_of_a_sync_client_pickles() -> None:
    assert pickle.loads(pickle.dumps(FormationClient.chat)) is FormationClient.chat  # noqa: S301  our own


def test_a_method_of_an_async_client_makes_a_task() -> None:
    async def scenario() -> None:
        client = AsyncFormationClient(
            url="http://localhost:1",
            client_key="k",
            transport=AsyncPlaybackTransport(Playback(answer({"a": 1}), answer({"a": 1}))),
        )
        task = asyncio.create_task(client.get_memories("ada"))
        assert isinstance(client.get_memories("ada").__class__, type)
        assert dict(await task) == {"a": 1}

    with pytest.warns(RuntimeWarning, match="never awaited"):
        asyncio.run(scenario())


# unittest.mock


def test_an_autospec_of_a_client_knows_the_methods_and_their_arguments() -> None:
    spec = create_autospec(FormationClient)
    client = spec(url="http://h")
    client.get_memories.return_value = {"memories": []}
    assert client.get_memories("ada", limit=3) == {"memories": []}
    client.get_memories.assert_called_once_with("ada", limit=3)
    for wrong in ({"usr_id": "x"}, {}):
        with pytest.raises(TypeError):
            client.get_memories(**wrong)
    with pytest.raises(AttributeError):
        client.get_memoriez("ada")
    with pytest.raises(TypeError):
        client.chat_stream()


def test_an_autospec_of_an_instance_does_too() -> None:
    client = create_autospec(FormationClient, instance=True)
    client.chat("x", user_id="ada")
    with pytest.raises(TypeError):
        client.chat("x", usr_id="ada")


def test_an_autospec_of_an_async_client_is_awaited() -> None:
    client = create_autospec(AsyncFormationClient, instance=True)
    assert isinstance(client.get_memories, AsyncMock)
    assert not isinstance(client.chat_stream, AsyncMock)
    client.get_memories.return_value = {"memories": []}

    async def scenario() -> Any:
        return await client.get_memories("ada")

    assert asyncio.run(scenario()) == {"memories": []}
    client.get_memories.assert_awaited_once_with("ada")


@pytest.mark.parametrize("cls", CLIENTS)
def test_an_autospec_has_every_endpoint(cls: type) -> None:
    spec = create_autospec(cls, instance=True)
    for name in endpoints(cls):
        assert callable(getattr(spec, name))


# Endpoints of users' own


class Own:
    @operation
    def shout(self, text: str, *, times: int = 2) -> Call[dict[str, Any]]:
        """Say it loudly."""
        return Call.post("/shout", body={"text": text * times})

    @procedure
    def twice(self, text: str) -> Procedure[int]:
        first = yield Own.shout.call(text)
        second = yield Own.shout.call(text)
        return len(first) + len(second)


class OwnClient(Own, FormationClient):
    pass


class AsyncOwnClient(Own, AsyncFormationClient):
    pass


def test_a_users_own_endpoints_are_as_good_as_ours(colour: Colour) -> None:
    cls: Any = AsyncOwnClient if colour.asynchronous else OwnClient
    play = Playback(answer({"a": 1}), answer({"a": 1}), answer({"a": 1, "b": 2}))
    client = cls(url="http://localhost:1", client_key="k", transport=colour.transport(play))
    assert colour.run(client.shout, "Hi", times=3) == {"a": 1}
    assert play.body() == {"text": "HiHiHi"}
    assert colour.run(client.twice, "Hi") == 3
    assert inspect.isfunction(inspect.getattr_static(cls, "shout"))


def test_annotations_that_are_no_texts_are_understood() -> None:
    def count(self: Any) -> Any: ...

    count.__annotations__["return"] = Call[dict[str, int]]
    assert returned(type("Counts", (Client,), {"count": operation(count)}), "count") == dict[str, int]
    count.__annotations__.pop("return")
    assert returned(type("Counts", (Client,), {"count": operation(count)}), "count") is Any


def test_the_coroutine_of_an_async_method_is_one() -> None:
    async def scenario() -> None:
        client = AsyncFormationClient(url="http://localhost:1", transport=AsyncPlaybackTransport(Playback()))
        coroutine = client.health()
        assert isinstance(coroutine, Coroutine)
        coroutine.close()

    asyncio.run(scenario())
