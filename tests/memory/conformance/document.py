"""The rules of ``formation.md``, read from the document, and a bench that sends requests by them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from muxi.clock import ManualClock
from muxi.transport import BytesBody, Headers, Request
from muxi_transports.memory import EmbeddedFormation, MemoryTransport
from tests.conftest import WIRE

__all__ = [
    "ADMIN",
    "CLIENT",
    "KEYS",
    "PLAIN",
    "RULES",
    "TEXT",
    "WRONG",
    "Bench",
    "Parameter",
    "Rule",
    "allowed",
    "check_envelope",
    "key_of",
    "problems_of",
    "section",
    "valid_body",
]

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
    "UIResponseHint": ["x", 5, []],
}
RIGHT: dict[str, object] = {
    "string": "x",
    "boolean": True,
    "integer": 1,
    "number": 1,
    "object": {},
    "array": [],
    "any": "x",
    "UIResponseHint": {"id": "x", "value": 1},
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
    #: The type of the items of an array; empty where there is none.
    items: str = ""

    @property
    def wrong(self) -> list[tuple[str, object]]:
        """Values that it must not have, each with the field that the problem is reported of."""
        found = [(self.name, value) for value in WRONG.get(self.type, ())]
        if not self.nullable:
            found.append((self.name, None))
        if self.items not in ("", "any"):
            found.append((f"{self.name}.0", [5]))
        return found

    @property
    def right(self) -> list[object]:
        """Values that it may have."""
        return [RIGHT[self.type], *([None] if self.nullable else [])]


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
    for name, kind, items, rest in re.findall(r"`(\w+)`: (\w+)(?:<(\w+)>)?([^;]*)", line):
        found.append(Parameter(name, kind, "required" in rest, "|null" in rest, items=items))
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


#: The headers of each variant of keys.
KEYS: dict[str, dict[str, str]] = {
    "none": {},
    "client": {"X-Muxi-Client-Key": CLIENT},
    "admin": {"X-Muxi-Admin-Key": ADMIN},
    "both": {"X-Muxi-Client-Key": CLIENT, "X-Muxi-Admin-Key": ADMIN},
    "wrong client": {"X-Muxi-Client-Key": "wrong"},
    "wrong admin": {"X-Muxi-Admin-Key": "wrong"},
    "client as admin": {"X-Muxi-Admin-Key": CLIENT},
    "admin as client": {"X-Muxi-Client-Key": ADMIN},
    "wrong admin beside client": {"X-Muxi-Client-Key": CLIENT, "X-Muxi-Admin-Key": "wrong"},
    "bearer": {"Authorization": f"Bearer {CLIENT}"},
}


class Bench:
    """Sends requests to a new formation."""

    def __init__(self) -> None:
        self.formation = EmbeddedFormation(client_key=CLIENT, admin_key=ADMIN, clock=ManualClock())
        self.transport = MemoryTransport(self.formation)

    def send(
        self,
        rule: Rule,
        *,
        key: str,
        user: str | None = "ada",
        query: str = "",
        body: object = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any] | None]:
        """The status, and the envelope of an answer that has one. A body of bytes is sent as it is."""
        sent = Headers({**KEYS[key], **(headers or {})})
        if user is not None:
            sent["X-Muxi-User-ID"] = user
        content = None
        if rule.body and body is not None:
            sent["Content-Type"] = content_type
            content = BytesBody(body if isinstance(body, bytes) else json.dumps(body).encode())
        path = re.sub(r"\{\w+\}", "x1", rule.path)
        response = self.transport.send(Request(rule.method, f"http://memory{path}{query}", sent, content))
        try:
            kind = response.headers.get("content-type") or ""
            envelope = json.loads(response.read() or b"null") if kind == "application/json" else None
        finally:
            response.close()
        return response.status, envelope


def section(rule: Rule) -> str:
    """What the document says of a route."""
    return TEXT.partition(f"### {rule}\n")[2].partition("\n### ")[0]


def key_of(rule: Rule) -> str:
    """A key that the route takes."""
    return "client" if rule.level in ("client", "either") else "admin"


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
        return key in ("client", "both", "wrong admin beside client")
    if rule.level == "admin":
        return key in ("admin", "both")
    return key in ("client", "admin", "both")


def problems_of(envelope: dict[str, Any] | None) -> dict[str, str]:
    """The errors of a validation by field."""
    error = (envelope or {}).get("error") or {}
    if error.get("code") != "INVALID_PARAMS" or not (error.get("data") or {}).get("validation_errors"):
        return {}
    found = error["data"]["validation_errors"]
    assert error["message"] == f"Validation failed: {len(found)} error(s)"
    return {problem["field"]: problem["error"] for problem in found}
