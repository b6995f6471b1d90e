"""The embedded formation follows the rules of ``formation.md``: requests are made from them, and answers checked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muxi.clock import ManualClock
from muxi.transport import BytesBody, Headers, Request
from muxi_transports.memory import EmbeddedFormation, MemoryTransport
from muxi_transports.memory.formation.routes import ROUTES
from tests.conftest import WIRE

TEXT = (WIRE / "formation.md").read_text("utf-8")
CLIENT, ADMIN = "fmc_rules", "fma_rules"

#: Values that do not have a type, by type.
WRONG: dict[str, list[object]] = {
    "string": [5, True, [], {}],
    "boolean": ["maybe", [], {}],
    "integer": ["x", [], {}],
    "number": ["x", [], {}],
    "object": ["x", 5, []],
    "array": ["x", 5, {}],
}
RIGHT: dict[str, object] = {
    "string": "x",
    "boolean": True,
    "integer": 1,
    "number": 1,
    "object": {},
    "array": [],
    "any": "x",
}


@dataclass(frozen=True)
class Parameter:
    """A field of a body, or a parameter of a query."""

    name: str
    type: str
    required: bool = False
    nullable: bool = False
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Rule:
    """What ``formation.md`` says of a route."""

    method: str
    path: str
    level: str
    user: str
    status: int
    object: str
    type: str
    query: tuple[Parameter, ...] = ()
    body: tuple[Parameter, ...] = field(default=())
    body_optional: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def rules() -> list[Rule]:
    """Every route of the document."""
    parts = re.split(r"(?m)^### (GET|POST|PUT|PATCH|DELETE) (/\S*)\n", TEXT)
    return [_rule(method, path, text) for method, path, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)]


def _rule(method: str, path: str, text: str) -> Rule:
    auth = re.search(r"- auth: \*\*(none|admin|client|either)( \(a client key passes)?", text)
    assert auth, path
    user = re.search(r"X-Muxi-User-ID needed with (either|the client) key", text)
    success = re.search(r"success (\d+): object `(\w+)`, type `([\w.]+)`", text)
    body = re.search(r"- body \(JSON object( \(whole body may be left out\))?[^:]*: (.*)", text)
    return Rule(
        method,
        path,
        "late admin" if auth[2] else auth[1],
        user[1] if user else "",
        int(success[1]) if success else 0,
        success[2] if success else "",
        success[3] if success else "",
        tuple(_parameters(text)),
        tuple(_fields(body[2])) if body else (),
        bool(body and body[1]),
    )


def _parameters(text: str) -> list[Parameter]:
    line = re.search(r"- parameters: (.*)", text)
    found = []
    for name, kind, rest in re.findall(r"`(\w+)` \(query, (\w+)([^)]*)\)", line[1] if line else ""):
        least, most = re.search(r">= (\d+)", rest), re.search(r"<= (\d+)", rest)
        found.append(Parameter(name, kind, least=int(least[1]) if least else None, most=int(most[1]) if most else None))
    return found


def _fields(line: str) -> list[Parameter]:
    found = []
    for name, kind, rest in re.findall(r"`(\w+)`: (\w+)([^;]*)", line):
        found.append(Parameter(name, kind, "required" in rest, "|null" in rest))
    return found


RULES = rules()
#: Routes whose bodies have rules of their own, which their notes have: errors of the body are 400 there.
OWN_BODIES = {"POST /v1/users/resolve", "POST /v1/memories/distilled"}
PLAIN = [rule for rule in RULES if str(rule) not in OWN_BODIES and rule.level != "none"]


def _codes() -> dict[tuple[int, str], str]:
    """The envelope's type of every status and code of the document's table."""
    table = TEXT.partition("| status | error.code | envelope type |")[2].partition("\n\n")[0]
    found = {}
    for status, codes, kind in re.findall(r"\| (\d+) \| ([^|]+) \| ([\w.]+) \|", table):
        for code in re.findall(r"[A-Z_]{4,}", codes):
            found[int(status), code] = kind
    return found


CODES = _codes()


class Bench:
    """Sends requests to a new formation."""

    def __init__(self) -> None:
        self.formation = EmbeddedFormation(client_key=CLIENT, admin_key=ADMIN, clock=ManualClock())
        self.transport = MemoryTransport(self.formation)

    def send(
        self, rule: Rule, *, key: str, user: str | None = "ada", query: str = "", body: object = None
    ) -> tuple[int, dict[str, Any] | None]:
        """The status, and the envelope of an answer that has one."""
        headers = Headers()
        if key in ("client", "both", "wrong client"):
            headers["X-Muxi-Client-Key"] = "wrong" if key == "wrong client" else CLIENT
        if key in ("admin", "both", "wrong admin"):
            headers["X-Muxi-Admin-Key"] = "wrong" if key == "wrong admin" else ADMIN
        if user is not None:
            headers["X-Muxi-User-ID"] = user
        content = None
        if rule.body and body is not None:
            headers["Content-Type"] = "application/json"
            content = BytesBody(json.dumps(body).encode())
        path = re.sub(r"\{\w+\}", "x1", rule.path)
        response = self.transport.send(Request(rule.method, f"http://memory{path}{query}", headers, content))
        try:
            kind = response.headers.get("content-type") or ""
            envelope = json.loads(response.read()) if kind == "application/json" else None
        finally:
            response.close()
        return response.status, envelope


def valid_body(rule: Rule) -> dict[str, object]:
    """The required fields of a body, each with a value of its type."""
    return {each.name: RIGHT[each.type] for each in rule.body if each.required}


def check_envelope(rule: Rule, status: int, envelope: dict[str, Any] | None) -> None:
    """What the document says of every answer."""
    if envelope is None or rule.path == "/v1/health":
        return
    assert list(envelope) == ["object", "timestamp", "type", "request", "success", "error", "data"]
    assert isinstance(envelope["timestamp"], int)
    assert envelope["request"]["id"].startswith("req_")
    assert isinstance(envelope["data"], dict)
    if envelope["success"]:
        assert status < 300 or status == 502
        assert envelope["error"] is None
        return
    assert (envelope["object"], envelope["data"]) == ("error", {})
    assert list(envelope["error"]) == ["code", "message", "data"]
    assert envelope["type"] == CODES[status, envelope["error"]["code"]]


def allowed(rule: Rule, key: str) -> bool:
    """Whether the router lets a key in: the admin's is looked at first where either will do."""
    if rule.level == "none":
        return True
    if rule.level == "client":
        return key in ("client", "both")
    if rule.level == "admin":
        return key in ("admin", "both")
    return key in ("client", "admin", "both")


