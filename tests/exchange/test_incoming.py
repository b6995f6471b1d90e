"""What is made of an answer: its data, its text, the error that it stands for, and how a bound is raised."""

from __future__ import annotations

from typing import Any

import pytest

from muxi import ConfigurationError, ManualClock, MuxiError, ServerError, TimeoutError, TurnFailed, meta
from muxi.call import Call
from muxi.config import Address, CallOptions
from muxi.context import MOMENT, Context
from muxi.exchange.incoming import (
    answer_behind,
    check_status,
    complete,
    decode,
    error_of,
    explain_timeout,
    redirected,
)
from muxi.streaming.call import StreamCall
from muxi.transport import BufferedResponse, Request, Timeouts
from tests.answers import JSON, flat, json_answer, plain

_LIMIT = (
    "the server reads a request for 15 s and no longer, so that a slow line limits the size of a bundle: make it "
    "smaller (.muxiignore, see muxi.bundles.plan()) or send it from a place nearer to the server"
)


def context(*, deadline: float | None = None, **call: Any) -> Context:
    return context_of(Call("GET", "/thing", **call), deadline=deadline)


def context_of(call: Call[Any], **options: Any) -> Context:
    clock = ManualClock()
    return Context(
        call=call,
        address=Address("http://localhost"),
        url="http://localhost/thing",
        options=CallOptions(**{"timeout": 30, "connect_timeout": 10, "max_retries": 0, **options}),
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


@pytest.mark.parametrize(("spent", "bound"), [(9.9985, "read"), (9.999, "deadline"), (9, "read"), (10, "deadline")])
def test_a_deadline_that_has_not_passed_has_not_ended_the_wait(spent: float, bound: str) -> None:
    call = context(deadline=10)
    assert isinstance(call.clock, ManualClock)
    call.clock.advance(spent)
    error = TimeoutError("READ_TIMEOUT", "no answer", bound="read")
    explain_timeout(error, Request("GET", "http://localhost/thing"), call)
    assert error.bound == bound


def test_a_deadline_has_passed_when_a_moment_of_it_is_left() -> None:
    error = TimeoutError("READ_TIMEOUT", "no answer", bound="read")
    explain_timeout(error, Request("GET", "http://localhost/thing"), context(deadline=MOMENT))
    assert error.bound == "deadline"


@pytest.mark.parametrize(
    ("bound", "options", "head", "named"),
    [
        ("connect", {"idle_timeout": 5}, 8, "connect"),
        ("read", {"idle_timeout": 5}, 8, "idle_timeout"),
        ("read", {"idle_timeout": 9, "stall_timeout": 5}, 8, "stall_timeout"),
        ("stall", {"idle_timeout": 9, "stall_timeout": 5}, 8, "stall_timeout"),
        ("read", {"idle_timeout": 9, "stall_timeout": 9}, 8, "timeout"),
        ("read", {"idle_timeout": 9, "stall_timeout": 9}, None, "idle_timeout"),
        ("read", {"idle_timeout": 40, "stall_timeout": 50}, None, "timeout"),
        ("head", {"idle_timeout": 5}, 8, "timeout"),
    ],
)
def test_of_the_bounds_that_may_have_ended_the_wait_for_a_stream_the_shortest_is_named(
    bound: str, options: dict[str, Any], head: float | None, named: str
) -> None:
    call: StreamCall[Any] = StreamCall("GET", "/thing", events="frames")
    error = TimeoutError("READ_TIMEOUT", "no answer", bound=bound)
    request = Request("GET", "http://localhost/thing", timeouts=Timeouts(head=head))
    explain_timeout(error, request, context_of(call, **options))
    assert error.bound == named
    assert error.code == ("READ_TIMEOUT" if bound == "connect" else named.upper())


@pytest.mark.parametrize("message", ["Failed to save bundle", "Failed to read bundle"])
def test_an_upload_that_took_too_long_is_explained(message: str) -> None:
    error = error_of(flat(500, "Internal Server Error", message), context())
    assert error.message == f"{message}; {_LIMIT}"
    assert str(error) == f"{error.code}: {message}; {_LIMIT} [HTTP 500]"
    assert f"{message}; {_LIMIT}" in repr(error)


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


@pytest.mark.parametrize(
    ("envelope", "request_id", "key"),
    [
        ({"request": {"id": "req_1", "idempotency_key": "k1"}, "request_id": "req_2"}, "req_1", "k1"),
        ({"request": {"id": None, "idempotency_key": None}, "request_id": "req_2"}, "req_2", "own"),
        ({"request": "req_1"}, "req_own", "own"),
        ({}, "req_own", "own"),
    ],
)
def test_the_ids_of_an_answer_are_those_of_its_envelope_or_else_those_of_the_call(
    envelope: dict[str, Any], request_id: str, key: str
) -> None:
    call = context()
    call.request_id, call.idempotency_key = "req_own", "own"
    about = meta(decode(json_answer(200, {"success": True, "data": {}, **envelope}), call))
    assert (about.request_id, about.idempotency_key) == (request_id, key)


# Statuses


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_status_of_success_is_let_through(status: int) -> None:
    check_status(BufferedResponse(status), context())


@pytest.mark.parametrize("status", [199, 300, 404])
def test_any_other_status_is_an_error_with_the_answer(status: int) -> None:
    with pytest.raises(MuxiError) as caught:
        check_status(plain(status, b"oops"), context())
    assert caught.value.status_code == status
    assert caught.value.answer is not None
    assert caught.value.answer.body == b"oops"


def test_a_status_below_those_of_answers_is_named_as_such() -> None:
    with pytest.raises(ServerError) as caught:
        check_status(plain(199), context())
    assert (caught.value.code, caught.value.message) == ("UNEXPECTED_ANSWER", "the status is not that of an answer")


def test_behind_an_error_without_an_answer_there_is_a_404_without_content() -> None:
    assert (answer_behind(MuxiError("X", "x")).status, answer_behind(MuxiError("X", "x")).content) == (404, b"")


# Errors of a call


def test_an_error_is_completed_with_what_its_call_knows() -> None:
    call = context_of(Call("GET", "/thing", headers={"X-Api-Key": "hushhush"}))
    call.request_id, call.attempt = "req_own", 2
    error = MuxiError("X", "not with hushhush")
    complete(error, call)
    assert "hushhush" not in error.message
    assert (error.call, error.attempts, error.request_id) == ("GET /thing", 2, "req_own")


def test_an_error_keeps_the_call_and_the_request_that_it_comes_from() -> None:
    call, error = context(), MuxiError("X", "x", request_id="req_theirs")
    call.request_id = "req_own"
    error.call = "another (GET /other)"
    complete(error, call)
    assert (error.call, error.request_id) == ("another (GET /other)", "req_theirs")


# Redirects


def redirect(location: str) -> BufferedResponse:
    return BufferedResponse(307, [("Location", location)], b"moved")


@pytest.mark.parametrize(
    ("url", "location", "other"),
    [
        (
            "http://localhost:8001/x",
            "http://other.example/y",
            "http://localhost:8001 redirects to http://other.example",
        ),
        (
            "http://localhost/x",
            "http://ada:pw@other.example:81/y",
            "http://localhost redirects to http://other.example:81",
        ),
        ("http://localhost/x", "//localhost:79/y", "http://localhost redirects to http://localhost:79"),
        ("http+unix://a.sock/x", "http://b/y", "http+unix://a.sock redirects to http://b"),
        ("http+unix://a.sock/x", "//b.sock/y", "http+unix://a.sock redirects to http://b.sock"),
    ],
)
def test_a_redirect_to_another_origin_names_both(url: str, location: str, other: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        redirected(url, redirect(location))
    assert caught.value.message == (
        f"{other}, which is not followed because the keys would go along; give the address it redirects to"
    )


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://localhost/x", "http://localhost:80/y"),
        ("http://localhost:80/x", "http://localhost/y"),
        ("https://localhost:443/x", "https://localhost/y"),
    ],
)
def test_the_port_of_a_scheme_need_not_be_given(url: str, location: str) -> None:
    assert redirected(url, redirect(location)) == url.replace("/x", "/y")


