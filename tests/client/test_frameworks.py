"""The types in the tools of others: pydantic and FastAPI take them, trio is told what to do."""

from __future__ import annotations

from typing import Any

import fastapi
import pydantic
import pytest

from muxi import AsyncFormationClient, ConfigurationError, FormationClient, types

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