KEYS = ("none", "client", "admin", "both", "wrong client", "wrong admin")


def test_the_document_and_the_formation_have_the_same_routes() -> None:
    assert len(RULES) == 105
    documented = {str(rule) for rule in RULES}
    assert documented - {f"{route.method} {route.path}" for route in ROUTES} == set()
    assert (len(BODIES), len(QUERIES)) > (20, 25)
    assert sum(bool(rule.user) for rule in RULES) > 25


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_who_is_let_in(rule: Rule, key: str) -> None:
    status, envelope = Bench().send(rule, key=key, body=valid_body(rule))
    check_envelope(rule, status, envelope)
    refused = not allowed(rule, key) or (rule.level == "late admin" and key == "client")
    if refused or status == 401:
        assert (status, refused or str(rule) in OWN_BODIES) == (401, True)
        assert envelope
        assert envelope["error"]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("key", ["client", "admin"])
@pytest.mark.parametrize("rule", [rule for rule in PLAIN if rule.user], ids=str)
def test_who_has_to_be_named(rule: Rule, key: str) -> None:
    if not allowed(rule, key):
        return
    status, envelope = Bench().send(rule, key=key, user=None, body=valid_body(rule))
    check_envelope(rule, status, envelope)
    needed = rule.user == "either" or key == "client"
    missing = envelope is not None and not envelope["success"] and "X-Muxi-User-ID" in envelope["error"]["message"]
    assert missing is needed
    assert not missing or status == 400


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
    section = TEXT.partition(f"### {rule}\n")[2].partition("\n### ")[0]
    found = re.findall(r"(\d{3})[^.;\n]*?object `(\w+)`, type `([\w.]+)`", section)
    return {(int(status), kind, name) for status, kind, name in found}


