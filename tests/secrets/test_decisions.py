"""What counts as a secret, name by name and form by form, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from muxi import redact
from muxi.redact import (
    REDACTED,
    SECRET_HEADERS,
    is_secret_header,
    keep_secret,
    keys_in,
    mask_forms,
    redact_data,
    redact_forms,
    redact_text,
    secret_forms,
)

#: Parts of names that tell a secret, in headers and in the parameters of a URL.
TELLING = ("apikey", "api-key", "api_key", "credential", "passw", "secret", "signature", "token")
#: Those of headers alone.
OF_HEADERS = ("auth", "cookie")


def shortened(words: tuple[str, ...]) -> Iterator[str]:
    """Each word with one letter left out, unless it tells a secret all the same."""
    for word in words:
        for at in range(len(word)):
            near = word[:at] + word[at + 1 :]
            if not any(known in near for known in words):
                yield near


def test_the_headers_of_the_platform_and_of_http_that_are_secret() -> None:
    assert set(SECRET_HEADERS) == {
        *("authorization", "cookie", "proxy-authorization", "set-cookie"),
        *("x-distillery-signature", "x-muxi-admin-key", "x-muxi-client-key", "x-muxi-signature"),
    }
    assert all(is_secret_header(name) and is_secret_header(name.title()) for name in SECRET_HEADERS)


@pytest.mark.parametrize("word", [*TELLING, *OF_HEADERS])
def test_a_header_is_secret_by_a_word_in_its_name(word: str) -> None:
    assert is_secret_header(f"x-{word}-of-ours")
    assert is_secret_header(f"X-{word.upper()}")


@pytest.mark.parametrize("near", sorted(set(shortened((*TELLING, *OF_HEADERS)))))
def test_a_header_with_nearly_such_a_word_is_not_secret(near: str) -> None:
    assert not is_secret_header(f"x-{near}-")


def test_a_header_that_was_declared_secret_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_kept_secret", set())
    assert not is_secret_header("X-Ours")
    keep_secret("X-Ours")
    assert is_secret_header("X-Ours")
    assert is_secret_header("x-ours")


def test_the_keys_in_headers_come_with_and_without_their_scheme() -> None:
    assert keys_in([("Authorization", "Bearer one two three"), ("X-Trace", "not-a-key")]) == (
        "Bearer one two three",
        "one two three",
    )


@pytest.mark.parametrize("pair", [(5, "0123456789"), ("Authorization", 5), ("Authorization", None), (None, None)])
def test_what_is_no_text_is_no_key(pair: Any) -> None:
    assert keys_in([pair]) == ()


@pytest.mark.parametrize("word", TELLING)
def test_a_parameter_of_a_url_is_secret_by_a_word_in_its_name(word: str) -> None:
    for name in (word, word.upper(), f"a.{word}", f"{word}.b", f"x_{word}_y", f"x-{word}-y"):
        for sign in "?&":
            assert redact_text(f"/a{sign}{name}=0123 b") == f"/a{sign}{name}={REDACTED} b"


@pytest.mark.parametrize("end", "&#\"' ")
def test_a_secret_parameter_ends_where_the_next_begins(end: str) -> None:
    assert redact_text(f"/a?token=0123{end}b=1") == f"/a?token={REDACTED}{end}b=1"


@pytest.mark.parametrize("near", sorted(set(shortened(TELLING))))
def test_a_parameter_with_nearly_such_a_word_is_shown(near: str) -> None:
    assert redact_text(f"/a?{near}=0123") == f"/a?{near}=0123"


@pytest.mark.parametrize("prefix", ["fma_", "fmc_", "muxi_pk_", "muxi_sk_", "sk_muxi_"])
def test_a_key_of_the_platform_is_masked_to_its_last_character(prefix: str) -> None:
    assert redact_text(f"<{prefix}ABMNYZabmnyz0189_->: :x") == f"<{prefix}{REDACTED}>: :x"
    for end in ":@[`{/;<=>?.":
        assert redact_text(f"{prefix}Az09{end}rest") == f"{prefix}{REDACTED}{end}rest"


def test_a_signature_is_masked_up_to_a_comma_or_white_space() -> None:
    assert redact_text("key=a, signature=b+/=, c") == f"key=a, signature={REDACTED}, c"
    assert redact_text("ignature=abc") == "ignature=abc"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("://u:p@h/a", "://[redacted]@h/a"),
        ("a://b c://u:p@h", "a://b c://[redacted]@h"),
        ("a://u@b:// c://d", "a://[redacted]@b:// c://d"),
        ("a://@b", "a://@b"),
        ("a://u@b://v@c", "a://[redacted]@b://[redacted]@c"),
    ],
)
def test_what_stands_before_the_host_of_a_url_is_masked_in_each_url(text: str, masked: str) -> None:
    assert redact_text(text) == masked


#: The forms of a secret, made by hand: with escapes, as base64 at three offsets and in two alphabets, and misread.
FORMS: dict[str, set[str]] = {
    "plain-key": {"plain-key", "cGxhaW4ta2V5", "wbGFpbi1rZX", "BsYWluLWtle"},
    "a\nbcdefgh\n": {
        *("a\nbcdefgh", "a%0Abcdefgh", "a%0abcdefgh", "a\\nbcdefgh", "a\\\\nbcdefgh"),
        *("YQpiY2RlZmdo", "hCmJjZGVmZ2", "EKYmNkZWZna"),
        *("bcdefgh", "YmNkZWZna", "iY2RlZmdo", "JjZGVmZ2"),
    },
    "k\u00e4/\"'<&> +\u20ac\\9": {
        "k\u00e4/\"'<&> +\u20ac\\9",
        *("k%C3%A4%2F%22%27%3C%26%3E%20%2B%E2%82%AC%5C9", "k%c3%a4%2f%22%27%3c%26%3e%20%2b%e2%82%ac%5c9"),
        *("k%C3%A4/%22%27%3C%26%3E%20%2B%E2%82%AC%5C9", "k%c3%a4/%22%27%3c%26%3e%20%2b%e2%82%ac%5c9"),
        *("k%C3%A4%2F%22%27%3C%26%3E+%2B%E2%82%AC%5C9", "k%c3%a4%2f%22%27%3c%26%3e+%2b%e2%82%ac%5c9"),
        "k\u00e4/&quot;&#x27;&lt;&amp;&gt; +\u20ac\\9",
        *("k\\xc3\\xa4/\"\\'<&> +\\xe2\\x82\\xac\\\\9", "k\u00e4/\"\\'<&> +\u20ac\\\\9"),
        *("k\\u00e4/\\\"'<&> +\\u20ac\\\\9", "k\\\\u00e4/\\\\\\\"'<&> +\\\\u20ac\\\\\\\\9"),
        *("k\u00e4/\\\"'<&> +\u20ac\\\\9", "k\\xe4/\"'<&> +\\u20ac\\\\9"),
        "k\u00c3\u00a4/\"'<&> +\u00e2\u0082\u00ac\\9",
        *("a8OkLyInPCY+ICvigqxcO", "a8OkLyInPCY-ICvigqxcO", "rw6QvIic8Jj4gK+KCrFw5", "rw6QvIic8Jj4gK-KCrFw5"),
        "vDpC8iJzwmPiAr4oKsXD",
    },
    "\ud800abcdef": {
        *("\ud800abcdef", "\u00ed\u00a0\u0080abcdef", "\\xed\\xa0\\x80abcdef", "\\ud800abcdef", "\\\\ud800abcdef"),
        *("%ED%A0%80abcdef", "%ed%a0%80abcdef", "7aCAYWJjZGVm", "2ggGFiY2RlZ", "toIBhYmNkZW"),
    },
}


@pytest.mark.parametrize("secret", FORMS, ids=ascii)
def test_the_forms_of_a_secret(secret: str) -> None:
    forms = secret_forms([secret])
    assert set(forms) == FORMS[secret]
    assert [len(form) for form in forms] == sorted(map(len, forms), reverse=True)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("<\u20acuro-key>".encode(), "\u20acuro-key"),
        ("<k\u00e4y-latin>".encode(), "k\u00e4y-latin"),
        ("<k\u00e4y-latin>".encode("latin-1"), "k\u00e4y-latin"),
        ("<\ud800abcdef>".encode("utf-8", "surrogatepass"), "\ud800abcdef"),
    ],
)
def test_a_secret_is_masked_in_bytes_of_either_encoding(content: bytes, secret: str) -> None:
    assert mask_forms(content, (secret,)) == b"<[redacted]>"


def nested(levels: int, of: str, value: object) -> Any:
    for _ in range(levels):
        value = [value] if of == "lists" else {"a": value}
    return value


@pytest.mark.parametrize("of", ["lists", "dicts"])
def test_a_payload_is_copied_down_to_a_hundred_levels(of: str) -> None:
    assert redact_data(nested(100, of, 5)) == nested(100, of, 5)
    assert redact_data(nested(100, of, [])) == nested(100, of, REDACTED)
    assert redact_data(nested(101, of, 5)) == nested(100, of, REDACTED)


def test_forms_that_were_made_beforehand_are_masked_in_data() -> None:
    data = {"a": ["the plain-key is", 5, None]}
    assert redact_forms(data, secret_forms(["plain-key"])) == {"a": [f"the {REDACTED} is", 5, None]}
