"""The embedded server refuses what ``server.md`` says, in its words: signatures, routes, development, the proxy."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.desk import SERVER_MD, SIGNED, Desk, rows

KEY, SECRET = "muxi_pk_test", "muxi_sk_test"
NOW = 1_800_000_000

UNSIGNED = [re.findall(r'"message":"([^"]+)"', row[-1])[0] for row in rows("### HMAC auth")]
_FORMS = ("Bearer {}", "muxi-hmac {}", "MUXI-HMAC{}", "MUXI-HMAC {}, signature=", "Basic")


def _parts(method: str, path: str, *, key: str, timestamp: str, secret: str) -> list[str]:
    mac = hmac.new(secret.encode(), f"{timestamp};{method};{path}".encode(), hashlib.sha256)
    signature = base64.b64encode(mac.digest()).decode()
    return [f"key={key}", f"timestamp={timestamp}", f"signature={signature}"]


class Signing(NamedTuple):
    """A way to sign; each field may be wrong."""

    sent: bool
    form: str | None
    key: str
    timestamp: int | str
    secret: str
    order: list[int]

    def header(self, method: str, path: str) -> str:
        if not self.sent:
            return ""
        parts = _parts(method, path, key=self.key, timestamp=str(self.timestamp), secret=self.secret)
        text = ", ".join(parts[index] for index in self.order)
        return f"MUXI-HMAC {text}" if self.form is None else self.form.format(text)

    def refusal(self) -> str | None:
        """The first of the document's table that applies."""
        timely = isinstance(self.timestamp, int) and abs(self.timestamp - NOW) <= 300
        # Time in milliseconds overflows and passes; what is no 64-bit integer is none.
        overflows = isinstance(self.timestamp, int) and NOW + 2**63 / 1e9 < self.timestamp < 2**63
        applies = [
            not self.sent,
            self.form is not None,
            self.key != KEY,
            not timely and not overflows,
            self.secret != SECRET,
        ]
        return next((text for text, wrong in zip(UNSIGNED, applies, strict=True) if wrong), None)


_TIMES = [
    NOW,
    NOW - 295,
    NOW + 300,
    NOW * 1000,
    NOW - 301,
    NOW + 301,
    10**19,
    2**63,
    -NOW,
    "soon",
    "1e9",
    "1800000000.0",
]
_SIGNINGS = st.builds(
    Signing,
    st.sampled_from([True, True, True, False]),
    st.sampled_from([None, None, None, *_FORMS]),
    st.sampled_from([KEY, KEY, "muxi_pk_other"]),
    st.sampled_from(_TIMES),
    st.sampled_from([SECRET, SECRET, "other"]),
    st.permutations([0, 1, 2]),
)


@given(
    _SIGNINGS, st.sampled_from([("GET", "/rpc/formations"), ("POST", "/rpc/formations/a b/stop"), ("PUT", "/rpc/nope")])
)
def test_of_the_reasons_to_refuse_a_signature_the_first_is_given(signing: Signing, route: tuple[str, str]) -> None:
    method, path = route
    desk = Desk(key_id=KEY, secret_key=SECRET)
    url = path.replace(" ", "%20") + "?unsigned=1"
    answer = desk.send(method, url, Authorization=signing.header(method, path))
    refusal = signing.refusal()
    if path == "/rpc/nope":
        assert answer.status == 404
    elif refusal is None:
        assert answer.status != 401
    else:
        assert answer.text == f'{{"code":401,"error":"Unauthorized","message":"{refusal}"}}\n'
        assert answer.status == 401


