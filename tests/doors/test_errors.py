"""Errors: how answers become them, what they tell, and that they survive a trip to another process."""

from __future__ import annotations

import builtins
import copy
import json
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from muxi import errors
from muxi.batch.errors import (
    BatchError,
    ExecutorBroken,
    JournalBusy,
    JournalError,
    JournalMismatch,
    OutcomeUnknown,
)
from muxi.errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    ConflictError,
    ConnectionError,
    ForeignError,
    ListTruncated,
    MissingExtraError,
    MuxiError,
    NotFoundError,
    PluginError,
    RateLimitError,
    ServerError,
    StreamInterrupted,
    TimeoutError,
    TurnFailed,
    ValidationError,
    error_from_answer,
    map_error,
)
from muxi.plugins.breaker import CircuitOpen
from muxi.transport import BufferedResponse
from muxi.webhook import WebhookVerificationError
from muxi_transports.memory.stubs.failures import StubMistake
from muxi_transports.recorded.errors import CassetteError, UnrecordedRequest
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


SPECIAL: list[MuxiError] = [
    RateLimitError("slow", retry_after=7.5, request_id="req_1"),
    ConfigurationError("give url=", {"b": 1}),
    MissingExtraError("pip install 'muxi-client[async]'"),
    ListTruncated("there is more", {"count": 100}),
    PluginError("it failed", plugin="vault", hook="muxi_intercept"),
    ConnectionError("REFUSED", "text", connected=False),
    TimeoutError("TIMEOUT", "text", bound="deadline", connected=False),
    StreamInterrupted("CUT", "text", partial={"role": "assistant", "content": "Hel"}),
    TurnFailed("FAILED", "text", 200, {"c": 1}, partial={"content": "Hel"}),
    error_of(failure(429, retry_after="3")),
    error_of(flat(503, "Formation unavailable", "text", retry_after="3")),
]
KINDS = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, MuxiError)}
#: One of each class, with all that it can carry.
SPECIMENS = [
    *SPECIAL,
    *(
        kind("CODE", "text", 400, {"a": [1]}, "req_1")
        for kind in sorted(KINDS - {type(error) for error in SPECIAL}, key=lambda kind: kind.__name__)
    ),
]
for specimen in SPECIMENS:
    specimen.call, specimen.attempts = "chat (POST /chat)", 2


@pytest.mark.parametrize("error", SPECIMENS, ids=lambda error: type(error).__name__)
def test_errors_survive_pickling_whole(error: MuxiError) -> None:
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert (str(copy), copy.args) == (str(error), error.args)


def every_class() -> list[type[MuxiError]]:
    """All classes of errors of the package, wherever they are defined."""

    def below(kind: type[MuxiError]) -> list[type[MuxiError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in below(sub))]

    return [
        kind
        for kind in dict.fromkeys(below(MuxiError))
        if kind.__module__.startswith("muxi") and not kind.__name__.startswith("_")
    ]


OTHERS = [
    WebhookVerificationError("bad", "REPLAYED"),
    CassetteError("broken"),
    UnrecordedRequest("new", None, ["body"]),
    BatchError("ENDED", "ended"),
    OutcomeUnknown("WORKER_LOST", "lost"),
    ExecutorBroken("EXECUTOR_BROKEN", "broken"),
    JournalError("JOURNAL_INVALID", "broken"),
    JournalBusy("JOURNAL_BUSY", "busy"),
    JournalMismatch("JOURNAL_MISMATCH", "of others"),
    StubMistake("no answer"),
]


def test_there_is_one_of_each_class() -> None:
    assert set(every_class()) == {type(error) for error in [*SPECIMENS, *OTHERS, CircuitOpen("OPEN", "open")]}


@pytest.mark.parametrize("error", [*SPECIMENS, *OTHERS], ids=lambda error: type(error).__name__)
def test_errors_survive_as_json_as_queues_carry_them(error: MuxiError) -> None:
    copy = type(error)(*json.loads(json.dumps(error.args)))
    assert (type(copy), copy.code, copy.message) == (type(error), error.code, error.message)
    assert (copy.status_code, copy.request_id) == (error.status_code, error.request_id)
    for name in ("connected", "permanent", "bound", "plugin", "hook"):
        assert getattr(copy, name, None) == getattr(error, name, None)
    if isinstance(error, RateLimitError):
        assert copy.retry_after == error.retry_after


