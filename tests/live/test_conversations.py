"""Probes of conversations, and of routes that are called by their path."""

from __future__ import annotations

import pytest

from muxi import AuthenticationError, NotFoundError
from tests.live.probing import Live, probe


@probe("ask", "conversation")
def test_a_conversation(live: Live) -> None:
    assert live("ask", "Tell me about pears", user_id=live.user) == "Stub reply to: Tell me about pears"
    live.called.add("conversation")
    talk = live.client.conversation(user_id=live.owner)
    assert live("ask", "Tell me about figs", on=talk) == "Stub reply to: Tell me about figs"
    text, _ = live.text("stream", "Tell me about dates", on=talk)
    assert text == "Stub reply to: Tell me about dates"
    said = live("messages", on=talk)
    assert [message["metadata"]["role"] for message in said] == ["user", "assistant", "user", "assistant"]
    assert "figs" in said[0]["text"]
    # Another talk that knows the session goes on with it.
    again = live.client.conversation(user_id=live.owner, session_id=talk.session_id)
    assert live("messages", on=again) == said
    live("clear", on=again)
    assert live("messages", on=talk) == []


@probe("request")
def test_a_route_by_its_path(live: Live) -> None:
    assert live("request", "GET", "/agents", key="admin") == live("get_agents")
    agent = live("request", "GET", "/agents/{agent_id}", params={"agent_id": "researcher"}, key="admin")
    assert agent["name"] == "Researcher"
    name = f"BY_PATH_{live.name}".upper().replace("-", "_")
    live("request", "POST", "/secrets", body={"key": name, "value": "value-0123456789"}, key="admin")
    assert name in live("get_secrets")["secrets"]
    live("request", "DELETE", "/secrets/{key}", params={"key": name}, key="admin")
    with pytest.raises(NotFoundError):
        live("request", "GET", "/no/such/route", key="admin")
    with pytest.raises(AuthenticationError):
        live("request", "GET", "/agents", key="client")