_PUBLIC = ["/health", "/ping", "/docs"]
_RPC = ["/rpc/formations", "/rpc/formations/x", "/rpc/formations/x/stop", "/rpc/dev/run", "/rpc/server/status"]
_UNMATCHED = [
    *((404, "GET", path) for path in ("/", "/nope", "/rpc", "/rpc/", "/rpc/nope", "/api", "/api/", "/draft", "/mcp")),
    *((404, "GET", f"{path}/") for path in (*_PUBLIC, *_RPC)),
    *((405, method, path) for method in ("HEAD", "OPTIONS", "PATCH") for path in (*_PUBLIC, *_RPC)),
    *(
        (301, method, path)
        for method in ("GET", "OPTIONS")
        for path in ("//ping", "/rpc/../ping", "/api/x//y", "/./nope")
    ),
]


@pytest.mark.parametrize(("status", "method", "path"), _UNMATCHED)
@pytest.mark.parametrize("signed", [True, False])
def test_a_route_that_there_is_not_has_no_headers_of_one(status: int, method: str, path: str, *, signed: bool) -> None:
    answer = Desk().send(method, path, Authorization=SIGNED if signed else "")
    assert answer.status == status
    assert answer.text == ('{"error":"Not Found","message":"Endpoint not found","code":404}\n' if status == 404 else "")
    assert {"access-control-allow-origin", "allow", "etag", "x-request-id"}.isdisjoint(answer.headers)
    assert "date" in answer.headers


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("//ping?a=1&b=%2F", "/ping?a=1&b=%2F"),
        ("/api/x//a:b@c,d;e=f+g&$", "/api/x/a:b@c,d;e=f+g&$"),
        ("/api/x//%C3%BC %28", "/api/x/%C3%BC%20%28"),
        ("/api/x//%FF", "/api/x/%FF"),
    ],
)
def test_a_clean_path_is_spelt_as_the_server_s_language_spells_it(path: str, location: str) -> None:
    answer = Desk().send("GET", path.replace(" ", "%20"))
    assert (answer.status, answer.headers["location"]) == (301, location)


_DEVELOPMENT = SERVER_MD.partition("## 13.")[2].partition("\n## ")[0]
_DEV_CAUSES: dict[str, tuple[str, str, int]] = {
    "Invalid request body": ("run", "[]", 400),
    "Must provide either 'path' or 'formation_id'": ("run", "{}", 400),
    "Path must be absolute": ("run", '{"path":"bot"}', 400),
    "Directory not found: ..": ("run", '{"path":"/no/such/place","formation_id":"dev-app2"}', 400),
    "formation.afs not found in ..": ("run", '{"path":"EMPTY"}', 400),
    "Failed to parse formation config: ..": ("run", '{"formation_id":"no-text"}', 400),
    "Invalid muxi_runtime: ..": ("run", '{"formation_id":"bad-runtime"}', 400),
    "Missing formation_id": ("stop", "{}", 400),
    "Draft directory not found for formation no-draft": ("run", '{"formation_id":"no-draft"}', 404),
    "Draft formation no-draft not found": ("stop", '{"formation_id":"no-draft"}', 404),
    "Draft formation dev-app2 is already running on port 18202. Run 'muxi down' first.": (
        "run",
        '{"formation_id":"dev-app2"}',
        409,
    ),
    "Health check failed: Formation crashed during startup:\\n..": ("run", '{"formation_id":"dev-dies"}', 500),
}
_DEV_NOT_HERE = {
    "Failed to start formation: ..": "no process is started",
    "process with ID dev-app-draft already exists": "a defect of the recorded server",
}


def test_every_refusal_of_development_is_tried() -> None:
    texts = re.findall(r"`((?:[A-Z]|process |formation.afs )[^`{}]+)`", _DEVELOPMENT.partition("\nErrors ")[2])
    found = set(texts)
    assert found - _DEV_CAUSES.keys() == _DEV_NOT_HERE.keys()
    assert _DEV_CAUSES.keys() <= found


