"""Probes of users: their identifiers, channels, notifications, credentials and sessions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from muxi import NotFoundError, ServerError, ValidationError
from muxi.webhook import Notification, parse
from tests.live.probing import Live, probe


@probe("resolve_user", "get_user", "get_user_identifiers_for_user", "link_user_identifier", "unlink_user_identifier")
def test_identifiers(live: Live) -> None:
    mail, other = f"{live.user}@Example.com", f"tg-{live.user}"
    with pytest.raises(NotFoundError):
        live("get_user", other)
    user = live("resolve_user", mail, identifier_type="email")["muxi_user_id"]
    assert live("get_user", mail)["muxi_user_id"] == user
    linked = live("link_user_identifier", user, [(other, "telegram"), {"identifier": f"U-{live.user}"}])
    assert linked["count"] == 2
    assert live("get_user", other)["muxi_user_id"] == user
    listed = live("get_user_identifiers_for_user", user)["identifiers"]
    assert {mail.lower(), other, f"U-{live.user}"} <= {entry["identifier"] for entry in listed}
    live("unlink_user_identifier", other)
    with pytest.raises(NotFoundError):
        live("get_user", other)


@probe("link_user_identifier", defect="new user")
def test_a_new_user_cannot_be_made_by_linking(live: Live) -> None:
    with pytest.raises(ServerError) as caught:
        live("link_user_identifier", None, [f"new-{live.user}"])
    assert (caught.value.status_code, caught.value.attempts) == (500, 1)


@probe("get_user_channels", "update_user_channels", "send_notification", on=["multi"])
def test_channels_and_notifications(live: Live) -> None:
    assert live("get_user_channels", live.user)["channels"] == {}
    live("update_user_channels", live.user, preferred_channel="webhook", timezone="Europe/London")
    channels = live("get_user_channels", live.user)
    assert (channels["preferred_channel"], channels["timezone"]) == ("webhook", "Europe/London")
    live("update_user_channels", live.user, timezone="")
    assert live("get_user_channels", live.user)["timezone"] is None
    with pytest.raises(ValidationError, match="pigeon"):
        live("update_user_channels", live.user, preferred_channel="pigeon")
    sent = live("send_notification", live.user, f"ping {live.name}")
    assert sent["delivered"] == ["webhook"]
    (hook,) = live.lab.hooks.wait_for(lambda hook: sent["request_id"].encode() in hook.body)
    event = parse(hook.body)
    assert isinstance(event, Notification)
    assert (event.user_id, event.text) == (live.user, f"ping {live.name}")


@probe("get_user_channels", "update_user_channels", "send_notification", on=["single"])
def test_a_formation_without_channels_says_so(live: Live) -> None:
    for method, arguments in (
        ("get_user_channels", {}),
        ("update_user_channels", {"timezone": "UTC"}),
        ("send_notification", {"message": "ping"}),
    ):
        with pytest.raises(ServerError, match="missing 'proactive' block"):
            live(method, live.user, on=live("with_options", max_retries=0), **arguments)


@probe("list_credential_services", "list_credentials", "get_credential", "delete_credential")
def test_credentials(live: Live) -> None:
    assert [service["service"] for service in live("list_credential_services")["services"]] == ["github"]
    assert live("list_credentials", live.user)["credentials"] == []
    live.formation.command(
        "store_credential", user_id=live.user, service="github", credential={"token": "t-0123456789"}, name="work"
    )
    (listed,) = live("list_credentials", live.user)["credentials"]
    assert (listed["service"], listed["name"]) == ("github", "work")
    assert "t-0123456789" not in str(listed)
    assert live("get_credential", listed["credential_id"], live.user) == listed
    live("delete_credential", listed["credential_id"], live.user)
    assert live("list_credentials", live.user)["credentials"] == []
    with pytest.raises(NotFoundError):
        live("get_credential", listed["credential_id"], live.user)


@probe("create_credential", defect="create credential")
def test_a_credential_cannot_be_stored(live: Live) -> None:
    with pytest.raises(ServerError, match="no attribute 'store'") as caught:
        live("create_credential", live.user, {"service": "github", "credential": {"token": "t"}})
    assert (caught.value.status_code, caught.value.attempts) == (500, 1)
    assert live("list_credentials", live.user)["credentials"] == []


@probe("delete_credential", defect="two credentials")
def test_one_of_two_credentials_cannot_be_deleted(live: Live) -> None:
    for name in ("work", "home"):
        live.formation.command(
            "store_credential", user_id=live.user, service="github", credential={"token": "t"}, name=name
        )
    first, _ = live("list_credentials", live.user)["credentials"]
    with pytest.raises(ServerError, match="Multiple rows were found"):
        live("delete_credential", first["credential_id"], live.user)
    assert len(live("list_credentials", live.user)["credentials"]) == 2


@probe("get_sessions", "get_session", "get_session_messages", "iter_session_messages", "restore_session")
def test_sessions(live: Live) -> None:
    session = f"s-{live.name}"
    live("chat", {"message": "Remember the plums", "session_id": session}, user_id=live.user)
    assert session in {found["session_id"] for found in live("get_sessions", live.user)["sessions"]}
    # An answer may be given before it is in its session.
    live.wait_for(lambda: live("get_session", session, live.user)["message_count"], lambda number: number == 2)
    messages = live("get_session_messages", session, live.user)["messages"]
    assert [message["metadata"]["role"] for message in messages] == ["user", "assistant"]
    assert "plums" in messages[0]["text"]
    assert live("get_session_messages", session, live.user, 1)["has_more"] is True
    assert live.collect("iter_session_messages", session, live.user) == messages
    with pytest.raises(NotFoundError):
        live("get_session", f"none-{live.name}", live.user)
    old = [{"role": "user", "content": "An old question", "timestamp": "2026-11-22T10:00:00Z"}]
    restored = f"r-{live.name}"
    assert live("restore_session", restored, live.user, old)["messages_loaded"] == 1
    assert [found["text"] for found in live.collect("iter_session_messages", restored, live.user)] == [
        "An old question"
    ]


def _buffered(live: Live) -> Callable[[], int]:
    """Count what is in the user's buffer. To be asked again: an answer may be given before it is in there."""
    return lambda: int(live("get_user_buffer", live.owner)["total_messages"])


@probe("get_user_buffer", "clear_session_buffer", "clear_user_buffer", "get_buffer_stats", "get_memory_buffers")
def test_buffers(live: Live) -> None:
    live("clear_user_buffer", live.owner)
    live("chat", {"message": "One", "session_id": f"a-{live.name}"}, user_id=live.user)
    live("chat", {"message": "Two", "session_id": f"b-{live.name}"}, user_id=live.user)
    live.wait_for(_buffered(live), lambda number: number == 4)
    assert live("get_buffer_stats")["total_entries"] >= 4
    assert live("get_memory_buffers")["buffers"][0]["total_entries"] >= 4
    assert live("clear_session_buffer", live.owner, f"a-{live.name}")["messages_cleared"] == 2
    assert live("get_user_buffer", live.owner)["total_messages"] == 2
    assert live("clear_user_buffer", live.owner)["messages_cleared"] == 2
    assert live("get_user_buffer", live.owner)["total_messages"] == 0


@probe("clear_all_buffers", defect="buffers cleared")
def test_all_buffers(live: Live) -> None:
    live("chat", "One", user_id=live.user)
    live.wait_for(_buffered(live), lambda number: number >= 2)
    assert "cleared" in live("clear_all_buffers")["message"]
    assert live("get_user_buffer", live.owner)["total_messages"] == 0
