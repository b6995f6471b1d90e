"""What type checkers see: mypy runs over this file with the other tests. None of it is run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import marshmallow
import pydantic

from muxi import AsyncFormationClient, FormationClient, PendingTurn, RawResponse, pending

if TYPE_CHECKING:
    from typing_extensions import assert_type

    from muxi.types import ChatEvent, ChatRequest, ChatResult, RequestStatus


class Recipe:
    pass


class RecipeModel(pydantic.BaseModel):
    name: str


class RecipeSchema(marshmallow.Schema):
    pass


class RecipeLoader:
    def load(self, data: Any) -> Recipe:
        return Recipe()


def sync(client: FormationClient) -> None:
    assert_type(client.ask("Tea?", user_id="ada"), str)
    assert_type(client.conversation(user_id="ada").ask("Tea?"), str)
    assert_type(client.chat_parsed("Tea?", RecipeModel, user_id="ada"), RecipeModel)
    assert_type(client.chat_parsed("Tea?", RecipeLoader()), Recipe)
    assert_type(client.chat_parsed("Tea?", RecipeLoader, user_id="ada"), Recipe)
    assert_type(client.with_raw_response.chat_parsed("Tea?", RecipeModel), RawResponse[RecipeModel])
    client.chat_parsed("Tea?", RecipeSchema)["name"]
    answer = client.chat("Hi", files=["a", Path("b"), b"c", ("d", b"d"), ("e", "e", "text/plain"), {"filename": "f"}])
    assert_type(answer, ChatResult)
    assert_type(pending(answer), PendingTurn | None)
    with Path("a").open("rb") as opened:
        request: ChatRequest = {"message": "Hi", "files": [opened, b"x"]}
    client.chat_stream(request)
    assert_type(client.audio_chat({"files": ["a.wav"]}), ChatResult)
    for event in client.audio_chat_stream(files=["a.wav"]):
        assert_type(event, ChatEvent)
    assert_type(client.wait_for_request("r", "ada", timeout=None), RequestStatus)


async def asynchronous(client: AsyncFormationClient) -> None:
    assert_type(await client.chat_parsed("Tea?", RecipeLoader()), Recipe)
    assert_type(await client.chat_parsed("Tea?", RecipeModel), RecipeModel)
    assert_type(await client.audio_chat(files=["a.wav"]), ChatResult)
    assert_type(await client.wait_for_request("r", "ada"), RequestStatus)


def test_this_file_is_for_type_checkers() -> None:
    assert not TYPE_CHECKING
