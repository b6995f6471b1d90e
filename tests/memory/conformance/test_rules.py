"""The embedded formation follows the rules of ``formation.md``: requests are made from them, and answers checked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.transport import BytesBody, Headers, Request
from muxi_transports.memory.formation.routes import ROUTES
from tests.memory.conformance.document import (
    KEYS,
    PLAIN,
    RULES,
    TEXT,
    WRONG,
    Bench,
    Parameter,
    Rule,
    allowed,
    check_envelope,
    key_of,
    problems_of,
    section,
    valid_body,
)


def test_the_document_and_the_formation_have_the_same_routes() -> None:
    assert len(RULES) == 105
    documented = {str(rule) for rule in RULES}
    assert documented - {f"{route.method} {route.path}" for route in ROUTES} == set()
    assert (len(BODIES), len(QUERIES)) > (20, 25)
    assert sum(bool(rule.user) for rule in RULES) > 25


def refused_key(rule: Rule, key: str) -> str | None:
    """The text of the 401 for a key; None where the router lets it in."""
    admin, client = "X-Muxi-Admin-Key" in KEYS[key], "X-Muxi-Client-Key" in KEYS[key]
    if allowed(rule, key):
        return None
    if rule.level == "admin" or (rule.level != "client" and admin):
        return _key_text("admin", given=admin)
    if rule.level == "client" or client:
        return _key_text("client", given=client)
    return "A valid API key is required. Provide either 'X-Muxi-Admin-Key' or 'X-Muxi-Client-Key' header."


def _key_text(kind: str, *, given: bool) -> str:
    header = f"X-Muxi-{kind.capitalize()}-Key"
    if given:
        return f"Invalid {kind} API key. Please check your '{header}' header value."
    return f"A valid {kind} API key is required. Please provide the '{header}' header."


def test_the_texts_of_refused_keys_are_those_of_the_document() -> None:
    [line] = re.findall(r"- 401 texts: (.*)", TEXT)
    first, invalid, either = re.findall(r"`([^`]+)`", line)[:3]
    assert first == _key_text("admin", given=False)
    assert _key_text("admin", given=True).startswith(invalid.removesuffix("…"))
    assert str(refused_key(PLAIN[-1], "none")).startswith(either.removesuffix("…"))


def needs_user(rule: Rule, key: str) -> bool:
    """Whether the document wants a user of one who has this key."""
    return bool(rule.user) and (rule.user == "either" or "X-Muxi-Admin-Key" not in KEYS[key] or rule.level == "client")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_who_is_let_in(rule: Rule, key: str) -> None:
    status, envelope = Bench().send(rule, key=key, body=valid_body(rule))
    check_envelope(rule, status, envelope)
    refusal = refused_key(rule, key)
    if refusal is None and rule.level == "late admin" and key == "client":
        refusal = "Admin API key required for this endpoint"
    assert (status == 401) == (refusal is not None or rule.path == "/v1/memories/distilled")
    if refusal is not None:
        assert envelope
        assert envelope["error"] == {"code": "UNAUTHORIZED", "message": refusal, "data": None}


@pytest.mark.parametrize("key", ["client", "admin", "both"])
@pytest.mark.parametrize("user", [None, "", "  "])
@pytest.mark.parametrize("rule", [rule for rule in PLAIN if rule.user], ids=str)
def test_who_has_to_be_named(rule: Rule, key: str, user: str | None) -> None:
    if not allowed(rule, key):
        return
    status, envelope = Bench().send(rule, key=key, user=user, body=valid_body(rule))
    check_envelope(rule, status, envelope)
    missing = envelope is not None and not envelope["success"] and "X-Muxi-User-ID" in envelope["error"]["message"]
    assert missing is needs_user(rule, key)
    if missing:
        assert envelope
        when = " when using client API key" if rule.user != "either" and rule.level != "client" else ""
        assert (status, envelope["error"]["code"]) == (400, "INVALID_REQUEST")
        assert envelope["error"]["message"] == f"X-Muxi-User-ID header is required{when}"


@given(data=st.data(), key=st.sampled_from(sorted(KEYS)), user=st.sampled_from([None, " ", "ada"]))
def test_keys_are_refused_before_bodies_and_bodies_before_users(
    data: st.DataObject, key: str, user: str | None
) -> None:
    rule = data.draw(st.sampled_from(BODIES))
    body, wrong = data.draw(st.one_of(_bodies(rule), st.just((b"{", {"1": "invalid_json"}))))
    status, envelope = Bench().send(rule, key=key, user=user, body=body)
    check_envelope(rule, status, envelope)
    code = ((envelope or {}).get("error") or {}).get("code")
    if not allowed(rule, key):
        assert (status, code) == (401, "UNAUTHORIZED")
    elif wrong:
        assert (status, code) == (422, "INVALID_PARAMS")
        assert problems_of(envelope).keys() == wrong.keys()
    elif user != "ada" and needs_user(rule, key):
        assert (status, code) == (400, "INVALID_REQUEST")
    elif rule.level == "late admin" and key == "client":
        assert (status, code) == (401, "UNAUTHORIZED")
    else:
        assert status not in (401, 405)
        assert not problems_of(envelope)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.status and not rule.path.count("{")], ids=str)
def test_a_success_has_the_object_and_the_type_of_the_document(rule: Rule) -> None:
    status, envelope = Bench().send(rule, key="both", body=valid_body(rule))
    check_envelope(rule, status, envelope)
    if envelope and envelope.get("success") and rule.path != "/v1/health":
        assert (status, envelope["object"], envelope["type"]) in {
            (rule.status, rule.object, rule.type),
            *_other_successes(rule),
        }


def _other_successes(rule: Rule) -> set[tuple[int, str, str]]:
    """The further successes of a route, which the document lists after the first."""
    found = re.findall(r"(\d{3})[^.;\n]*?object `(\w+)`, type `([\w.]+)`", section(rule))
    return {(int(status), kind, name) for status, kind, name in found}


def _bodies(rule: Rule) -> st.SearchStrategy[tuple[dict[str, object], dict[str, str]]]:
    """Bodies, each with the problems that it has: the required fields, some others, and up to three that are wrong."""
    given = st.fixed_dictionaries(
        {each.name: st.sampled_from(each.right) for each in rule.body if each.required},
        optional={each.name: st.sampled_from(each.right) for each in rule.body if not each.required},
    )
    options = [
        st.tuples(st.just(each.name), st.sampled_from([*each.wrong, *([("", _MISSING)] if each.required else [])]))
        for each in rule.body
        if each.wrong or each.required
    ]
    faults = st.lists(st.one_of(options), max_size=3, unique_by=lambda fault: fault[0]) if options else st.just([])
    return st.tuples(given, faults).map(lambda drawn: _with_faults(*drawn))


def _with_faults(
    given: dict[str, object], faults: list[tuple[str, tuple[str, object]]]
) -> tuple[dict[str, object], dict[str, str]]:
    body, problems = {**given, "no_such_field": 5}, {}
    for name, (where, value) in faults:
        body.pop(name, None)
        if value is not _MISSING:
            body[name] = value
        problems[where or name] = "missing" if value is _MISSING else "wrong"
    return body, problems


_MISSING = object()
BODIES = [rule for rule in PLAIN if rule.body]


@pytest.mark.parametrize("rule", BODIES, ids=str)
@given(data=st.data())
def test_a_body_is_checked_field_by_field(rule: Rule, data: st.DataObject) -> None:
    body, wrong = data.draw(_bodies(rule))
    status, envelope = Bench().send(rule, key=key_of(rule), body=body)
    check_envelope(rule, status, envelope)
    problems = problems_of(envelope)
    assert {name: kind if kind == "missing" else "wrong" for name, kind in problems.items()} == wrong
    assert set(problems.values()) <= {"missing", "wrong_type", "invalid"}
    assert not wrong or status == 422


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", ("", "missing")),
        (b"[]", ("", "wrong_type")),
        (b'"x"', ("", "wrong_type")),
        (b"{", ("1", "invalid_json")),
        (b"{} x", ("3", "invalid_json")),
    ],
)
@pytest.mark.parametrize("rule", BODIES, ids=str)
def test_a_body_is_an_object_in_json(rule: Rule, body: bytes, problem: tuple[str, str]) -> None:
    status, envelope = Bench().send(rule, key=key_of(rule), body=body)
    check_envelope(rule, status, envelope)
    if body or not rule.body_optional:
        assert (status, problems_of(envelope)) == (422, dict([problem]))
    else:
        assert not problems_of(envelope)
    status, envelope = Bench().send(rule, key=key_of(rule), body=valid_body(rule), content_type="text/plain")
    assert (status, problems_of(envelope)) == (422, {"": "wrong_type"})


QUERIES = [(rule, each) for rule in PLAIN for each in rule.query]


@pytest.mark.parametrize(("rule", "each"), QUERIES, ids=lambda one: getattr(one, "name", str(one)))
def test_a_query_is_checked_by_its_type_and_bounds(rule: Rule, each: Parameter) -> None:
    key = key_of(rule)
    wrong = [str(value) for value in WRONG.get(each.type, ()) if isinstance(value, str)]
    if each.least is not None:
        wrong.append(str(each.least - 1))
    if each.most is not None:
        wrong.append(str(each.most + 1))
    for value in wrong:
        status, envelope = Bench().send(rule, key=key, query=f"?{each.name}={value}", body=valid_body(rule))
        assert status == 422, value
        assert f"query.{each.name}" in problems_of(envelope)
    for bound in (each.least, each.most):
        if bound is not None:
            status, envelope = Bench().send(rule, key=key, query=f"?{each.name}={bound}", body=valid_body(rule))
            assert not problems_of(envelope)
    status, envelope = Bench().send(rule, key=key, query="?no_such_parameter=x", body=valid_body(rule))
    assert not problems_of(envelope)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.query], ids=str)
def test_a_query_that_is_left_out_has_the_default_of_the_document(rule: Rule) -> None:
    [route] = [route for route in ROUTES if (route.method, route.path) == (rule.method, rule.path)]
    wanted = dict.fromkeys((each.name for each in rule.query), None)
    for name, value in re.findall(r"`(\w+)` \(query, \w+, default (\w+)", section(rule)):
        wanted[name] = json.loads(value.lower()) or None
    assert {field.name: field.default or None for field in route.query} == wanted


def _url(rule: Rule) -> str:
    return "http://memory" + re.sub(r"\{\w+\}", "x1", rule.path)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_other_methods_are_refused(rule: Rule) -> None:
    bench = Bench()
    there = {route.method for route in ROUTES if route.match(urlsplit(_url(rule)).path) is not None}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} - there:
        other = replace(rule, method=method, body=())
        status, envelope = bench.send(other, key="none")
        check_envelope(other, status, envelope)
        assert status == 405
        if method == "HEAD":
            assert envelope is None
        else:
            assert envelope
            refusal = {"code": "METHOD_NOT_ALLOWED", "message": "Method Not Allowed", "data": None}
            assert envelope["error"] == refusal


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.path.endswith("/")], ids=str)
def test_a_slash_at_the_end_leads_to_the_path_without(rule: Rule) -> None:
    response = Bench().transport.send(Request(rule.method, f"{_url(rule)}/?x=1", Headers()))
    assert (response.status, response.headers["location"], response.read()) == (307, f"{_url(rule)}?x=1", b"")


@pytest.mark.parametrize("rule", [rule for rule in RULES if "{" in rule.path], ids=str)
def test_an_encoded_slash_in_an_id_is_a_slash(rule: Rule) -> None:
    url = "http://memory" + re.sub(r"\{\w+\}", "a%2Fb", rule.path)
    response = Bench().transport.send(Request(rule.method, url, Headers(KEYS["both"])))
    there = any(route.match(unquote(urlsplit(url).path)) is not None for route in ROUTES)
    assert response.status == 404 or there


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_headers_of_an_answer(rule: Rule) -> None:
    bench = Bench()
    for key in ("none", "both"):
        body = BytesBody(json.dumps(valid_body(rule)).encode()) if rule.body else None
        sent = Headers({**KEYS[key], "X-Muxi-User-ID": "ada", "Content-Type": "application/json"})
        response = bench.transport.send(Request(rule.method, _url(rule), sent, body))
        names = [name.lower() for name, _ in response.headers.items()]
        kind = response.headers.get("content-type")
        response.close()
        if kind == "application/json":
            assert names == ["date", "server", "content-length", "content-type", "vary"]
        assert (response.headers["server"], response.headers["vary"]) == ("uvicorn", "Origin")


#: The routes that honour a key, each with a body that has it succeed.
KEYED: dict[str, dict[str, object]] = {
    "POST /v1/chat": {"message": "Hi", "stream": False},
    "POST /v1/triggers/{trigger_name}": {"data": {}, "use_async": False},
    "POST /v1/scheduler/jobs": {"type": "recurring", "schedule": "0 9 * * 1", "message": "x"},
}


def test_the_routes_that_honour_idempotency_keys_are_those_of_the_document() -> None:
    [line] = re.findall(r"Header `X-Muxi-Idempotency-Key`. Honoured on ([^.]+)\.", TEXT)
    found = {f"POST {path}" for path in re.findall(r"POST (/v1/[\w/{}]+)", line)}
    assert {path.replace("{name}", "{trigger_name}") for path in found} == KEYED.keys()


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.body], ids=str)
def test_an_idempotency_key_joins_calls_where_it_is_honoured(rule: Rule) -> None:
    bench = Bench()
    bench.formation.trigger("x1", "ping")
    honoured = KEYED.get(str(rule))
    key = "both" if rule.level == "late admin" else key_of(rule)

    def send(name: str, body: object = honoured or valid_body(rule), **more: Any) -> dict[str, Any] | None:
        return bench.send(rule, key=key, body=body, headers={"X-Muxi-Idempotency-Key": name}, **more)[1]

    first, second = send("k"), send("k")
    if first is None or second is None:
        return  # an event stream
    assert (first["request"] == second["request"]) is (honoured is not None)
    assert first["request"]["idempotency_key"] == ("k" if honoured else None)
    if honoured is None:
        return
    assert send("k", {**honoured, "no_such_field": 1}, query="?x=1") == first == second
    for other in (send("other"), send("k", user="bob"), send("k", user=None), send("")):
        assert other
        assert other["request"]["id"] != first["request"]["id"]
    assert send("refused", {}) != send("refused")
    assert send("refused") == send("refused", {**honoured, "no_such_field": 1})
