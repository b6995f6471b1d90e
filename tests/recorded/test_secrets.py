"""No secret is in a file, whichever call carried it; what was taken out does not keep the rest from being played."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.redact import REDACTED
from muxi.transport import BufferedResponse, BytesBody, Headers, Request
from muxi_transports.memory import AsyncMemoryTransport, EmbeddedFormation, MemoryTransport
from muxi_transports.recorded import (
    Cassette,
    Chunk,
    Exchange,
    RecordedRequest,
    RecordedResponse,
    Scrubber,
)
from muxi_transports.recorded.literals import literals_of
from tests.answers import (
    ADMIN_KEY,
    CLIENT_KEY,
    KEY_ID,
    SECRET_KEY,
    Colour,
    Playback,
    answer,
    chat_answer,
    chat_events,
    failure,
    json_answer,
    plain,
)

#: None of them looks like a key, so that no pattern finds them.
SECRETS = {
    "secret": "hush-secret-value",
    "credential": "hush-credential",
    "header": "hush-header-value",
    "webhook": "hush-webhook-word",
    "query": "hush-query-value",
    "password": "hush-password",
    "cookie": "hush-cookie-value",
    "signing": "hush-signing-key",
    "bearer": "hush-bearer-value",
}


def scenario(colour: Colour, client: Any) -> list[Any]:
    """Calls that carry secrets, and answers that have them in them."""
    learnt: list[Any] = [colour.run(client.set_secret, "OPENAI", SECRETS["secret"])]
    payload = {"service": "github", "credential": {"token": SECRETS["credential"], "pin": 48151623}}
    learnt.append(colour.run(client.create_credential, "ada", payload))
    learnt.append(colour.run(client.list_credentials, "ada"))
    learnt.append(colour.run(client.get_secrets))
    hooked = {
        "message": "Hi",
        "use_async": True,
        "webhook_url": f"https://me:{SECRETS['password']}@example.com/hook?token={SECRETS['query']}&a=1",
    }
    learnt.append(colour.run(client.chat, hooked, user_id="ada"))
    told = client.with_options(headers={"X-Corp-Auth": SECRETS["header"], "X-Auth-Token": SECRETS["bearer"]})
    learnt.append(colour.run(told.chat, f"My word is {SECRETS['header']}", user_id="ada"))
    learnt += colour.collect(told.chat_stream, f"It is {SECRETS['secret']}!", user_id="ada")
    return learnt


def answers() -> list[BufferedResponse]:
    """What a formation might say that keeps nothing to itself."""
    return [
        failure(404, "SECRET_NOT_FOUND", f"There is no {SECRETS['secret']}"),
        answer({"key": "OPENAI", "value": SECRETS["secret"], "status": "created"}, Set_Cookie=SECRETS["cookie"]),
        answer({"credential_id": "cred_1", "service": "github", "credential_preview": SECRETS["credential"]}),
        answer({"credentials": [{"credential_id": "cred_1", "name": "Mine", "service": "github"}], "count": 1}),
        answer({"secrets": {"OPENAI": "hush…"}, "count": 1, "signing_secret": SECRETS["signing"]}),
        chat_answer("Later.", total_tokens=12, signature=SECRETS["signing"]),
        chat_answer(f"Bearer {SECRETS['bearer']}, {SECRETS['header']}", url=f"http://a/?api_key={SECRETS['query']}"),
        chat_events("You said ", f"{SECRETS['secret']} and {SECRETS['header']}."),
    ]


def test_no_secret_is_in_the_file(colour: Colour, client: Any, path: Path) -> None:
    scenario(colour, client(path, Playback(*answers())))
    text = path.read_text()
    for name, secret in {**SECRETS, "client": CLIENT_KEY, "admin": ADMIN_KEY, "pin": "48151623"}.items():
        assert secret not in text, name
    for kept in (
        "OPENAI",
        "cred_1",
        "github",
        "Later.",
        "total_tokens: 12",
        "You said ",
        "a=1",
        "http://localhost:8001/",
    ):
        assert kept in text


def test_a_key_that_signs_and_is_never_sent_is_not_in_the_file(colour: Colour, recorded: Any, path: Path) -> None:
    key = "hush-that-signs"
    playback = Playback(json_answer(200, {"success": True, "data": {"formations": [], "note": f"signed by {key}"}}))
    server = colour.server(transport=recorded(path, playback), secret_key=key)
    assert key in str(colour.run(server.list_formations))
    text = path.read_text()
    assert key not in text
    assert f"signed by {REDACTED}" in text


def test_what_was_scrubbed_still_plays(colour: Colour, client: Any, path: Path) -> None:
    learnt = scenario(colour, client(path, Playback(*answers())))
    cassette = Cassette(path)
    playing = client(cassette, client_key="another", admin_key="another", url="http://localhost:1")
    again = scenario(colour, playing)
    assert cassette.all_played
    assert again[2] == learnt[2]
    assert again[3]["count"] == 1
    assert again[5]["message"]["content"] == f"Bearer {REDACTED}, {REDACTED}"
    assert [event["type"] for event in again[6:]] == [event["type"] for event in learnt[6:]]
    others = Cassette(path)
    changed = client(others, url="http://localhost:1")
    assert colour.run(changed.set_secret, "OPENAI", "quite another secret")["key"] == "OPENAI"


def test_users_and_passwords_of_urls_go(recorded: Any, colour: Colour, path: Path) -> None:
    request = Request("GET", f"http://me:{SECRETS['password']}@localhost:8001/x?sig=1&access_token={SECRETS['query']}")
    everything = " ".join(SECRETS.values())
    transport = recorded(path, Playback(plain(302, everything.encode(), "text/plain", Location=request.url)))
    colour.run(colour.run(transport.send, request).read)
    text = path.read_text()
    assert "url: http://localhost:8001/x?sig=1&access_token=[redacted]\n" in text
    assert SECRETS["password"] not in text
    assert SECRETS["query"] not in text
    assert colour.run(recorded(path).send, request).status == 302


def test_the_keys_of_servers_are_not_in_the_file(colour: Colour, recorded: Any, path: Path) -> None:
    transport = recorded(path, Playback(json_answer(200, {"formations": []})))
    colour.run(colour.server(transport=transport).list_formations)
    text = path.read_text()
    assert "Authorization: '[redacted]'" in text
    assert not any(word in text for word in (KEY_ID, SECRET_KEY, "signature="))


def test_what_was_said_before_it_was_known_to_be_secret_goes_too(colour: Colour, client: Any, path: Path) -> None:
    recording = client(path, Playback(chat_answer("Ok."), answer({"key": "A"})))
    colour.run(recording.chat, f"The word is {SECRETS['secret']}", user_id="ada")
    assert SECRETS["secret"] in path.read_text()
    colour.run(recording.update_secret, "A", SECRETS["secret"])
    assert SECRETS["secret"] not in path.read_text()


def test_a_whole_session_over_the_embedded_formation(colour: Colour, client: Any, path: Path) -> None:
    world = EmbeddedFormation(client_key="hush-client-key", admin_key="hush-admin-key", seed=1)
    inner = AsyncMemoryTransport(world) if colour.asynchronous else MemoryTransport(world)
    keys = {"client_key": "hush-client-key", "admin_key": "hush-admin-key"}
    recording = client(path, inner, url="http://memory", **keys)
    said = "My key is hush-client-key"
    content = colour.run(recording.chat, said, user_id="ada")["message"]["content"]
    assert "hush-client-key" in content
    colour.collect(recording.chat_stream, said, user_id="ada")
    assert "hush-" not in path.read_text()
    again = colour.run(client(path).chat, said, user_id="ada")["message"]["content"]
    assert again == content.replace("hush-client-key", REDACTED)


def exchange(body: bytes, *, headers: Headers | None = None, url: str = "http://a/v1/x") -> Exchange:
    chunks = (Chunk(0.0, body),) if body else ()
    return Exchange(RecordedRequest("GET", url), RecordedResponse(200, headers or Headers(), chunks))


def content_of(exchange: Exchange) -> bytes:
    assert exchange.response is not None
    return exchange.response.content


@pytest.mark.parametrize(
    ("body", "scrubbed"),
    [
        (b'{"api_key":"a","n":1}', b'{"api_key":"[redacted]","n":1}'),
        (b'{ "api_key" : "\\u00e9" , "b":1.0}', b'{ "api_key" : "[redacted]" , "b":1.0}'),
        (b'{"auth":{"type":"bearer","token":"a"}}', b'{"auth":{"type":"bearer","token":"[redacted]"}}'),
        (b'{"auth":{"pair":["a",2,true,null]}}', b'{"auth":{"pair":["[redacted]","[redacted]",true,null]}}'),
        (b'{"total_tokens":3,"has_secret":true}', b'{"total_tokens":3,"has_secret":true}'),
        (b'{"credential_id":"a","token_type":"b"}', b'{"credential_id":"a","token_type":"b"}'),
        (b'{"credentials":[{"name":"a"}]}', b'{"credentials":[{"name":"a"}]}'),
        (b'{"webhook_secret":"","password":null}', b'{"webhook_secret":"","password":null}'),
        (b'{"url":"http://a","mail":"b@c"}', b'{"url":"http://a","mail":"b@c"}'),
        (b'{"url":"http://a:b@c/?key=1&token=2"}', b'{"url":"http://[redacted]@c/?key=1&token=[redacted]"}'),
        ('{"é":"sk_muxi_abc"}'.encode(), '{"é":"sk_muxi_[redacted]"}'.encode()),
        (b'data: {"token":{"content":"a"}}\n\n', b'data: {"token":{"content":"a"}}\n\n'),
        (b'data: {"token":{"password":"a"}}\r\n\r\n', b'data: {"token":{"password":"[redacted]"}}\r\n\r\n'),
        (b"data: fmc_abc\rdata: x", b"data: fmc_[redacted]\rdata: x"),
        (b"\xfffmc_abc", b"\xfffmc_abc"),
    ],
)
def test_only_what_is_secret_changes(body: bytes, scrubbed: bytes) -> None:
    scrub = Scrubber()
    assert content_of(scrub.exchange(exchange(body))) == scrubbed
    assert content_of(scrub.exchange(scrub.exchange(exchange(body)))) == scrubbed


def test_the_length_is_corrected() -> None:
    body = b'{"password":"hush"}'
    found = Scrubber().exchange(exchange(body, headers=Headers({"content-length": str(len(body))})))
    assert found.response is not None
    assert found.response.headers["content-length"] == str(len(found.response.content)) == "25"
    found = Scrubber().exchange(exchange(body, headers=Headers({"Content-Length": "7", "Content-Encoding": "gzip"})))
    assert found.response is not None
    assert found.response.headers["content-length"] == "7"


@given(st.lists(st.integers(1, 40), max_size=8))
def test_a_secret_that_is_cut_by_chunks_is_found(cuts: list[int]) -> None:
    body = 'data: {"password":"hush-é-word","text":"é"}\n\ndata: {"text":"hush-header"}\n\n'.encode()
    edges = sorted({0, len(body), *(cut * 2 for cut in cuts)})
    chunks = tuple(Chunk(float(a), body[a:b]) for a, b in itertools.pairwise(edges))
    response = RecordedResponse(200, Headers(), chunks)
    found = Scrubber(values=("hush-header",)).exchange(Exchange(RecordedRequest("GET", "/"), response)).response
    assert found is not None
    assert [chunk.at for chunk in found.chunks] == [chunk.at for chunk in chunks]
    assert found.content == body.replace(b"hush-header", b"[redacted]").replace("hush-é-word".encode(), b"[redacted]")


def test_what_else_is_to_go_can_be_said(colour: Colour, recorded: Any, path: Path) -> None:
    scrub = Scrubber(
        fields=("email",),
        headers=("X-Tenant",),
        values=("Ada Lovelace",),
        functions=(lambda text: text.replace("London", "a city"),),
        keep=("next_token",),
    )
    body = {"email": "ada@example.com", "next_token": "page-2", "note": "Ada Lovelace of London", "password": "x"}

    def request() -> Request:
        headers = Headers({"X-Tenant": "acme", "Content-Type": "application/json"})
        url = "http://localhost/London?email=ada@example.com&name=Ada%20Lovelace"
        return Request("POST", url, headers, BytesBody(json.dumps(body).encode()))

    transport = recorded(Cassette(path, scrub=scrub), Playback(json_answer(200, body, X_City="London")))
    colour.run(colour.run(transport.send, request()).read)
    text = path.read_text()
    for gone in ("ada@example.com", "acme", "Ada Lovelace", "Ada%20Lovelace", "London"):
        assert gone not in text
    assert "next_token: page-2" in text
    assert "a city" in text
    response = colour.run(recorded(Cassette(path, scrub=scrub)).send, request())
    assert json.loads(colour.run(response.read)) == {
        "email": REDACTED,
        "next_token": "page-2",
        "note": f"{REDACTED} of a city",
        "password": REDACTED,
    }


def test_a_scrubber_takes_no_secrets_from_one_cassette_to_another(path: Path) -> None:
    scrub = Scrubber()
    cassette = Cassette(path, scrub=scrub)
    cassette.play(RecordedRequest("GET", "/", Headers({"X-Api-Key": "hush-header"})))
    assert scrub.text("hush-header") == "hush-header"


def test_which_secrets_of_requests_are_known_elsewhere() -> None:
    scrub = Scrubber()
    headers = {
        "Authorization": "Bearer hush-token",
        "X-Api-Key": "hush-token-and-more",
        "X-Secret": "three words here",
        "Proxy-Authorization": "MUXI-HMAC key=a, timestamp=1, signature=b",
        "X-Password": "short",
    }
    assert scrub.learn(RecordedRequest("GET", "http://a:hush%2Fhush@b/?token=hush%20query", Headers(headers)))
    assert not scrub.learn(RecordedRequest("GET", "/", Headers(headers)))
    said = "hush-token-and-more hush-token three words here MUXI-HMAC hush/hush hush%2Fhush hush query short"
    assert scrub.text(said) == (f"{REDACTED} {REDACTED} {REDACTED} MUXI-HMAC {REDACTED} {REDACTED} {REDACTED} short")


json_data: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_data, st.sampled_from([None, 2]), st.booleans())
def test_the_values_of_a_document_are_found_where_they_are(data: Any, indent: int | None, escaped: bool) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=escaped)
    found = literals_of(text)
    assert found is not None
    expected = list(_values(data, ()))
    assert [(literal.value, literal.path) for literal in found] == expected
    assert [json.loads(text[literal.start : literal.end]) for literal in found] == [value for value, _ in expected]


def _values(data: Any, path: tuple[str, ...]) -> Any:
    if isinstance(data, dict):
        for name, value in data.items():
            yield from _values(value, (*path, name))
    elif isinstance(data, list):
        for value in data:
            yield from _values(value, path)
    else:
        yield data, path


def test_what_is_not_json_has_no_values() -> None:
    assert literals_of("{") is None
    assert literals_of("") is None
    assert literals_of("[" * 100_000) is None


@pytest.mark.parametrize(
    ("reason", "location", "body"),
    [
        ("hush-client-key-of-mine is unknown", "/login?key=hush-client-key-of-mine", b"hush-client-key-of-mine"),
        ("hush-client-key is unknown", "/login?api_key=other", b'{"message": "no such key: hush-client-key-..."}'),
    ],
)
def test_what_a_server_repeats_of_a_key_is_not_in_the_file(
    colour: Colour, recorded: Any, path: Path, reason: str, location: str, body: bytes
) -> None:
    headers = [("Location", location), ("X-Said", "hush-client-key-of-m…"), ("Content-Type", "application/json")]
    answered = BufferedResponse(401, headers, body, reason=reason)
    request = Request("GET", "http://h/v1/x", Headers([("X-Muxi-Client-Key", "hush-client-key-of-mine")]))
    response = colour.run(recorded(path, Playback(answered)).send, request)
    colour.run(response.read)
    text = path.read_text()
    assert "hush" not in text
    assert "api_key=other" not in text
    assert "is unknown" in text
    assert "no such key" in text or body == b"hush-client-key-of-mine"


def test_a_short_beginning_of_a_secret_is_a_word() -> None:
    scrub = Scrubber()
    scrub.learn(RecordedRequest("GET", "/", Headers([("X-Muxi-Client-Key", "password-of-ada-lovelace")])))
    assert scrub.text("the password is wrong") == "the password is wrong"
    assert scrub.text("password-of-ad") == REDACTED


def test_no_secret_is_in_a_repr_of_what_frames_hold() -> None:
    request = RecordedRequest("POST", "http://u:hush@h/?token=hush", Headers([("X-Api-Key", "hush")]), b"hush")
    exchange = Exchange(request, RecordedResponse(200, chunks=(Chunk(0.5, b"hush"),)))
    assert "hush" not in repr([request, exchange, Scrubber(values=("hush",))])
    assert "POST http://[redacted]@h/" in repr(request)
