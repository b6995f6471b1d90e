"""Addresses outside ASCII have the form of the wire from the beginning."""

from __future__ import annotations

import pytest

from muxi import ConfigurationError, FormationClient


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://bücher.example", "http://xn--bcher-kva.example/v1"),
        ("https://BÜCHER.example:8443/ä", "https://xn--bcher-kva.example:8443/%C3%A4/v1"),
        ("http://host/bü/%20x", "http://host/b%C3%BC/%20x/v1"),
        ("http://[::1]:80/ü", "http://[::1]:80/%C3%BC/v1"),
        ("http://例え.テスト", "http://xn--r8jz45g.xn--zckzah/v1"),
    ],
)
def test_host_and_path_are_encoded(url: str, sent: str) -> None:
    assert sent in repr(FormationClient(url=url, transport="memory"))


@pytest.mark.parametrize(
    "url", ["http://☃.example", "http://a..bü", "http://[::1]ü", "http://host:8ü", "http://" + "ü" * 300]
)
def test_a_host_without_such_a_form_is_refused_by_the_constructor(url: str) -> None:
    with pytest.raises(ConfigurationError, match="url="):
        FormationClient(url=url, transport="memory")
