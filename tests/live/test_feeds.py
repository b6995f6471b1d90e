"""Probes of events and logs, and of what is common to all methods of a client."""

from __future__ import annotations

import pickle
import time

import pytest

from muxi import AuthenticationError, Call, ConnectionError, FormationClient, ServerError, TimeoutError
from tests.answers import Colour
from tests.live.lab.formations import CLIENT_KEY
from tests.live.probing import Live, new_client, probe


def _event(live: Live, **changes: object) -> dict[str, object]:
    """An event as the runtime's bus has them; nothing of the runtime publishes one."""
    event = {
        "timestamp": time.time(),
        "level": "info",
        "event_type": "chat.message",
        "user_id": live.owner,
        "session_id": f"s-{live.name}",
        "request_id": f"r-{live.name}",
        "description": f"Grüße von {live.name}\nzwei Zeilen",
        "data": {},
    }
    return {**event, **changes}


@probe("stream_events", "stream_session", defect="malformed feeds")
def test_events(live: Live) -> None:
    published = _event(live)
    for method, arguments in (("stream_events", (live.owner,)), ("stream_session", (live.owner, f"s-{live.name}"))):
        (event,) = live.take(
            method, 1, *arguments, during=lambda: live.formation.command("publish_event", event=published)
        )
        assert (event["type"], event["message"]) == ("chat.message", published["description"])
        assert (event["session_id"], event["request_id"]) == (published["session_id"], published["request_id"])


@probe("stream_logs")
def test_logs(live: Live) -> None:
    def publish() -> None:
        live.formation.command("publish_event", event=_event(live, session_id="another"))
        live.formation.command("publish_event", event=_event(live, level="error"))

    (entry,) = live.take("stream_logs", 1, session_id=f"s-{live.name}", during=publish)
    assert (entry["level"], entry["event_type"], entry["session_id"]) == ("error", "chat.message", f"s-{live.name}")
    assert entry["message"] == f"Grüße von {live.name}\nzwei Zeilen"


@probe("stream_events", "stream_logs", defect="silent feeds")
def test_nothing_of_the_runtime_reaches_the_feeds(live: Live) -> None:
    patient = live("with_options", idle_timeout=2.0)

    def talk() -> None:
        with new_client(Colour(), live.formation.url) as other:
            other.chat("Tell me about pears", user_id=live.user)

    for method, arguments in (("stream_events", {"user_id": live.owner}), ("stream_logs", {"level": "debug"})):
        with pytest.raises(TimeoutError):
            live.take(method, 1, on=patient, during=talk, **arguments)


@probe("stream_request", defect="request feed")
def test_the_events_of_one_request(live: Live) -> None:
    with pytest.raises(ServerError, match=r"No module named 'muxi\.runtime\.formation\.services'") as caught:
        live.take("stream_request", 1, live.owner, "s", "r")
    assert (caught.value.status_code, caught.value.attempts) == (500, 1)


@probe("send")
def test_a_call_as_a_value(live: Live) -> None:
    call: Call[object] = pickle.loads(pickle.dumps(FormationClient.get_trigger.call("hello")))  # noqa: S301  its own
    assert live("send", call) == live("get_trigger", "hello")


@probe("with_raw_response")
def test_raw_answers(live: Live) -> None:
    live.called.add("with_raw_response")
    raw = live("get_trigger", "hello", on=live.client.with_raw_response)
    assert (raw.status_code, raw.data["name"], raw.attempts) == (200, "hello", 1)
    assert raw.headers["content-type"] == "application/json"


@probe("with_options")
def test_options_of_one_call(live: Live) -> None:
    keyed = live("with_options", idempotency_key=f"k-{live.name}")
    first = live("chat", "Tell me about figs", user_id=live.user, on=keyed)
    # The runtime keeps the first answer for the key, whatever is sent with it.
    assert live("chat", "Tell me about dates", user_id=live.user, on=keyed) == first
    hasty = live("with_options", timeout=0.001, max_retries=0)
    with pytest.raises((TimeoutError, ConnectionError)):
        live("chat", "Tell me about nuts [[slow:5]]", user_id=live.user, on=hasty)


@probe("close")
def test_a_wrong_key_is_refused_everywhere(live: Live) -> None:
    stranger = new_client(live.colour, live.formation.url, client_key="fmc_wrong", admin_key="fma_wrong")
    for method, arguments in (("get_agents", ()), ("get_triggers", ()), ("get_user_buffer", ("ada",))):
        with pytest.raises(AuthenticationError) as caught:
            live(method, *arguments, on=stranger)
        assert caught.value.attempts == 1
    live("close", on=stranger)
    swapped = new_client(live.colour, live.formation.url, admin_key=CLIENT_KEY)
    with pytest.raises(AuthenticationError):
        live("get_agents", on=swapped)
    live("close", on=swapped)
