"""The decisions that the HTTP transports share, as functions: no network."""

from __future__ import annotations

import http.client
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi_transports.http.proxies import proxy_for
from muxi_transports.http.wire import Origin, parse_origin, received_headers, split_url
from muxi_transports.pooled.http1 import ChunkFraming, InvalidFraming, parse_head


@given(contents=st.lists(st.binary(min_size=1, max_size=40)), cuts=st.lists(st.integers(0, 400)))
def test_chunks_come_out_as_they_went_in_wherever_the_wire_is_cut(contents: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(b"%X;x=y\r\n%b\r\n" % (len(content), content) for content in contents) + b"0\r\nA: b\r\n\r\n"
    framing = ChunkFraming()
    got, at = b"", 0
    for cut in [*sorted(cut for cut in cuts if cut < len(wire)), len(wire)]:
        got += framing.feed(wire[at:cut])
        at = cut

    assert got == b"".join(contents)
    assert framing.ended


def test_what_has_arrived_of_a_chunk_comes_out_at_once() -> None:
    framing = ChunkFraming()

    assert framing.feed(b"3\r\none\r\n9\r\ntw") == b"onetw"
    assert framing.feed(b"o") == b"o"
    assert not framing.ended


@pytest.mark.parametrize("wire", [b"x\r\n", b"-1\r\n", b"+1\r\n", b"1_0\r\n", b"\r\n", b"1\r\naXX\r\n", b"0x1\r\n"])
def test_what_is_no_chunk_is_refused(wire: bytes) -> None:
    with pytest.raises(InvalidFraming):
        ChunkFraming().feed(wire)


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(http.client.LineTooLong):
        ChunkFraming().feed(b"1" * 70_000)


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


@given(
    names=st.lists(st.sampled_from(["A", "Content-Type", "set-cookie", "X-Long"]), max_size=6),
    values=st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20), min_size=6, max_size=6),
    line_end=st.sampled_from([b"\r\n", b"\n"]),
)
def test_a_head_is_complete_at_its_empty_line_and_never_before(
    names: list[str], values: list[str], line_end: bytes
) -> None:
    pairs = [(name, value.strip()) for name, value in zip(names, values, strict=False)]
    lines = [b"HTTP/1.1 200 OK", *(f"{name}: {value}".encode() for name, value in pairs), b"", b""]
    wire = line_end.join(lines)

    assert all(parse_head(wire[:cut]) is None for cut in range(1, len(wire)))
    head = parse_head(wire + b"body")
    assert head is not None
    assert (head.version, head.status, head.reason, head.headers, head.size) == ("1.1", 200, "OK", pairs, len(wire))


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"HTTP/1.1 204", 204, ""),
        (b"HTTP/1.0 404 Not  Found ", 404, "Not  Found"),
        (b"HTTP/1.1 200 ", 200, ""),
        (b"HTTP/1.1 418 Je suis une th\xe9i\xe8re", 418, "Je suis une théière"),
    ],
)
def test_status_lines(line: bytes, status: int, reason: str) -> None:
    head = parse_head(line + b"\r\n\r\n")

    assert head is not None
    assert (head.status, head.reason) == (status, reason)


@pytest.mark.parametrize(
    "wire", [b"SSH-2.0", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/11 200 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"\r\n"]
)
def test_what_is_no_head_is_refused(wire: bytes) -> None:
    with pytest.raises(http.client.BadStatusLine):
        parse_head(wire)


@pytest.mark.parametrize(
    "wire", [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 60_000]
)
def test_a_head_without_end_is_refused(wire: bytes) -> None:
    with pytest.raises(http.client.LineTooLong):
        parse_head(wire)
