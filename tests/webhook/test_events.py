"""What webhooks say, of all four kinds, and of kinds that nobody has seen."""

from __future__ import annotations

import json
import pickle
from datetime import datetime, timezone
from typing import Any

import pytest

import muxi
from muxi import ValidationError, webhook
from muxi.webhook import (
    ClarificationRequest,
    Completion,
    ContentItem,
    ErrorDetails,
    EscalationEnd,
    Notification,
    WebhookEvent,
    WebhookVerificationError,
    parse,
)

COMPLETION = {
    "id": "req_1",
    "object": "response",
    "status": "completed",
    "timestamp": 1795361748784,
    "formation_id": "lab",
    "user_id": "ada",
    "processing_time": 0.5,
    "processing_mode": "async",
    "webhook_url": "https://me:pass@example.com/hook",
    "error": None,
    "response": [
        {"type": "text", "text": "One, "},
        {"type": "file", "file": {"filename": "a.txt"}},
        {"type": "text", "text": "two."},
    ],
}


def test_a_completion() -> None:
    event = parse(COMPLETION)
    assert event == Completion(
        request_id="req_1",
        status="completed",
        timestamp=1795361748784,
        content=[
            ContentItem("text", "One, "),
            ContentItem("file", None, {"filename": "a.txt"}),
            ContentItem("text", "two."),
        ],
        formation_id="lab",
        user_id="ada",
        processing_time=0.5,
        webhook_url="https://me:pass@example.com/hook",
        raw=COMPLETION,
    )
    assert event.text == "One, two."
    assert event.made_at == datetime(2026, 11, 22, 15, 35, 48, 784000, timezone.utc)
    assert isinstance(event, Completion)
    assert not event.handed_over


@pytest.mark.parametrize("form", ["body", "text", "mapping", "from_dict"])
def test_every_form_of_a_payload_is_read(form: str) -> None:
    body = json.dumps(COMPLETION)
    payload: Any = {"body": body.encode(), "text": body, "mapping": COMPLETION, "from_dict": None}[form]
    assert (parse(payload) if payload else WebhookEvent.from_dict(COMPLETION)) == parse(COMPLETION)


def test_a_completion_that_failed() -> None:
    error = {"code": "processing_failed", "message": "no model", "trace": None}
    event = parse({**COMPLETION, "status": "failed", "response": [], "error": error})
    assert isinstance(event, Completion)
    assert (event.status, event.error) == ("failed", ErrorDetails("processing_failed", "no model"))
    assert event.text == ""


def test_the_result_of_a_workflow_is_unwrapped(hooks: list[Any]) -> None:
    by_name = {hook.name: hook for hook in hooks}
    event = parse(by_name["010"].body)
    assert event.text.startswith("### Task 1: Research and gather information\nResult: Stub reply")
    assert event.content[0].text is not None
    assert event.content[0].text.startswith("{'content': '### Task 1")
    # One whose text has quotes of the other kind in it.
    assert "Result: I wasn't able to complete" in parse(by_name["033"].body).text


@pytest.mark.parametrize(
    "text",
    [
        "{'content': 'never ends",
        "{'content': '', 'request_id': ",
        "{'content': 'bad \\x escape', 'request_id': None}",
        "{'content': ['no text'], 'request_id': None}",
        "a text with {'content': 'x', 'request_id': None} in it",
    ],
)
def test_a_text_that_only_looks_like_a_result_stays(text: str) -> None:
    assert parse({**COMPLETION, "response": [{"type": "text", "text": text}]}).text == text


def test_a_trigger_that_becomes_a_workflow_completes_twice(hooks: list[Any]) -> None:
    first, second = (parse(hook.body) for hook in hooks if hook.name in ("032", "033"))
    assert isinstance(first, Completion)
    assert isinstance(second, Completion)
    assert first.request_id == second.request_id
    assert (first.handed_over, second.handed_over) == (True, False)


def test_the_end_of_an_escalation(hooks: list[Any]) -> None:
    event = next(parse(hook.body) for hook in hooks if hook.name == "021")
    assert isinstance(event, EscalationEnd)
    assert (event.request_id, event.state, event.status, event.attempts) == ("esc-3", "achieved", "completed", 2)
    assert event.text == event.result
    assert event.timestamp == 1795362708464


@pytest.mark.parametrize(
    ("report", "message"),
    [("tried twice", "tried twice"), ({"tried": "é"}, '{"tried": "é"}'), (None, "the escalation ended as 'stuck'")],
)
def test_the_end_of_an_escalation_that_came_to_nothing(report: Any, message: str) -> None:
    event = parse({"attempts": 3, "request_id": "r", "report": report, "state": "stuck", "timestamp": 1795362708.5})
    assert isinstance(event, EscalationEnd)
    assert (event.status, event.error, event.report) == ("failed", ErrorDetails("stuck", message), report)
    assert event.content == []


def test_a_notification(hooks: list[Any]) -> None:
    event = next(parse(hook.body) for hook in hooks if hook.name == "013")
    assert isinstance(event, Notification)
    assert (event.status, event.source, event.text) == ("notification", "api", "ping")
    assert (event.user_id, event.formation_id) == ("bob", "wire-lab")
    assert event.made_at == datetime(2026, 11, 22, 15, 43, 34, 496000, timezone.utc)


