"""Errors: how answers become them, and what they tell."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from muxi.errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    ConflictError,
    ConnectionError,
    MuxiError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TimeoutError,
    TurnFailed,
    ValidationError,
    error_from_answer,
    map_error,
)
from muxi.transport import BufferedResponse
from tests.answers import Colour, chat_answer, failure, flat, json_answer, plain


def error_of(response: BufferedResponse) -> MuxiError:
    return error_from_answer(
        response.status, response.reason, tuple(response.headers.items()), response.content, response.retry_after(0)
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ValidationError),
        (401, AuthenticationError),
        (403, AuthorizationError),
        (404, NotFoundError),
        (405, MuxiError),
        (408, TimeoutError),
        (409, ConflictError),
        (410, NotFoundError),
        (413, ValidationError),
        (418, MuxiError),
        (422, ValidationError),
        (429, RateLimitError),
        (500, ServerError),
        (501, ServerError),
        (503, ServerError),
    ],
)
def test_the_status_decides_the_class(colour: Colour, status: int, kind: type[MuxiError]) -> None:
    with pytest.raises(MuxiError) as caught:
        colour.run(colour.formation(failure(status, "SOME_CODE", "Some text."), max_retries=0).get_memories, "ada")
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.message, error.status_code, error.request_id) == (
        "SOME_CODE",
        "Some text.",
        status,
        "req_wire",
    )


def test_a_failed_operation_is_a_conflict() -> None:
    assert type(error_of(failure(400, "OPERATION_FAILED", "not now"))) is ConflictError


@pytest.mark.parametrize(
    ("response", "code", "message", "details"),
    [
        (flat(404, "Not Found", "Endpoint not found"), "NOT_FOUND", "Endpoint not found", {}),
        (flat(401, "Unauthorized", "Invalid key"), "UNAUTHORIZED", "Invalid key", {}),
        (
            flat(404, "Formation not found", "No formation with id 'x'"),
            "FORMATION_NOT_FOUND",
            "No formation with id 'x'",
            {},
        ),
        (flat(502, "Bad gateway", "Formation did not respond"), "BAD_GATEWAY", "Formation did not respond", {}),
        (flat(422, "invalid_grant", "no"), "INVALID_GRANT", "no", {}),
        (
            json_answer(400, {"success": False, "error": "InvalidJSON", "message": "bad", "draft": {"files": 2}}),
            "InvalidJSON",
            "bad",
            {"draft": {"files": 2}},
        ),
        (
            json_answer(500, {"success": False, "formation_id": "f", "error": "no runtime"}),
            "SERVER_ERROR",
            "no runtime",
            {"formation_id": "f"},
        ),
        (
            json_answer(404, {"error": {"code": None, "message": None, "data": None}}),
            "NOT_FOUND",
            "HTTP 404",
            {},
        ),
        (json_answer(400, {"error": {"code": "X", "message": "y", "data": [1]}}), "X", "y", {"data": [1]}),
        (
            plain(404, b'{"error": "Formation not found", "message": "No formation with id \'a"b\'", "code": 404}'),
            "NOT_FOUND",
            '{"error": "Formation not found", "message": "No formation with id \'a"b\'", "code": 404}',
            {},
        ),
        (
            plain(502, b"<html>\n <h1>Bad\n gateway</h1></html>"),
            "SERVER_ERROR",
            "<html> <h1>Bad gateway</h1></html>",
            {},
        ),
        (plain(502, b"x" * 5000), "SERVER_ERROR", "x" * 200 + "…", {}),
        (plain(405), "ERROR", "HTTP 405", {}),
        (BufferedResponse(405, reason="Method Not Allowed"), "ERROR", "Method Not Allowed", {}),
        (plain(500, b"\xff\xfe"), "SERVER_ERROR", "\ufffd\ufffd", {}),
        (json_answer(500, ["a", "list"]), "SERVER_ERROR", '["a", "list"]', {}),
    ],
)
def test_every_shape_of_the_wire_is_read(
    response: BufferedResponse, code: str, message: str, details: dict[str, Any]
) -> None:
    error = error_of(response)
    assert (error.code, error.message, error.details) == (code, message, details)
    assert error.answer is not None
    assert error.answer.body == response.content, "nothing of the answer is lost"


@pytest.mark.parametrize(
    ("response", "from_platform"),
    [
        (failure(500), True),
        (flat(500, "Internal Server Error", "no"), True),
        (json_answer(500, {"success": False, "error": "no runtime"}), True),
        (json_answer(500, {"error": "oops"}), False),
        (json_answer(500, {"message": "Internal server error"}), False),
        (json_answer(500, {"status": 500, "error": "Internal Server Error", "path": "/"}), False),
        (plain(500, b"<html>"), False),
        (plain(500), False),
    ],
)
def test_what_a_gateway_says_is_not_taken_for_the_platforms_word(
    response: BufferedResponse, from_platform: bool
) -> None:
    assert error_of(response).from_platform is from_platform


def test_an_error_names_everything_that_is_known() -> None:
    error = NotFoundError("AGENT_NOT_FOUND", "There is no agent 'x'", 404, {}, "req_1")
    assert str(error) == "AGENT_NOT_FOUND: There is no agent 'x' [HTTP 404, request req_1]"
    error.call, error.attempts = "chat (POST /chat)", 3
    assert str(error) == (
        "AGENT_NOT_FOUND: There is no agent 'x' [chat (POST /chat), HTTP 404, request req_1, 3 attempts]"
    )


def test_the_wrong_fields_of_a_refused_payload_are_named() -> None:
    problems = [
        {"field": "messages.0.timestamp", "msg": "Field required", "error": "missing"},
        {"field": "", "msg": "No"},
    ]
    payload = {
        "error": {"code": "INVALID_PARAMS", "message": "Validation failed", "data": {"validation_errors": problems}}
    }
    error = error_of(json_answer(422, payload))
    assert error.details["validation_errors"] == problems
    assert str(error) == (
        "INVALID_PARAMS: Validation failed (messages.0.timestamp: Field required; the body: No) [HTTP 422]"
    )


def test_fields_that_the_message_names_are_not_named_twice(colour: Colour) -> None:
    with pytest.raises(ValidationError) as caught:
        colour.run(colour.formation().chat, {"message": 1, "mode": 2})
    assert str(caught.value).count("Not a valid string.") == 2
    assert {it["field"] for it in caught.value.details["validation_errors"]} == {"message", "mode"}


@pytest.mark.parametrize(
    "metadata",
    [
        {"error_code": "INPUT_VALIDATION_ERROR", "error_type": "validation"},
        {"cancelled": True},
        {"status": "error"},
    ],
)
def test_a_turn_that_fails_under_200_is_an_error(colour: Colour, metadata: dict[str, Any]) -> None:
    with pytest.raises(TurnFailed, match=r"Too long.*chat \(POST /chat\)") as caught:
        colour.run(colour.formation(chat_answer("Too long.", **metadata)).chat, "x")
    assert caught.value.partial["content"] == caught.value.text == "Too long."
    assert caught.value.details.items() >= metadata.items()


def test_the_arguments_are_those_of_the_official_sdk() -> None:
    error = MuxiError("CODE", "text", 400, {"a": 1})
    assert (error.code, error.message, error.status_code, error.details) == ("CODE", "text", 400, {"a": 1})
    limited = RateLimitError("slow down", 429, 7, {"a": 1})
    assert (limited.code, limited.retry_after, limited.details) == ("RATE_LIMITED", 7, {"a": 1})
    for kind in (AuthenticationError, AuthorizationError, ConflictError, ConnectionError, NotFoundError):
        error = kind("CODE", "text", 400, {"a": 1})
        assert (error.code, error.message, error.status_code, error.details) == ("CODE", "text", 400, {"a": 1})
    mapped = map_error(404, "", "gone")
    assert (type(mapped), mapped.code) == (NotFoundError, "NOT_FOUND")


@pytest.mark.parametrize("kind", [ConnectionError, TimeoutError])
def test_the_builtin_errors_catch_them_too(kind: type[MuxiError]) -> None:
    builtin = getattr(builtins, kind.__name__)
    with pytest.raises(builtin):
        raise kind("X", "x")
    with pytest.raises(OSError, match="X: x"):
        raise kind("X", "x")
    assert issubclass(ConfigurationError, ValueError)


@pytest.mark.parametrize("half", ["\ud800", "x\udcfe"])
def test_an_error_whose_text_has_half_a_surrogate_pair_can_be_printed(half: str) -> None:
    error = MuxiError(half, half, 400, request_id=half)
    assert str(error).encode("utf-8")
    assert (error.code, error.message, error.request_id) == (half, half, half)
