"""The rules by which a text, a payload and a header are masked, as pure functions."""

from __future__ import annotations

import pytest

from muxi.redact import (
    REDACTED,
    SHORTEST_SECRET,
    SecretDict,
    is_secret_field,
    is_secret_header,
    keys_in,
    mask,
    mask_forms,
    redact_data,
    redact_text,
    secret_forms,
    show_value,
)
from tests.secrets.marks import KEYS, leaks, spellings


@pytest.mark.parametrize("shape", KEYS)
def test_every_spelling_of_a_key_is_masked_in_text_and_in_bytes(shape: str) -> None:
    key = KEYS[shape]
    for form in spellings(key):
        if len(form) >= SHORTEST_SECRET:
            assert leaks(key, iter([("text", redact_text(f"<{form}>", (key,)))])) == []
            masked = mask_forms(f"<{form}>".encode(), secret_forms((key,)))
            assert leaks(key, iter([("bytes", masked.decode())])) == []


def test_a_text_without_a_secret_is_the_same_object() -> None:
    text, content = "nothing here", b"nothing here"
    forms = secret_forms(("fmc_0123456789",))
    assert mask_forms(text, forms) is text
    assert mask_forms(content, forms) is content


@pytest.mark.parametrize(("length", "masked"), [(SHORTEST_SECRET - 1, False), (SHORTEST_SECRET, True)])
def test_only_what_is_long_enough_to_be_told_from_words_is_a_secret(length: int, masked: bool) -> None:
    secret = "zqxwvk"[:length] if length < 6 else "zqxwvk"
    assert (redact_text(f"a {secret} b", (secret,)) == f"a {REDACTED} b") is masked
    assert bool(keys_in([("Authorization", secret)])) is masked


def test_the_longest_form_is_masked_first() -> None:
    forms = secret_forms(("abcdefgh", "abcdefghijkl"))
    assert list(forms) == sorted(forms, key=len, reverse=True)
    assert mask_forms("abcdefghijkl", forms) == REDACTED


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("fmc_abc", f"fmc_{REDACTED}"),
        ("fma_a-b_c", f"fma_{REDACTED}"),
        ("muxi_pk_x muxi_sk_y", f"muxi_pk_{REDACTED} muxi_sk_{REDACTED}"),
        ("sk_muxi_x.", f"sk_muxi_{REDACTED}."),
        ("xfmc_abc", "xfmc_abc"),
        ("signature=abc, next", f"signature={REDACTED}, next"),
        ("signature=abc next", f"signature={REDACTED} next"),
        ("http://u:p@h/x", f"http://{REDACTED}@h/x"),
        ("http://h/x@y", f"http://{REDACTED}@y"),
        ("http://@h", "http://@h"),
        ("http://h and a@b", "http://h and a@b"),
        ('"http://u:p@h" "http://v:q@i"', f'"http://{REDACTED}@h" "http://{REDACTED}@i"'),
        ("a://b://c:d@e", f"a://{REDACTED}@e"),
        ("?api_key=1&x=2", f"?api_key={REDACTED}&x=2"),
        ("?x=2&my.token-a=1#f", f"?x=2&my.token-a={REDACTED}#f"),
        ("?TOKEN=1", f"?TOKEN={REDACTED}"),
        ("?token=", "?token="),
        ("token=1", "token=1"),
        *((f"?{word}=1", f"?{word}={REDACTED}") for word in ("credential", "passw", "secret", "signature", "api-key")),
        ("?apikey=1", f"?apikey={REDACTED}"),
        ("?token=a'b", f"?token={REDACTED}'b"),
        ('?token=a"b', f'?token={REDACTED}"b'),
        ("?token=a b", f"?token={REDACTED} b"),
        (f"?{'n' * 64}token{'m' * 64}=1", f"?{'n' * 64}token{'m' * 64}={REDACTED}"),
        (f"?{'n' * 65}token=1", f"?{'n' * 65}token=1"),
        (f"?token{'m' * 65}=1", f"?token{'m' * 65}=1"),
        ("?to ken=1", "?to ken=1"),
        ("<http://h>u@b", "<http://h>u@b"),
        ("http://h<u@b", "http://h<u@b"),
        ('http://h"u@b', 'http://h"u@b'),
        ("http://h\nu@b", "http://h\nu@b"),
        ("http://u:p@h@i", f"http://{REDACTED}@h@i"),
        ("http:/u@h", "http:/u@h"),
        ("fmc_", "fmc_"),
        ("FMC_abc", "FMC_abc"),
        ("fmb_abc", "fmb_abc"),
        ("muxi_qk_x", "muxi_qk_x"),
        ("fmc_a.b", f"fmc_{REDACTED}.b"),
        ("signature=", "signature="),
        ("no secret at all", "no secret at all"),
    ],
)
def test_keys_signatures_and_passwords_of_urls_are_masked_by_their_shape(text: str, masked: str) -> None:
    assert redact_text(text) == masked


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "COOKIE", "X-Muxi-Admin-Key", "x-api-key", "X-Apikey", "My-Token", "X-Passwd", "X-Auth"),
        *("X-Cookies", "X-Credential", "X-Secret", "Set-Cookie", "X-Signature-Ed", "x-api_key"),
    ],
)
def test_a_header_is_secret_by_its_name(name: str) -> None:
    assert is_secret_header(name)