def test_every_class_with_a_constructor_of_its_own_says_what_it_is_made_of() -> None:
    """Otherwise its arguments are those that it was given by position, and the request id is lost."""
    ours = {kind for found in every_class() for kind in found.__mro__ if kind.__module__.startswith("muxi")}
    assert [kind.__name__ for kind in ours if "__init__" in vars(kind) and "_arguments" not in vars(kind)] == []


def test_so_does_what_was_learnt_of_an_error_later() -> None:
    error = NotFoundError("GONE", "gone", 404)
    error.message, error.request_id = "gone; and more", "req_2"
    copy = type(error)(*json.loads(json.dumps(error.args)))
    assert (copy.message, copy.request_id) == ("gone; and more", "req_2")


def with_cause(cause: BaseException) -> MuxiError:
    try:
        try:
            raise cause
        except BaseException as caught:
            raise NotFoundError("GONE", "gone", 404) from caught
    except NotFoundError as error:
        return error


class Library(Exception):
    """An exception of a library, which holds a request with a key in it."""

    def __init__(self, request: object) -> None:
        super().__init__("it failed: Authorization: signature=hush", request)
        self.request = request


def pickled(error: MuxiError) -> MuxiError:
    again: MuxiError = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    return again


@pytest.mark.parametrize("carry", [pickled, copy.copy, copy.deepcopy])
def test_the_cause_of_an_error_is_carried_without_what_it_holds(carry: Callable[[MuxiError], MuxiError]) -> None:
    cause = carry(with_cause(Library(lambda: "fmc_secret1"))).__cause__
    assert isinstance(cause, ForeignError)
    assert "tests.doors.test_errors.Library: " in str(cause)
    assert "it failed" in str(cause)
    assert "hush" not in repr(cause)
    assert vars(cause) == {}
    again = carry(with_cause(cause)).__cause__
    assert str(again) == str(cause), "an exception that is reduced already is not reduced again"
    refused = carry(with_cause(ConnectionRefusedError(111, "Connection refused"))).__cause__
    assert isinstance(refused, ConnectionRefusedError)
    assert refused.errno == 111
    inner = with_cause(with_cause(ValueError("deep")))
    found = carry(inner).__cause__
    assert isinstance(found, NotFoundError)
    assert "deep" in str(found.__cause__)


def test_a_cause_without_end_is_cut() -> None:
    first = ValueError("1")
    second = ValueError("2")
    first.__cause__, second.__cause__ = second, first
    error = NotFoundError("GONE", "gone")
    error.__cause__ = first
    depth, cause = 0, pickle.loads(pickle.dumps(error)).__cause__  # noqa: S301  our own
    while cause is not None:
        depth, cause = depth + 1, cause.__cause__
    assert depth == 5


class OwnError(NotFoundError):
    """A user's own, with a constructor of its own."""

    def __init__(self, thing: str) -> None:
        super().__init__("OWN", f"no {thing}", 404)
        self.thing = thing


def test_errors_of_users_own_survive_too() -> None:
    copy = pickle.loads(pickle.dumps(OwnError("cat")))  # noqa: S301  our own
    assert (type(copy), copy.thing, str(copy)) == (OwnError, "cat", "OWN: no cat [HTTP 404]")


def fails() -> None:
    try:
        raise ConnectionResetError("the peer has gone")
    except ConnectionResetError as cause:
        raise StreamInterrupted("CUT", "text", 200, request_id="req_1", partial={"content": "Hel"}) from cause


@pytest.mark.slow
def test_errors_come_back_from_worker_processes() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, pytest.raises(StreamInterrupted) as caught:
        pool.submit(fails).result(timeout=60)
    error = caught.value
    assert (error.text, error.code, error.message) == ("Hel", "CUT", "text")
    assert (error.status_code, error.request_id) == (200, "req_1")
    # The pool puts the worker's traceback in the place of the cause; the cause stands in it.
    assert "the peer has gone" in str(error.__cause__)


@pytest.mark.parametrize("half", ["\ud800", "x\udcfe"])
def test_an_error_whose_text_has_half_a_surrogate_pair_can_be_printed(half: str) -> None:
    error = MuxiError(half, half, 400, request_id=half)
    assert str(error).encode("utf-8")
    assert (error.code, error.message, error.request_id) == (half, half, half)
