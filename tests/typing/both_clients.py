"""What type checkers infer of the clients. Never run; mypy and pyright check each line (see test_type_checkers.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

from typing_extensions import assert_type

from muxi import (
    AsyncEventStream,
    AsyncFormationClient,
    AsyncServerClient,
    Call,
    EventStream,
    FormationClient,
    FormationConfig,
    Meta,
    RawResponse,
    ServerClient,
    StreamCall,
    meta,
)
from muxi.formation import AsyncRawFormationClient, RawFormationClient
from muxi.types import (
    BufferCleared,
    ChatEvent,
    ChatMessage,
    ChatResult,
    CreatedMemory,
    FormationList,
    IngestedMemory,
    Memory,
    MemoryPage,
    RequestStatus,
)


def operations(client: FormationClient, server: ServerClient) -> None:
    assert_type(client.chat("Hi", user_id="u"), ChatResult)
    assert_type(client.chat({"message": "Hi"})["message"], ChatMessage)
    assert_type(client.get_memories("u", limit=3), MemoryPage)
    assert_type(client.get_memories(user_id="u")["memories"], list[Memory])
    assert_type(server.list_formations(), FormationList)
    assert_type(meta(client.chat("Hi")), Meta)


async def async_operations(client: AsyncFormationClient, server: AsyncServerClient) -> None:
    coroutine = assert_type(client.chat("Hi", user_id="u"), Coroutine[Any, Any, ChatResult])
    assert_type(await coroutine, ChatResult)
    assert_type(await client.chat("Hi", user_id="u"), ChatResult)
    assert_type(await client.get_memories("u", limit=3), MemoryPage)
    assert_type(await server.list_formations(), FormationList)
    task = asyncio.create_task(client.get_memories("u"))
    assert_type(task, asyncio.Task[MemoryPage])


def streams(client: FormationClient) -> None:
    stream = client.chat_stream({"message": "Hi"}, user_id="u")
    assert_type(stream, EventStream[ChatEvent])
    for event in stream:
        assert_type(event, ChatEvent)
        assert_type(event["type"], str)
    assert_type(stream.text(), Iterator[str])
    assert_type(stream.result(), ChatMessage)
    with client.chat_stream("Hi") as entered:
        assert_type(entered, EventStream[ChatEvent])


async def async_streams(client: AsyncFormationClient) -> None:
    stream = client.chat_stream({"message": "Hi"}, user_id="u")
    assert_type(stream, AsyncEventStream[ChatEvent])
    assert_type(await stream, AsyncEventStream[ChatEvent])
    async for event in stream:
        assert_type(event, ChatEvent)
    async for event in await client.chat_stream("Hi"):
        assert_type(event, ChatEvent)
    assert_type(stream.text(), AsyncIterator[str])
    assert_type(await stream.result(), ChatMessage)
    async with client.chat_stream("Hi") as entered:
        assert_type(entered, AsyncEventStream[ChatEvent])


def procedures(client: FormationClient) -> None:
    assert_type(client.wait_for_request("r", "u", timeout=None), RequestStatus)
    assert_type(client.clear_all_buffers(), BufferCleared)


async def async_procedures(client: AsyncFormationClient) -> None:
    assert_type(await client.wait_for_request("r", "u", timeout=1.5), RequestStatus)
    assert_type(await client.clear_all_buffers(), BufferCleared)


def add_memory(client: FormationClient) -> None:
    assert_type(client.add_memory("x", user_id="u"), CreatedMemory)
    assert_type(client.add_memory("u", "preference", "likes tea"), CreatedMemory)
    assert_type(client.add_memory("x", user_id="u", source="gmail"), IngestedMemory)
    assert_type(FormationClient.add_memory.call("x", user_id="u", source="gmail"), Call[IngestedMemory])
    assert_type(client.with_raw_response.add_memory("x", user_id="u", source="g"), RawResponse[IngestedMemory])


async def async_add_memory(client: AsyncFormationClient) -> None:
    assert_type(await client.add_memory("x", user_id="u", source=None), CreatedMemory)
    assert_type(await client.add_memory("x", user_id="u", source="gmail"), IngestedMemory)


def pages(client: FormationClient) -> None:
    assert_type(client.iter_memories("u"), Iterator[Memory])
    for memory in client.iter_memories("u"):
        assert_type(memory["content"], str)


async def async_pages(client: AsyncFormationClient) -> None:
    assert_type(client.iter_memories("u"), AsyncIterator[Memory])
    async for memory in client.iter_memories("u"):
        assert_type(memory["content"], str)


def options(client: FormationClient, server: ServerClient) -> None:
    assert_type(client.with_options(timeout=3, max_retries=0), FormationClient)
    assert_type(client.with_options(headers={"a": "b"}, idempotency_key="k").chat("Hi"), ChatResult)
    assert_type(client.with_options(idle_timeout=None).chat_stream("Hi"), EventStream[ChatEvent])
    assert_type(server.with_options(deadline=None), ServerClient)
    with client as entered:
        assert_type(entered, FormationClient)


async def async_options(client: AsyncFormationClient) -> None:
    assert_type(client.with_options(timeout=3), AsyncFormationClient)
    assert_type(await client.with_options(timeout=3).chat("Hi"), ChatResult)
    async with client as entered:
        assert_type(entered, AsyncFormationClient)


def raw(client: FormationClient) -> None:
    assert_type(client.with_raw_response, RawFormationClient)
    assert_type(client.with_raw_response.with_options(timeout=3), RawFormationClient)
    assert_type(client.with_raw_response.chat("Hi"), RawResponse[ChatResult])
    assert_type(client.with_raw_response.chat("Hi").data, ChatResult)
    assert_type(client.with_raw_response.chat_stream("Hi"), RawResponse[EventStream[ChatEvent]])
    assert_type(client.with_raw_response.chat_stream("Hi").data.result(), ChatMessage)
    assert_type(client.with_raw_response.wait_for_request("r", "u"), RawResponse[RequestStatus])
    assert_type(client.with_raw_response.iter_memories("u"), Iterator[Memory])


async def async_raw(client: AsyncFormationClient) -> None:
    assert_type(client.with_raw_response, AsyncRawFormationClient)
    assert_type(await client.with_raw_response.chat("Hi"), RawResponse[ChatResult])
    answer = await client.with_raw_response.chat_stream("Hi")
    assert_type(answer, RawResponse[AsyncEventStream[ChatEvent]])
    assert_type(await answer.data.result(), ChatMessage)
    assert_type(await client.with_raw_response.wait_for_request("r", "u"), RawResponse[RequestStatus])
    assert_type(client.with_raw_response.iter_memories("u"), AsyncIterator[Memory])


def calls(client: FormationClient) -> None:
    call = FormationClient.get_memories.call(user_id="u")
    assert_type(call, Call[MemoryPage])
    assert_type(client.send(call), MemoryPage)
    stream_call = FormationClient.chat_stream.call("Hi")
    assert_type(stream_call, StreamCall[ChatEvent])
    assert_type(client.send(stream_call), EventStream[ChatEvent])
    own: Call[dict[str, int]] = Call.get("/own/{thing}", params={"thing": "x"})
    assert_type(client.send(own), dict[str, int])


async def async_calls(client: AsyncFormationClient) -> None:
    assert_type(await client.send(AsyncFormationClient.get_memories.call("u")), MemoryPage)
    assert_type(await client.send(FormationClient.chat_stream.call("Hi")), AsyncEventStream[ChatEvent])


def configured() -> None:
    assert_type(FormationClient(FormationConfig(url="http://h"), timeout=3), FormationClient)
    FormationClient(server_url="http://h", formation_id="b", client_key=lambda: "k", mode="draft", plugins=[object()])
    AsyncServerClient(url="http://h", key_id="k", secret_key=vault, transport="memory")


async def vault() -> str:
    return "k"
