"""The decisions that the HTTP transports share, as functions: no network."""

from __future__ import annotations

import sys

import pytest

from muxi_transports.http.proxies import proxy_for
from muxi_transports.http.wire import Origin, parse_origin, received_headers, split_url


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("formation.example.org", "", False),
        ("formation.example.org", "example.org", True),
        ("formation.example.org", ".example.org", True),
        ("formation.example.org", "*.example.org", True),
        ("formation.example.org", "other.org, Example.org", True),
        ("formation.example.org", "example.org:8001", True),
        ("formation.example.org", "example.org:9999", False),
        ("myexample.org", "example.org", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "2.3", False),
        ("::1", "::1", True),
        ("fd00::5", "fd00::/8", True),
        ("::1", "[::1]", True),
        ("::1", "[::1]:8001", True),
        ("::1", "[::1]:9", False),
        ("::1", "::0001", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("fd00::5", "[fd00::]/8", True),
        ("fe00::5", "[fd00::]/8", False),
        ("10.1.2.3", "[fd00::]/8,fd00::/8", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3:8001", True),
        ("10.1.2.3", "10.1.2.3:9", False),
        ("formation.example.org", "example.org.", True),
        ("formation.example.org.", "example.org", True),
        ("formation.example.org.", "formation.example.org", True),
        ("formation.example.org", ".example.org.:8001", True),
        ("xn--bcher-kva.example", "bücher.example", True),
        ("a.xn--bcher-kva.example", "*.BÜCHER.example.", True),
        ("xn--bcher-kva.example", "bücher.example:8001", True),
        ("xn--bcher-kva.example", "bucher.example", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("formation.example.org", f"{'ü' * 70}.org", False),
        ("formation.example.org", ".", False),
        ("formation.example.org", "[", False),
        ("formation.example.org", "10.0.0.0/8,*", True),
    ],
)
def test_no_proxy_lists_names_addresses_and_networks(host: str, no_proxy: str, direct: bool) -> None:
    proxies = {"http": "proxy:3128", "no_proxy": no_proxy}

    assert proxy_for(Origin("http", host, 8001, None), proxies, False) == (None if direct else "http://proxy:3128")


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"HTTP_PROXY": "upper:1"}, "http://upper:1"),
        ({"HTTP_PROXY": "upper:1", "http_proxy": "lower:1"}, "http://lower:1"),
        ({"HTTP_PROXY": "upper:1", "http_proxy": ""}, None),
        ({"HTTP_PROXY": "upper:1", "REQUEST_METHOD": "GET"}, None),
        ({"http_proxy": "lower:1", "REQUEST_METHOD": "GET"}, "http://lower:1"),
        ({"ALL_PROXY": "socks5h://all:1"}, "socks5h://all:1"),
        ({"HTTPS_PROXY": "secure:1"}, None),
        ({"HTTP_PROXY": "upper:1", "no_proxy": "example.org"}, None),
        ({"HTTP_PROXY": "upper:1", "NO_PROXY": "example.com"}, "http://upper:1"),
    ],
)
@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system is asked there")
def test_the_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], proxy: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy_for(parse_origin("http://formation.example.org"), {}, True) == proxy


def test_the_more_exact_proxy_wins() -> None:
    proxies = {"all": "http://all:1", "https": "http://secure:1", "https://one.example": "http://one:1"}

    chosen = [proxy_for(parse_origin(url), proxies, False) for url in ("https://one.example", "https://x", "http://x")]

    assert chosen == ["http://one:1", "http://secure:1", "http://all:1"]


def test_a_url_is_split_without_touching_it() -> None:
    assert split_url("https://[::1]:8443/a/../%2f?q=%23#f") == ("https://[::1]:8443", "/a/../%2f?q=%23")
    assert parse_origin("https://[::1]:8443").where == "[::1]:8443"
    assert parse_origin("http://Example.org") == Origin("http", "example.org", 80, None)


def test_received_headers_are_mended() -> None:
    headers = received_headers(
        [("A", "one\r\n two"), ("B c", "dropped"), ("D", "Gr\xc3\xbc\xc3\x9fe"), ("E", "caf\xe9")]
    )

    assert list(headers.items()) == [("A", "one two"), ("D", "Grüße"), ("E", "café")]