def test_a_question() -> None:
    event = parse(
        {
            "request_id": "r",
            "status": "awaiting_clarification",
            "clarification_question": "Which region?",
            "clarification_request_id": "c",
            "original_message": "Deploy",
            "user_id": "ada",
            "timestamp": 1795362708.25,
        }
    )
    assert isinstance(event, ClarificationRequest)
    assert event.clarification is not None
    assert event.clarification.question == "Which region?"
    assert event.clarification.clarification_request_id == "c"
    assert event.clarification.original_message == "Deploy"
    assert (event.request_id, event.timestamp) == ("r", 1795362708250)


def test_a_kind_that_is_not_known_is_an_event_all_the_same() -> None:
    event = parse({"type": "invoice", "request_id": "r", "amount": 3})
    assert type(event) is WebhookEvent
    assert (event.request_id, event.status, event.raw["amount"]) == ("r", "unknown", 3)
    assert parse({}) == WebhookEvent("", "unknown", 0)


def test_values_of_other_types_are_passed_over() -> None:
    strange = {
        "id": 3,
        "status": "completed",
        "timestamp": "yesterday",
        "response": ["text", {"type": None, "text": 5, "file": "f"}],
        "error": "broken",
        "user_id": [],
        "processing_time": "long",
    }
    assert parse(strange) == Completion("", "completed", 0, [ContentItem("text")], raw=strange)
    assert parse({"response": {"text": "x"}, "timestamp": float("inf")}).content == []
    assert parse({"timestamp": "2026-11-22T15:43:34Z"}).timestamp == 1795362214000


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"\xff", "{", '{"a":1,"a":2}', "[" * 100_000])
def test_what_is_no_object_is_refused(payload: Any) -> None:
    with pytest.raises(WebhookVerificationError) as caught:
        parse(payload)
    assert caught.value.code == "PAYLOAD_INVALID"


def test_what_is_no_payload_is_refused() -> None:
    with pytest.raises(WebhookVerificationError, match="NoneType"):
        parse(None)  # type: ignore[arg-type]  # the mistake in question


def test_an_event_shows_no_address_and_pickles() -> None:
    event = parse(COMPLETION)
    assert "pass" not in repr(event)
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301  our own


def test_it_is_found_where_the_official_sdk_has_it() -> None:
    assert muxi.webhook is webhook
    for name in ("Clarification", "ContentItem", "ErrorDetails", "WebhookEvent", "WebhookVerificationError"):
        assert hasattr(webhook, name)
    assert webhook.WebhookVerificationError("no").message == "no"
    assert ContentItem.from_dict({}) == ContentItem("text")
    assert ErrorDetails.from_dict({}) == ErrorDetails("unknown", "Unknown error")
    assert webhook.Clarification.from_dict({}) == webhook.Clarification("")


@pytest.mark.parametrize(
    ("timestamp", "read"),
    [
        ("1" + "0" * 400, 0),
        ("-" + "1" * 400, 0),
        ("1e300", 0),
        ("253402300799999", 253402300799999),
        ("253402300800000", 0),
        ("-1", 0),
        ("true", 0),
        ('"9999-12-31T23:59:59+00:00"', 253402300799000),
        ('"0001-01-01T00:00:00+14:00"', 0),
        ('"2026-11-22T15:43:34"', 1795362214000),
        ('"2026-11-22T17:43:34+02:00"', 1795362214000),
    ],
)
def test_a_time_that_no_calendar_has_counts_as_none(timestamp: str, read: int) -> None:
    event = parse(f'{{"status":"completed","timestamp":{timestamp}}}')
    assert event.timestamp == read
    assert event.made_at.timestamp() == pytest.approx(read / 1000)


@pytest.mark.parametrize("kind", [ContentItem, ErrorDetails, webhook.Clarification, WebhookEvent])
def test_parts_of_the_wrong_type_break_nothing(kind: Any) -> None:
    wrong: Any
    for wrong in (None, 5, ["type"]):
        if kind is WebhookEvent:
            with pytest.raises(WebhookVerificationError, match="a payload is"):
                kind.from_dict(wrong)
        else:
            assert kind.from_dict(wrong) == kind.from_dict({})


@pytest.mark.parametrize(
    "timestamp", [253_402_300_800_000, 10**17, -(10**17), 10**400, -1e300, float("nan"), float("inf"), None, "x"]
)
def test_the_time_of_an_event_made_by_hand_is_a_time_or_a_typed_error(timestamp: Any) -> None:
    event = WebhookEvent("r", "completed", timestamp)
    with pytest.raises(ValidationError, match="timestamp is not a time of a calendar"):
        _ = event.made_at


def test_the_last_millisecond_of_the_calendar_is_exact() -> None:
    event = parse({"status": "completed", "timestamp": 253_402_300_799_999})
    assert event.made_at == datetime(9999, 12, 31, 23, 59, 59, 999_000, timezone.utc)
