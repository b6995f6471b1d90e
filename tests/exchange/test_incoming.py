"""What is made of an answer: its data, its text, the error that it stands for, and how a bound is raised."""

from __future__ import annotations

from typing import Any

import pytest

from muxi import ManualClock, ServerError, TimeoutError, TurnFailed, meta
from muxi.call import Call
from muxi.config import Address, CallOptions
from muxi.context import Context
from muxi.exchange.incoming import decode, error_of, explain_timeout
from muxi.transport import BufferedResponse, Request
from tests.answers import JSON, flat, json_answer, plain

_LIMIT = (
    "the server reads a request for 15 s and no longer, so that a slow line limits the size of a bundle: make it "
    "smaller (.muxiignore, see muxi.bundles.plan()) or send it from a place nearer to the server"
)


def context(*, deadline: float | None = None, **call: Any) -> Context:
    clock = ManualClock()
    return Context(
        call=Call("GET", "/thing", **call),
        address=Address("http://localhost"),
        url="http://localhost/thing",
        options=CallOptions(timeout=30, connect_timeout=10, max_retries=0, deadline=deadline),
        clock=clock,
        started=clock.monotonic(),
    )


@pytest.mark.parametrize(
    ("bound", "hint"),
    [
        ("connect", "raise it with connect_timeout="),
        ("read", "raise it with timeout="),
        ("timeout", "raise it with timeout= on the client or with_options(timeout=…)"),
        ("idle_timeout", "raise it with idle_timeout="),
        ("stall_timeout", "raise it with stall_timeout="),
    ],
)
def test_a_timeout_says_how_its_bound_is_raised(bound: str, hint: str) -> None:
    error = TimeoutError("READ_TIMEOUT", "no answer", bound=bound)
    explain_timeout(error, Request("GET", "http://localhost/thing"), context())
    assert (error.message, error.bound) == (f"no answer; {hint}", bound)


def test_where_the_deadline_has_passed_it_is_named_whichever_bound_has_ended_the_wait() -> None:
    error = TimeoutError("READ_TIMEOUT", "no answer", bound="read")
    explain_timeout(error, Request("GET", "http://localhost/thing"), context(deadline=0.0005))
    assert (error.bound, error.code) == ("deadline", "DEADLINE")
    assert error.message == (
        "the call took longer than deadline = 0.0005 s; raise it with deadline= on the client or "
        "with_options(deadline=…)"
    )


@pytest.mark.parametrize("message", ["Failed to save bundle", "Failed to read bundle"])
def test_an_upload_that_took_too_long_is_explained(message: str) -> None:
    error = error_of(flat(500, "Internal Server Error", message), context())
    assert error.message == f"{message}; {_LIMIT}"
    assert str(error) == f"{error.code}: {message}; {_LIMIT} [HTTP 500]"


def test_any_other_message_of_the_server_stays() -> None:
    assert error_of(flat(500, "Internal Server Error", "Failed to do it"), context()).message == "Failed to do it"


def test_a_plain_text_is_read_as_utf8_whatever_it_is() -> None:
    answer = plain(200, b"caf\xc3\xa9 \xff", "text/plain; charset=utf-8")
    assert decode(answer, context(plain_text=True)) == "café \ufffd"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (plain(200, b"<html>oops</html>"), "the answer is not a plain text (text/html): <html>oops</html>"),
        (BufferedResponse(200, [], b"oops"), "the answer is not a plain text (no content type): oops"),
    ],
)
def test_anything_else_is_no_plain_text(answer: BufferedResponse, message: str) -> None:
    with pytest.raises(ServerError) as caught:
        decode(answer, context(plain_text=True))
    assert (caught.value.code, caught.value.message) == ("UNEXPECTED_ANSWER", message)
    assert caught.value.answer is not None
    assert caught.value.answer.body == answer.content


@pytest.mark.parametrize("status", [204, 205])
def test_an_answer_without_content_has_no_data(status: int) -> None:
    data = decode(BufferedResponse(status, [], b""), context())
    assert (data, meta(data).status) == ({}, status)


@pytest.mark.parametrize("status", [204, 205])
def test_content_that_should_not_be_there_is_read_all_the_same(status: int) -> None:
    assert decode(json_answer(status, {"a": 1}), context()) == {"a": 1}


def test_an_answer_that_should_have_content_and_has_none_is_refused() -> None:
    with pytest.raises(ServerError, match=r"not a JSON object \(application/json\)"):
        decode(BufferedResponse(200, [JSON], b""), context())


def test_fields_of_the_envelope_that_belong_to_the_result_stand_in_it_where_they_are_there() -> None:
    answer = json_answer(200, {"success": True, "data": {"path": "a"}, "draft": {"state": "new"}, "object": "file"})
    assert decode(answer, context(beside=("draft", "live"))) == {"path": "a", "draft": {"state": "new"}}
    assert decode(answer, context()) == {"path": "a"}


def test_a_turn_may_have_failed_under_http_200() -> None:
    failed = {"message": {"content": "no", "metadata": {"error_code": "LLM_DOWN"}}}
    answer = json_answer(200, {"success": True, "data": failed})
    with pytest.raises(TurnFailed, match="LLM_DOWN"):
        decode(answer, context(turn=True))
    assert decode(answer, context()) == failed
