"""The names and values of spans, as functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.config import Address
from muxi.plugins.tracing import names

HOST = st.from_regex(r"[a-z][a-z0-9.]{0,20}", fullmatch=True)
SECRET = st.from_regex(r"[a-zA-Z0-9]{4,20}", fullmatch=True).map(lambda text: f"hush{text}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host/v1/chat", "http://host/v1/chat"),
        ("https://host:8443/v1?limit=5&x=1", "https://host:8443/v1?limit=5&x=1"),
        ("http://user@host/", "http://REDACTED@host/"),
        ("http://user:pass@host/?sig=abc&a=b", "http://REDACTED:REDACTED@host/?sig=REDACTED&a=b"),
        ("http://host/?api_key=abc&access_token=x&Signature=y", "http://host/?api_key=REDACTED&access_token=REDACTED&Signature=REDACTED"),
        ("http://host/?token&b", "http://host/?token&b"),
        ("http://host/users/ada@example.org", "http://host/users/ada@example.org"),
        ("http://host/v1/fmc_0123456789", "http://host/v1/fmc_[redacted]"),
        ("http://[::1/broken", "http://[::1/broken"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert names.redacted_url(url) == shown


@given(HOST, SECRET, SECRET, SECRET)
def test_no_secret_of_a_url_is_shown(host: str, user: str, password: str, token: str) -> None:
    shown = names.redacted_url(f"https://{user}:{password}@{host}/v1/x?access_token={token}&n=1#f")
    assert "hush" not in shown
    assert host in shown


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://host/x", {"server.address": "host", "server.port": 80}),
        ("https://host/x", {"server.address": "host", "server.port": 443}),
        ("https://[::1]:8443/x", {"server.address": "::1", "server.port": 8443}),
        ("http://user:pass@host:81", {"server.address": "host", "server.port": 81}),
        ("http://host:port/", {}),
    ],
)
def test_where_a_request_goes(url: str, server: dict[str, object]) -> None:
    assert names.server_of(url) == server


@pytest.mark.parametrize(
    ("base", "proxied", "template", "formation"),
    [
        ("http://host/v1", False, "/v1/chat", None),
        ("http://host/api/bot/v1", False, "/api/bot/v1/chat", None),
        ("http://host/api/bot/v1", True, "/api/{formation_id}/v1/chat", "bot"),
        ("http://host/deep/draft/bot/v1", True, "/deep/draft/{formation_id}/v1/chat", "bot"),
    ],
)
def test_a_route_begins_at_the_root_and_has_no_id(
    base: str, proxied: bool, template: str, formation: str | None
) -> None:
    address = Address(base, proxied)
    assert names.template_of("/chat", address) == template
    assert names.formation_of(address) == formation
