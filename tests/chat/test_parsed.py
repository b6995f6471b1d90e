"""Structured answers: the text as JSON that a schema loads."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pydantic
import pytest
from marshmallow import Schema, fields, post_load

from muxi import ValidationError
from muxi.schemas.answer import load_answer


class Recipe(NamedTuple):
    name: str
    steps: list[str]


class RecipeSchema(Schema):
    name = fields.String(required=True)
    steps = fields.List(fields.String(), required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: object) -> Recipe:
        return Recipe(**data)


TEXT = '{"name": "Tea", "steps": ["boil", "```steep```"]}'
TEA = Recipe("Tea", ["boil", "```steep```"])


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"\n  {TEXT}\n",
        f"```json\n{TEXT}\n```",
        f"```JSON\r\n{TEXT}\r\n```\r\n",
        f"```\n{TEXT}\n```",
        f"```json {TEXT} ```",
        f"Here you are:\n\n```json\n{TEXT}\n```\nEnjoy!",
    ],
)
def test_json_is_loaded_with_and_without_a_fence(text: str) -> None:
    assert load_answer(text, RecipeSchema().load) == TEA


@pytest.mark.parametrize(
    "text", ["", "Tea: boil, steep.", "```json\nTea\n```", f"```\n{TEXT}\n```\n```\n{TEXT}\n```", "[" * 99_999]
)
def test_what_is_not_json_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValidationError, match="not JSON") as caught:
        load_answer(text, RecipeSchema().load, "req_1")
    assert (caught.value.code, caught.value.request_id) == ("ANSWER_NOT_JSON", "req_1")
    assert caught.value.details["text"] == text


def test_what_does_not_fit_is_refused_with_every_wrong_field(
    both: Any, answers: Callable[..., Any], reply: Any
) -> None:
    text = '{"steps": ["boil", 2]}'
    with pytest.raises(ValidationError, match="name: Missing") as caught:
        both(lambda client: client.chat_parsed("Tea?", RecipeSchema()), answers(reply(text)))
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own
    assert (error.code, error.details["text"]) == ("ANSWER_INVALID", text)
    problems = {problem["field"] for problem in error.details["validation_errors"]}
    assert problems == {"name", "steps.1"}


@pytest.mark.parametrize("text", ["3", "null", "[]", '"Tea"'])
def test_json_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load_answer(text, RecipeSchema().load)
    assert caught.value.code == "ANSWER_INVALID"
    assert [problem["field"] for problem in caught.value.details["validation_errors"]] == [""]


@pytest.mark.parametrize("schema", [RecipeSchema, RecipeSchema()])
def test_a_client_loads_its_answer(both: Any, answers: Callable[..., Any], reply: Any, schema: Any) -> None:
    script = answers(reply(TEXT))
    call = {"message": "Tea as JSON", "session_id": "s"}
    assert both(lambda client: client.chat_parsed(call, schema, user_id="ada", files=[b"x"]), script) == TEA
    (body,) = script.bodies
    assert (body["message"], body["session_id"], body["stream"], len(body["files"])) == ("Tea as JSON", "s", False, 1)
    assert script.requests[0].headers["X-Muxi-User-ID"] == "ada"


def test_a_list_is_loaded_by_a_schema_of_many(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    script = answers(reply(f"[{TEXT}]"))
    assert both(lambda client: client.chat_parsed("Tea?", RecipeSchema(many=True)), script) == [TEA]


def test_anything_that_loads_is_a_schema(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    class Upper:
        def load(self, data: Any) -> str:
            return str(data["name"]).upper()

    assert both(lambda client: client.chat_parsed("Tea?", Upper), answers(reply(TEXT))) == "TEA"


class RecipeModel(pydantic.BaseModel):
    name: str
    steps: list[str]


def test_a_pydantic_model_is_loaded(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    found = both(lambda client: client.chat_parsed("Tea?", RecipeModel), answers(reply(TEXT)))
    assert found == RecipeModel(name="Tea", steps=TEA.steps)


def test_what_does_not_fit_a_model_is_refused_with_every_wrong_field(
    both: Any, answers: Callable[..., Any], reply: Any
) -> None:
    text = '{"steps": ["boil", {}]}'
    with pytest.raises(ValidationError, match="name: Field required") as caught:
        both(lambda client: client.chat_parsed("Tea?", RecipeModel), answers(reply(text)))
    assert (caught.value.code, caught.value.details["text"]) == ("ANSWER_INVALID", text)
    assert {problem["field"] for problem in caught.value.details["validation_errors"]} == {"name", "steps.1"}


def test_an_answer_from_the_background_is_yet_to_come(both: Any, answers: Callable[..., Any]) -> None:
    message = {"status": "processing", "request_id": "req_b", "message": "Running in the background."}
    script = answers({"message": message, "user_id": "ada", "session_id": None, "request_id": None})
    with pytest.raises(ValidationError, match="wait_for_request") as caught:
        both(lambda client: client.chat_parsed("Tea?", RecipeSchema), script)
    assert (caught.value.code, caught.value.request_id) == ("ANSWER_PENDING", "req_b")
    assert caught.value.details["text"] == "Running in the background."


def test_with_a_raw_response(both: Any, answers: Callable[..., Any], reply: Any) -> None:
    raw = both(lambda client: client.with_raw_response.chat_parsed("Tea?", RecipeSchema), answers(reply(TEXT)))
    assert (raw.data, raw.status_code) == (TEA, 200)


def test_nothing_loads_marshmallow_before_it_is_needed() -> None:
    code = "import sys, muxi.formation, muxi.webhook; print('marshmallow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("schema", [object(), object, "RecipeSchema", None])
def test_what_is_no_schema_is_refused_before_the_chat(both: Any, answers: Callable[..., Any], schema: Any) -> None:
    script = answers()
    with pytest.raises(ValidationError, match=r"schema takes a pydantic model, a marshmallow schema.*chat_parsed"):
        both(lambda client: client.chat_parsed("As JSON", schema), script)
    assert not script.requests
