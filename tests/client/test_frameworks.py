"""The types in the tools of others: pydantic and FastAPI take them, trio gets an error that says what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import fastapi
import pydantic
import pytest

from muxi import AsyncFormationClient, AsyncServerClient, ConfigurationError, FormationClient, types

RECORDS = [name for name in types.__all__ if hasattr(getattr(types, name), "__required_keys__")]


@pytest.mark.parametrize("name", RECORDS)
def test_pydantic_has_a_form_for_every_type(name: str) -> None:
    pydantic.TypeAdapter(getattr(types, name)).json_schema()


def test_fastapi_takes_a_request_and_returns_an_answer() -> None:
    app = fastapi.FastAPI()

    @app.post("/chat")
    def chat(body: types.ChatRequest) -> types.ChatResult:
        raise AssertionError("only the description is made")

    chat.__annotations__.update(body=types.ChatRequest)
    schemas = app.openapi()["components"]["schemas"]
    assert {"ChatRequest", "ChatResult", "ChatMessage"} <= schemas.keys()
    assert schemas["ChatRequest"]["required"] == ["message"]


def test_pydantic_leaves_files_to_the_call() -> None:
    taken: Any = pydantic.TypeAdapter(types.ChatRequest).validate_python({"message": "x", "files": [("a", b"b", None)]})
    assert taken["files"] == [("a", b"b", None)]


def test_a_file_without_a_media_type_goes_by_its_name() -> None:
    files: list[types.FileInput] = [("a.pdf", b"x", None)]
    call = FormationClient.chat.call("x", user_id="u", files=files)
    assert call.body["files"][0]["content_type"] == "application/pdf"


def test_without_a_loop_of_asyncio_the_error_names_asyncio_and_what_to_do_below_trio() -> None:
    client = AsyncFormationClient(transport="memory")
    coroutine = client.health()
    # As trio runs it: without a loop of asyncio.
    with pytest.raises(ConfigurationError, match=r"asyncio loop.*anyio\.to_thread\.run_sync"):
        coroutine.send(None)


async def _read(stream: AsyncIterator[object]) -> None:
    async for _ in stream:
        raise AssertionError("nothing is read without a loop")


async def _enter(stream: AbstractAsyncContextManager[object]) -> None:
    async with stream:
        raise AssertionError("nothing is opened without a loop")


WITHOUT_A_LOOP: dict[str, Callable[[AsyncFormationClient, AsyncServerClient], Coroutine[Any, Any, object]]] = {
    "a call": lambda formation, server: formation.get_memories("ada"),
    "a call that reads files": lambda formation, server: server.deploy_formation(b"x"),
    "a stream": lambda formation, server: _read(formation.chat_stream("x", user_id="ada")),
    "its text": lambda formation, server: _read(formation.chat_stream("x", user_id="ada").text()),
    "a stream in a block": lambda formation, server: _enter(formation.chat_stream("x", user_id="ada")),
    "a stream that reads files": lambda formation, server: _read(server.deploy_formation_stream(b"x")),
    "pages": lambda formation, server: _read(formation.iter_memories("ada")),
    "close": lambda formation, server: formation.close(),
}


@pytest.mark.parametrize("what", WITHOUT_A_LOOP)
def test_whatever_is_awaited_without_a_loop_of_asyncio_raises_the_same_error(what: str) -> None:
    coroutine = WITHOUT_A_LOOP[what](AsyncFormationClient(transport="memory"), AsyncServerClient(transport="memory"))
    with pytest.raises(ConfigurationError, match=r"asyncio loop.*anyio\.to_thread\.run_sync"):
        coroutine.send(None)
    coroutine.close()