@pytest.mark.parametrize("text", _DEV_CAUSES)
def test_development_is_refused_in_the_words_of_the_document(text: str, tmp_path: Path) -> None:
    route, body, status = _DEV_CAUSES[text]
    desk = Desk()
    drafts = {
        "dev-app2": "id: dev-app2\ndescription: x\n",
        "no-text": "id: no-text\n",
        "bad-runtime": "id: bad-runtime\ndescription: x\nmuxi_runtime: banana\n",
        "dev-dies": "id: dev-dies\ndescription: x\n",
    }
    for name, content in drafts.items():
        for action in (
            {"action": "init", "mode": "new"},
            {"action": "write", "path": "formation.afs", "content": content},
        ):
            desk.post(f"/rpc/formations/{name}/draft/files", action)
    assert desk.post("/rpc/dev/run", {"formation_id": "dev-app2"}).status == 200
    desk.server.fail_starts("dev-dies", "no key")
    answer = desk.send("POST", f"/rpc/dev/{route}", body.replace("EMPTY", str(tmp_path)).encode())
    assert list(answer.json) == ["success", "formation_id", "port", "status", "error"]
    assert (answer.status, answer.json["success"], answer.json["port"], answer.json["status"]) == (status, False, 0, "")
    error = re.sub(r"port \d+", "port 18202", answer.json["error"]).replace("\n", "\\n")
    assert error.startswith(text.removesuffix("..")) if text.endswith("..") else error == text


@pytest.mark.parametrize("value", ["0", "1", "false", "[]", "{}", "1.5"])
@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/rpc/dev/run", ("path", "formation_id")),
        ("/rpc/dev/stop", ("formation_id",)),
        ("/rpc/formations/my-bot/draft/files", ("action", "mode", "path", "content", "encoding")),
    ],
)
def test_what_has_to_be_a_text_is_one(path: str, names: tuple[str, ...], value: str) -> None:
    for name in names:
        answer = Desk().send("POST", path, f'{{"{name}":{value}}}'.encode())
        assert answer.status == 400
        assert "Invalid request body" in answer.text or '"error":"InvalidJSON"' in answer.text


def test_what_is_no_text_becomes_a_replacement_character() -> None:
    desk = Desk()
    desk.draft({"action": "init", "mode": "new"})
    desk.draft('{"action":"write","path":"x","content":"a\\ud800b"}')
    assert desk.draft({"action": "read", "path": "x"}).json["data"]["content"] == "a\ufffdb"
    assert desk.draft('{"action":"read","path":"\\udcff"}').json["message"] == "File not found: \ufffd"


def test_base64_may_have_line_ends() -> None:
    desk = Desk()
    desk.draft({"action": "init", "mode": "new"})
    written = desk.draft({"action": "write", "path": "x", "content": "aGV\nsbG8=\r\n", "encoding": "base64"})
    assert (written.status, written.json["data"]["size"]) == (200, 5)
    assert desk.draft({"action": "read", "path": "x"}).json["data"]["content"] == "hello"


_IDS = st.text(st.characters(codec="utf-8", exclude_characters="/.%?#\0"), min_size=1, max_size=8).filter(str.strip)


@given(_IDS, st.sampled_from(["api", "draft", "mcp"]), st.sampled_from(["GET", "POST", "PATCH"]))
def test_an_unknown_id_is_named_as_it_came(formation_id: str, kind: str, method: str) -> None:
    answer = Desk().send(method, f"/{kind}/{quote(formation_id)}/v1/health", X_Muxi_SDK="python/0.1.0")
    noun = "Draft formation" if kind == "draft" else "Formation"
    message = f"No {noun[0].lower()}{noun[1:]} with id '{formation_id}'"
    assert answer.text == f'{{"error": "{noun} not found", "message": "{message}", "code": 404}}'
    assert answer.status == 404
    assert answer.headers.get("x-muxi-sdk-latest") == (None if kind == "mcp" else "0.1.0")


@pytest.mark.parametrize("kind", ["api", "draft", "mcp"])
def test_an_id_that_is_no_utf_8_is_named_as_it_came(kind: str) -> None:
    answer = Desk().send("GET", f"/{kind}/%FF/v1/health")
    assert (answer.status, "with id '\ufffd'" in answer.text) == (404, True)