def _faults(rule: Rule) -> st.SearchStrategy[list[tuple[Parameter, object]]]:
    """Some fields, each with a value that it must not have; a field without one is missing."""
    options = [
        st.tuples(st.just(each), st.sampled_from([*WRONG.get(each.type, ()), *([_MISSING] if each.required else [])]))
        for each in rule.body
        if WRONG.get(each.type) or each.required
    ]
    return st.lists(st.one_of(options), max_size=3, unique_by=lambda fault: fault[0].name) if options else st.just([])


_MISSING = object()
BODIES = [rule for rule in PLAIN if rule.body]


@given(st.data())
def test_a_body_is_checked_field_by_field(data: st.DataObject) -> None:
    rule = data.draw(st.sampled_from(BODIES))
    faults = data.draw(_faults(rule))
    body = valid_body(rule)
    for each, value in faults:
        body.pop(each.name, None)
        if value is not _MISSING:
            body[each.name] = value
    key = "client" if rule.level in ("client", "either") else "admin"
    status, envelope = Bench().send(rule, key=key, body=body)
    check_envelope(rule, status, envelope)
    problems = _problems(envelope)
    if faults:
        assert status == 422
        assert {each.name for each, _ in faults} <= {name.split(".")[0] for name in problems}
        missing = {each.name for each, value in faults if value is _MISSING}
        assert {name for name, kind in problems.items() if kind == "missing"} == missing
    else:
        assert not problems


def _problems(envelope: dict[str, Any] | None) -> dict[str, str]:
    """The errors of a validation by field."""
    error = (envelope or {}).get("error") or {}
    if error.get("code") != "INVALID_PARAMS" or not (error.get("data") or {}).get("validation_errors"):
        return {}
    found = error["data"]["validation_errors"]
    assert error["message"] == f"Validation failed: {len(found)} error(s)"
    return {problem["field"]: problem["error"] for problem in found}


QUERIES = [(rule, each) for rule in PLAIN for each in rule.query]


@pytest.mark.parametrize(("rule", "each"), QUERIES, ids=lambda one: getattr(one, "name", str(one)))
def test_a_query_is_checked_by_its_type_and_bounds(rule: Rule, each: Parameter) -> None:
    key = "client" if rule.level in ("client", "either") else "admin"
    wrong = [str(value) for value in WRONG.get(each.type, ()) if isinstance(value, str)]
    if each.least is not None:
        wrong.append(str(each.least - 1))
    if each.most is not None:
        wrong.append(str(each.most + 1))
    for value in wrong:
        status, envelope = Bench().send(rule, key=key, query=f"?{each.name}={value}", body=valid_body(rule))
        assert status == 422, value
        assert f"query.{each.name}" in _problems(envelope)
    for bound in (each.least, each.most):
        if bound is not None:
            status, envelope = Bench().send(rule, key=key, query=f"?{each.name}={bound}", body=valid_body(rule))
            assert not _problems(envelope)
    status, envelope = Bench().send(rule, key=key, query="?no_such_parameter=x", body=valid_body(rule))
    assert not _problems(envelope)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_other_methods_and_slashes(rule: Rule) -> None:
    bench = Bench()
    methods = {other.method for other in RULES if other.path == rule.path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
        if any(route.method == method and route.match(re.sub(r"\{\w+\}", "x1", rule.path)) for route in ROUTES):
            continue
        other = Rule(method, rule.path, rule.level, rule.user, 0, "", "")
        status, envelope = bench.send(other, key="both")
        assert status == 405
        assert envelope
        assert envelope["error"]["code"] == "METHOD_NOT_ALLOWED"
    if not rule.path.endswith("/"):
        slashed = Rule(rule.method, rule.path + "/", rule.level, rule.user, 0, "", "")
        assert bench.send(slashed, key="both")[0] == 307