@pytest.mark.parametrize("location", ["https://localhost:80/y", "http://localhost:443/y", "http://localhost:81/y"])
def test_a_port_belongs_to_its_scheme(location: str) -> None:
    with pytest.raises(ConfigurationError):
        redirected("http://localhost/x", redirect(location))


@pytest.mark.parametrize(
    ("location", "what"),
    [
        ("http://[", "something that is not a URL"),
        ("/y?key=hushhush", "a URL that repeats a key, and is not followed because logs show URLs"),
        ("/y?key=hush%68ush", "a URL that repeats a key, and is not followed because logs show URLs"),
    ],
)
def test_a_redirect_that_is_refused_has_the_answer(location: str, what: str) -> None:
    answer = redirect(location)
    with pytest.raises(ServerError) as caught:
        redirected("http://localhost/x", answer, ["hushhush"])
    error = caught.value
    assert (error.code, error.message, error.status_code) == (
        "UNEXPECTED_ANSWER",
        f"the answer redirects to {what}",
        307,
    )
    assert error.answer == (307, (("Location", location),), b"moved")


def test_a_key_that_is_in_the_url_already_may_stay_there() -> None:
    assert redirected("http://localhost/x?key=hushhush", redirect("/y?key=hushhush"), ["hushhush"]).endswith(
        "=hushhush"
    )


def test_bytes_of_utf8_that_were_read_as_latin_1_are_read_anew() -> None:
    assert redirected("http://localhost/x", redirect("/\u00c3\u00bc")) == "http://localhost/%C3%BC"
    assert redirected("http://localhost/x", redirect("/\u00fc")) == "http://localhost/%C3%BC"