@pytest.mark.parametrize("name", ["Content-Type", "X-Muxi-User-ID", "Accept", "Key", "X-Key-Name", "X-South"])
def test_any_other_header_is_not(name: str) -> None:
    assert not is_secret_header(name)


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "apiKey", "api-key", "auth", "AUTH", "passphrase", "private-key", "private_key", "privateKey"),
        *("My_Token", "set-cookie", "proxyAuthorization", "credentials", "passwd", "SECRET_NAME", "signature"),
    ],
)
def test_a_field_is_secret_by_its_name(name: str) -> None:
    assert is_secret_field(name)


@pytest.mark.parametrize("name", ["author", "oauth", "key", "name", "api.key", "api__key", "private.key", "private"])
def test_any_other_field_is_not(name: str) -> None:
    assert not is_secret_field(name)


def test_keys_are_the_values_of_secret_headers_with_and_without_their_scheme() -> None:
    headers = [("Authorization", "Bearer abcdefg"), ("X-Api-Key", "hijklmn"), ("Accept", "application/json")]
    assert keys_in([*headers, headers[0]]) == ("Bearer abcdefg", "abcdefg", "hijklmn")


def test_data_is_copied_without_the_values_of_secret_fields() -> None:
    data = {"token": "x", "total_tokens": 5, "secrets": ["a"], "credential": {"a": 1}, "list": [{"auth": "y"}, "fmc_z"]}
    assert redact_data(data) == {
        "token": REDACTED,
        "total_tokens": 5,
        "secrets": REDACTED,
        "credential": REDACTED,
        "list": [{"auth": REDACTED}, f"fmc_{REDACTED}"],
    }
    assert redact_data({"token": "", "secret": None, "auth": False}) == {"token": "", "secret": None, "auth": False}
    assert redact_data({"a": "zqxwvku"}, ("zqxwvku",)) == {"a": REDACTED}
    assert redact_data({"zqxwvku": 1}, ("zqxwvku",)) == {REDACTED: 1}


@pytest.mark.parametrize(("levels", "cut"), [(100, False), (101, True)])
def test_data_that_is_nested_too_deeply_is_cut(levels: int, cut: bool) -> None:
    data: object = "end"
    for _ in range(levels):
        data = [data]
    assert (REDACTED in str(redact_data(data))) is cut


def test_an_argument_is_shown_up_to_two_hundred_characters() -> None:
    assert show_value("a" * 198) == repr("a" * 198)
    assert show_value("a" * 199) == f"'{'a' * 199}…"
    assert show_value(_Shy()) == "a value of type _Shy"


class _Shy:
    def __repr__(self) -> str:
        raise ValueError("this has no repr")


def test_the_mask_of_nothing_is_nothing() -> None:
    assert (mask(None), mask(""), mask("key")) == (None, REDACTED, REDACTED)


def test_a_dict_of_secrets_shows_their_number() -> None:
    assert repr(SecretDict({"a": "zqxwvku"})) == "<1 items>"
