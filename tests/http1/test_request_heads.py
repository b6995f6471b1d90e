"""Heads of requests, and the framing of their bodies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi_transports.http1 import LAST_CHUNK, AnswerReader, chunk, framing_field, request_head


def test_a_head_is_the_request_line_host_and_the_fields() -> None:
    head = request_head("POST", "/v1/chat?q=%20", "localhost:8001", {"Accept": "*/*", "Content-Length": "5"})

    assert head == (b"POST /v1/chat?q=%20 HTTP/1.1\r\nHost: localhost:8001\r\nAccept: */*\r\nContent-Length: 5\r\n\r\n")


def test_a_host_of_the_headers_is_left() -> None:
    assert request_head("GET", "/", "ours", {"A": "b", "hOST": "theirs"}) == (
        b"GET / HTTP/1.1\r\nA: b\r\nhOST: theirs\r\n\r\n"
    )


def test_a_head_without_headers_has_a_host() -> None:
    assert request_head("GET", "http://a/b", "a", {}) == b"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("value", ["", "Grüße", "a\tb", "\xa0", "\u200b", "日本", " padded ", "~\x80"])
def test_values_are_sent_as_utf_8(value: str) -> None:
    assert f"\r\nA: {value}\r\n".encode() in request_head("GET", "/", "h", {"A": value})


@pytest.mark.parametrize(
    "method", ["", "GET ", "G ET", "GET\r\n", "GÉT", "GET:", "\nGET", "CONNECT", "G\0T", "K\u212a"]
)
def test_what_is_no_method_is_refused(method: str) -> None:
    with pytest.raises(
        ValueError, match=r"^'.*' is not a method that can be sent, or its target is not visible ASCII$"
    ):
        request_head(method, "/", "h", {})


@pytest.mark.parametrize("method", ["GET", "get", "!#$%&'*+-.^_`|~09azAZ", "CONNECTED"])
def test_any_token_is_a_method(method: str) -> None:
    assert request_head(method, "/", "h", {}).startswith(method.encode() + b" / HTTP/1.1\r\n")


@pytest.mark.parametrize("target", ["", "/a b", "/a\r\nX: y", "/\n", "/é", "/\0", "/\x7f", "/\t", "/a\r", "/ HTTP/1.1"])
def test_a_target_of_other_than_visible_ascii_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="its target is not visible ASCII"):
        request_head("GET", target, "h", {})


def test_every_visible_character_may_be_in_a_target() -> None:
    target = "".join(map(chr, range(0x21, 0x7F)))

    assert f"GET {target} HTTP/1.1\r\n".encode() in request_head("GET", target, "h", {})


@pytest.mark.parametrize(
    "name", ["", "A ", " A", "A:", "A B", "A\r\n", "A\n", "A\nB", "Ä", "A\0", "\u212aeep", 'A"', "A\x7f"]
)
def test_a_header_whose_name_is_no_token_is_refused(name: str) -> None:
    for headers in ({name: "secret"}, {"B": "c", name: "secret"}, {name: "secret", "B": "c"}):
        with pytest.raises(ValueError, match=r"^.* is not the name of a header$") as raised:
            request_head("GET", "/", "h", headers)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("control", [*map(chr, range(9)), *map(chr, range(10, 32)), "\x7f", "\r\n", "\r\nX: y", "\n y"])
def test_a_value_with_control_characters_is_refused_and_not_shown(control: str) -> None:
    for value in (f"secret{control}", f"{control}secret", f"sec{control}ret"):
        with pytest.raises(ValueError, match=r"^the value of the header 'Key' has control characters$") as raised:
            request_head("GET", "/", "h", {"A": "b", "Key": value})
        assert "ret" not in str(raised.value)
    with pytest.raises(ValueError, match="header 'Host' has control characters"):
        request_head("GET", "/", f"h{control}", {"A": "b"})


def test_half_a_surrogate_pair_is_refused_without_the_head_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"^a header has half of a surrogate pair, which cannot be sent$") as raised:
        request_head("GET", "/", "h", {"Key": "secret", "A": "\udc80"})

    assert "secret" not in repr(raised.value.__dict__) + str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert not isinstance(raised.value, UnicodeError)


def test_the_characters_of_methods_names_values_and_targets() -> None:
    def is_sent(method: str = "GET", target: str = "/", name: str = "A", value: str = "b") -> bool:
        try:
            return bool(request_head(method, target, "h", {name: value}))
        except ValueError:
            return False

    characters = [*map(chr, range(0x180)), "\u212a", "\u2028", "\u3000"]
    tokens = [character for character in characters if character.isascii() and character.isalnum()]
    tokens = sorted([*tokens, *"!#$%&'*+-.^_`|~"])
    controls = [
        character for character in characters[:0x80] if (character < " " and character != "\t") or character == "\x7f"
    ]

    assert [character for character in characters if is_sent(name=character)] == tokens
    assert [character for character in characters if is_sent(method=character)] == tokens
    assert [character for character in characters if is_sent(target=character)] == characters[0x21:0x7F]
    assert [character for character in characters if not is_sent(value=character)] == controls


def test_a_field_comes_once() -> None:
    for headers in ({"A": "b", "a": "b"}, {"Host": "a", "host": "b"}, {"Content-Length": "1", "content-length": "2"}):
        with pytest.raises(ValueError, match=r"^a request has each field once, its values joined by commas$"):
            request_head("GET", "/", "h", headers)


def test_a_body_is_framed_once() -> None:
    with pytest.raises(ValueError, match=r"^a request has a Content-Length or a Transfer-Encoding, not both$"):
        request_head("POST", "/", "h", {"Content-length": "5", "Transfer-encoding": "chunked"})


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding"])
def test_either_frame_alone_is_sent(name: str) -> None:
    assert f"\r\n{name}: 5\r\n".encode() in request_head("POST", "/", "h", {name: "5"})


def test_long_names_and_methods_are_cut_in_errors() -> None:
    with pytest.raises(ValueError, match=f"'{'x' * 40}' is not the name"):
        request_head("GET", "/", "h", {"x" * 41 + " ": "b"})
    with pytest.raises(ValueError, match=f"header '{'x' * 40}' has"):
        request_head("GET", "/", "h", {"x" * 41: "\0"})
    with pytest.raises(ValueError, match=f"'{'x' * 40}' is not a method"):
        request_head("x" * 41 + " ", "/", "h", {})


@pytest.mark.parametrize(
    ("method", "body", "length", "field"),
    [
        ("GET", False, None, None),
        ("DELETE", False, None, None),
        ("HEAD", False, None, None),
        ("POST", False, None, ("Content-Length", "0")),
        ("PUT", False, None, ("Content-Length", "0")),
        ("PATCH", False, None, ("Content-Length", "0")),
        ("POST", True, None, ("Transfer-Encoding", "chunked")),
        ("GET", True, None, ("Transfer-Encoding", "chunked")),
        ("POST", True, 0, ("Content-Length", "0")),
        ("GET", True, 12, ("Content-Length", "12")),
    ],
)
def test_the_field_that_frames_a_body(
    method: str, body: bool, length: int | None, field: tuple[str, str] | None
) -> None:
    assert framing_field(method, body=body, length=length) == field


@given(st.lists(st.binary(max_size=300)))
def test_chunks_are_read_as_they_were_written(contents: list[bytes]) -> None:
    reader = AnswerReader("GET")
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    assert reader.feed(b"".join(map(chunk, contents)) + LAST_CHUNK) == b"".join(contents)
    assert reader.ended


def test_a_chunk_is_its_size_and_content_and_no_content_is_no_chunk() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert chunk(b"") == b""
    assert LAST_CHUNK == b"0\r\n\r\n"
