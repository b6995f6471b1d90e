"""What users build on the clients: protocols, overrides, endpoints of their own. Never run.

mypy accepts all of it. pyright does not take a descriptor for a method: it objects on the lines that tell it not
to, and on no other. What to write instead is beside them.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Protocol

from typing_extensions import assert_type

from muxi import AsyncFormationClient, Call, FormationClient
from muxi.call import Pages, Procedure, send
from muxi.client.endpoints import operation, pages, procedure, stream
from muxi.streaming.call import StreamCall
from muxi.streaming.streams import AsyncEventStream, EventStream
from muxi.types import ChatEvent, MemoryPage, Session


class Remembers(Protocol):
    """What an application needs of a client."""

    def get_memories(self, user_id: str, limit: int | None = None) -> MemoryPage: ...


class AsyncRemembers(Protocol):
    async def get_memories(self, user_id: str, limit: int | None = None) -> MemoryPage: ...


def use(memory: Remembers) -> MemoryPage:
    return memory.get_memories("u", limit=3)


async def use_async(memory: AsyncRemembers) -> MemoryPage:
    return await memory.get_memories("u", limit=3)


class Memories:
    """Instead of giving the client itself where pyright is used: an object that has it."""

    def __init__(self, client: FormationClient) -> None:
        self._client = client

    def get_memories(self, user_id: str, limit: int | None = None) -> MemoryPage:
        return self._client.get_memories(user_id, limit)


class Polite(FormationClient):
    """An override, which can call the one above."""

    def get_session(self, session_id: str, user_id: str) -> Session:  # pyright: ignore
        return super().get_session(session_id.strip(), user_id or "0")


class PoliteAsync(AsyncFormationClient):
    async def get_session(self, session_id: str, user_id: str) -> Session:  # pyright: ignore
        return await super().get_session(session_id.strip(), user_id or "0")


class PoliteWithin:
    """Instead of the override where pyright is used."""

    def __init__(self, client: FormationClient) -> None:
        self.client = client

    def get_session(self, session_id: str, user_id: str) -> Session:
        return self.client.get_session(session_id.strip(), user_id or "0")


async def given(client: FormationClient, asynchronous: AsyncFormationClient) -> None:
    use(client)  # pyright: ignore
    use(Memories(client))
    await use_async(asynchronous)  # pyright: ignore
    assert_type(Polite(url="http://h").get_session("s", "u"), Session)
    assert_type(await PoliteAsync(url="http://h").get_session("s", "u"), Session)


class OwnOperations:
    """Routes that the SDK does not know, for both colours."""

    @operation
    def shout(self, text: str, *, times: int = 2) -> Call[dict[str, int]]:
        return Call.post("/shout", body={"text": text * times})

    @stream
    def listen(self, room: str) -> StreamCall[ChatEvent]:
        return StreamCall("GET", "/rooms/{room}", params={"room": room})

    @procedure
    def twice(self, text: str) -> Procedure[int]:
        first = yield from send(OwnOperations.shout.call(text))
        assert_type(first, dict[str, int])
        return len(first)

    @pages
    def each(self) -> Pages[str]:
        yield Call.get("/each")


class OwnClient(OwnOperations, FormationClient):
    pass


class AsyncOwnClient(OwnOperations, AsyncFormationClient):
    pass


async def own(client: OwnClient, asynchronous: AsyncOwnClient) -> None:
    assert_type(client.shout("Hi", times=3), dict[str, int])
    assert_type(await asynchronous.shout("Hi"), dict[str, int])
    assert_type(client.listen("a"), EventStream[ChatEvent])
    assert_type(asynchronous.listen("a"), AsyncEventStream[ChatEvent])
    assert_type(client.twice("Hi"), int)
    assert_type(await asynchronous.twice("Hi"), int)
    assert_type(next(client.each()), str)
    assert_type(await anext(asynchronous.each()), str)
