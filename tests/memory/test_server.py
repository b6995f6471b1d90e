"""The embedded server: signatures, routing, and the life of its formations."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from muxi.clock import ManualClock
from muxi.errors import ConfigurationError
from muxi.transport import BufferedResponse, BytesBody, Headers, IterableBody, Request, Timeouts
from muxi_transports.memory import EmbeddedFormation, EmbeddedServer, MemoryTransport

KEY, SECRET = "muxi_pk_test", "muxi_sk_test"
AFS = "id: my-bot\ndescription: A bot  # for tests\nversion: 1.0.0\nname: 'My Bot'\n"

Send = Callable[[EmbeddedServer, Request], BufferedResponse]


def sign(method: str, path: str, *, now: float, key: str = KEY, secret: str = SECRET) -> str:
    timestamp = int(now)
    digest = hmac.new(secret.encode(), f"{timestamp};{method};{path}".encode(), hashlib.sha256).digest()
    return f"MUXI-HMAC key={key}, timestamp={timestamp}, signature={base64.b64encode(digest).decode()}"


def bundle(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO(content.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)


@pytest.fixture
def server(clock: ManualClock) -> EmbeddedServer:
    server = EmbeddedServer(key_id=KEY, secret_key=SECRET, clock=clock)
    server.add(EmbeddedFormation("my-assistant", clock=clock, name="Assistant"))
    return server


@pytest.fixture
def rpc(server: EmbeddedServer, send: Send) -> Callable[..., BufferedResponse]:
    """Send a signed request, on every front."""

    def call(method: str, path: str, *, body: bytes | None = None, **headers: str) -> BufferedResponse:
        return send(server, signed(server, method, path, body, headers))

    return call


def signed(
    server: EmbeddedServer, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Request:
    request = Request(method, f"http://memory{path}", Headers(headers or {}))
    request.headers["Authorization"] = sign(method, request.path, now=server.clock.time())
    request.body = None if body is None else BytesBody(body)
    return request


def deploy(server: EmbeddedServer, content: bytes, formation_id: str = "my-bot", **headers: str) -> BufferedResponse:
    sent = {"Content-Type": "application/gzip", "X-Formation-ID": formation_id, **headers}
    request = signed(server, "POST", "/rpc/formations", content, sent)
    response = MemoryTransport(server).send(request)
    return BufferedResponse(response.status, response.headers, response.read())


def failure(response: BufferedResponse) -> tuple[int, str]:
    payload = json.loads(response.content)
    assert response.content.endswith(b"\n")
    assert payload["code"] == response.status
    return response.status, payload["message"]


def data(response: BufferedResponse, status: int = 200) -> dict[str, Any]:
    assert response.status == status, response.content
    payload = json.loads(response.content)
    assert payload["success"] is True
    found: dict[str, Any] = payload["data"]
    return found


def test_the_public_routes_need_no_signature(server: EmbeddedServer, send: Send) -> None:
    ping = send(server, Request("GET", "http://memory/ping"))
    assert (ping.content, ping.headers["content-type"]) == (b"pong", "text/plain")
    health = send(server, Request("GET", "http://memory/health"))
    assert health.content == b'{"success":true,"status":"ok","version":"0.20260514.1"}'
    assert health.headers["access-control-allow-origin"] == "*"


NOW = 1_800_000_000
GOOD = sign("GET", "/rpc/formations", now=NOW)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "Missing authorization header"),
        (GOOD.replace("MUXI-HMAC", "muxi-hmac"), "Invalid authorization header format"),
        (GOOD.replace(", ", ","), "Invalid authorization header format"),
        (GOOD.split(", signature")[0], "Invalid authorization header format"),
        ("Bearer x", "Invalid authorization header format"),
        (GOOD.replace(KEY, "muxi_pk_other"), "Invalid key"),
        (GOOD.replace(str(NOW), "soon"), "Request expired (timestamp too old or in future)"),
        (sign("GET", "/rpc/formations", now=NOW - 301), "Request expired (timestamp too old or in future)"),
        (sign("GET", "/rpc/formations", now=NOW + 301), "Request expired (timestamp too old or in future)"),
        (sign("POST", "/rpc/formations", now=NOW), "Invalid signature"),
        (sign("GET", "/rpc/formations", now=NOW, secret="other"), "Invalid signature"),
        (sign("GET", "/rpc/formations?x=1", now=NOW), "Invalid signature"),
    ],
)
def test_a_request_that_is_not_signed_well_is_refused(
    server: EmbeddedServer, send: Send, header: str | None, message: str
) -> None:
    headers = Headers({"Authorization": header} if header else {})
    response = send(server, Request("GET", "http://memory/rpc/formations?x=1", headers))
    body = {"code": 401, "error": "Unauthorized", "message": message}
    assert response.status == 401
    assert response.content == json.dumps(body, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("now", [NOW, NOW - 295, NOW + 295, NOW * 1000])
def test_a_good_signature_passes_and_passes_again(server: EmbeddedServer, now: float) -> None:
    headers = Headers({"Authorization": sign("GET", "/rpc/formations", now=now)})
    for _ in range(2):
        assert MemoryTransport(server).send(Request("GET", "http://memory/rpc/formations?x=1", headers)).status == 200


def test_the_parts_of_a_signature_come_in_any_order(server: EmbeddedServer) -> None:
    scheme, _, parts = GOOD.partition(" ")
    header = f"{scheme} {', '.join(reversed(parts.split(', ')))}"
    request = Request("GET", "http://memory/rpc/formations", Headers({"Authorization": header}))
    assert MemoryTransport(server).send(request).status == 200


def test_the_decoded_path_is_signed(server: EmbeddedServer) -> None:
    url = "http://memory/rpc/formations/a%20b"
    for path, status in (("/rpc/formations/a b", 404), ("/rpc/formations/a%20b", 401)):
        headers = Headers({"Authorization": sign("GET", path, now=NOW)})
        assert MemoryTransport(server).send(Request("GET", url, headers)).status == status


def test_a_server_without_keys_takes_any_signature() -> None:
    server = EmbeddedServer(clock=ManualClock())
    for header, status in (("MUXI-HMAC key=a, timestamp=1800000000, signature=b", 200), ("", 401)):
        request = Request("GET", "http://memory/rpc/formations", Headers({"Authorization": header}))
        assert MemoryTransport(server).send(request).status == status
    with pytest.raises(ConfigurationError, match="together"):
        EmbeddedServer(key_id="only")


@pytest.mark.parametrize("path", ["/rpc/nope", "/rpc/", "/health/", "/rpc/formations/", "/api", "/api/", "/draft"])
def test_an_unknown_path_is_not_found(rpc: Callable[..., BufferedResponse], path: str) -> None:
    response = rpc("GET", path)
    assert response.content == b'{"error":"Not Found","message":"Endpoint not found","code":404}\n'
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [("HEAD", "/health"), ("OPTIONS", "/rpc/formations"), ("PUT", "/ping"), ("GET", "/rpc/formations/x/stop")],
)
def test_a_wrong_method_is_405_and_empty(server: EmbeddedServer, send: Send, method: str, path: str) -> None:
    response = send(server, Request(method, f"http://memory{path}"))
    assert (response.status, response.content, response.headers["content-length"]) == (405, b"", "0")
    assert "allow" not in response.headers


@pytest.mark.parametrize(
    ("path", "clean"), [("//ping", "/ping"), ("/rpc/../ping?x=1", "/ping?x=1"), ("/api/x//v1/", "/api/x/v1/")]
)
def test_a_path_is_cleaned_by_a_redirect(server: EmbeddedServer, path: str, clean: str) -> None:
    response = MemoryTransport(server).send(Request("GET", f"http://memory{path}"))
    assert (response.status, response.headers["location"], response.read()) == (301, clean, b"")


def test_formations_are_listed(rpc: Callable[..., BufferedResponse], clock: ManualClock) -> None:
    clock.advance(4.5)
    listed = data(rpc("GET", "/rpc/formations"))
    assert listed["total"] == 1
    (item,) = listed["formations"]
    digest = item["version"].pop("current")
    assert len(digest) == 64
    assert item == {
        "id": "my-assistant",
        "name": "Assistant",
        "port": 18200,
        "status": "running",
        "pid": 20768,
        "uptime": 4,
        "restart_count": 0,
        "healthy": True,
        "version": {"semantic": "1.0.0"},
    }


def test_one_formation_is_described_with_sorted_keys(rpc: Callable[..., BufferedResponse], clock: ManualClock) -> None:
    clock.advance(4.25)
    found = data(rpc("GET", "/rpc/formations/my-assistant"))
    assert list(found) == sorted(found)
    assert (found["created_at"], found["last_health_check"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:00:04.25Z")
    assert set(found["version"]) == {"current"}
    assert failure(rpc("GET", "/rpc/formations/none")) == (404, "Formation not found")


def test_a_formation_is_stopped_started_and_restarted(rpc: Callable[..., BufferedResponse]) -> None:
    path = "/rpc/formations/my-assistant"
    message = "Formation is already running"
    assert failure(rpc("POST", f"{path}/start")) == (409, message)
    stopped = data(rpc("POST", f"{path}/stop"))
    assert stopped == {"id": "my-assistant", "message": "Formation stopped successfully", "status": "stopped"}
    assert failure(rpc("POST", f"{path}/stop")) == (409, "Formation is already stopped")
    found = data(rpc("GET", path))
    assert (found["status"], found["pid"], found["uptime"], found["healthy"]) == ("stopped", 0, 0, False)
    started = data(rpc("POST", f"{path}/start"))
    assert started == {"id": "my-assistant", "message": "Formation started", "port": 18201, "status": "running"}
    restarted = data(rpc("POST", f"{path}/restart"))
    assert (restarted["port"], restarted["restart_count"]) == (18202, 1)
    assert failure(rpc("POST", "/rpc/formations/none/restart")) == (404, "Formation not found")


def test_a_formation_is_deleted(rpc: Callable[..., BufferedResponse]) -> None:
    deleted = data(rpc("DELETE", "/rpc/formations/my-assistant"))
    assert deleted == {"id": "my-assistant", "message": "Formation deleted successfully"}
    assert failure(rpc("DELETE", "/rpc/formations/my-assistant")) == (404, "Formation not found")


def test_a_bundle_is_deployed(rpc: Callable[..., BufferedResponse], server: EmbeddedServer) -> None:
    content = bundle({"bot/formation.afs": AFS, "bot/agents/a.afs": "id: a\n"})
    headers = {"Content-Type": "application/gzip", "X-Formation-ID": "my-bot"}
    deployed = data(rpc("POST", "/rpc/formations", body=content, **headers), 201)
    assert deployed == {
        "formation_id": "my-bot",
        "port": 18201,
        "status": "running",
        "url": "http://localhost:7890/api/my-bot",
        "health_url": "http://localhost:18201/v1/health",
        "pid": 20769,
    }
    listed = data(rpc("GET", "/rpc/formations"))["formations"][1]
    assert (listed["name"], listed["version"]["current"]) == ("My Bot", hashlib.sha256(content).hexdigest())
    formation = server.find("my-bot")
    assert formation is not None
    assert formation.description == "A bot"
    again = rpc("POST", "/rpc/formations", body=content, **headers)
    assert failure(again) == (409, "Formation 'my-bot' already exists. Use PUT to update.")


@pytest.mark.parametrize("name", ["./formation.afs", "bot/formation.yaml", "bot/formation.yml"])
def test_a_bundle_has_its_configuration_below_one_directory(server: EmbeddedServer, name: str) -> None:
    assert deploy(server, bundle({name: AFS})).status == 201


NO_CONFIG = (
    "Failed to find formation config: no formation config file found "
    "(tried: [formation.afs formation.yaml formation.yml])"
)
NO_GZIP = "Failed to extract bundle: failed to create gzip reader: "
NO_SECRETS = "formation references secrets ([OPENAI]) but 'secrets.enc' file not found - encrypted secrets are required"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", NO_GZIP + "EOF"),
        (b"\x1f\x8b", NO_GZIP + "unexpected EOF"),
        (b"this is no gzip at all", NO_GZIP + "gzip: invalid header"),
        (bundle({"bot/formation.afs": AFS})[:-20], None),
        (bundle({"../evil": "x"}), "Failed to extract bundle: invalid file path in archive: ../evil"),
        (bundle({"./": "", "./formation.afs": AFS}), "Failed to extract bundle: invalid file path in archive: ./"),
        (bundle({"formation.afs": AFS}), NO_CONFIG),
        (bundle({"bot/readme": "", "other/formation.afs": AFS}), NO_CONFIG),
        (bundle({}), NO_CONFIG),
        (
            bundle({"bot/formation.afs": "id: my-bot\n"}),
            "Failed to parse formation config: formation config must have a 'description' field",
        ),
        (
            bundle({"bot/formation.afs": "description: x\n"}),
            "Failed to parse formation config: formation config must have an 'id' field",
        ),
        (bundle({"bot/formation.afs": AFS + "llm:\n  key: ${{ secrets.OPENAI }}\n"}), NO_SECRETS),
        (
            bundle({"bot/formation.afs": AFS.replace("my-bot", "other")}),
            "Formation ID mismatch: expected 'my-bot' but config contains 'other'",
        ),
        (
            bundle({"bot/formation.afs": AFS.replace("1.0.0", "2.0.0")}),
            "Formation version mismatch: expected '1.0.0' but config contains '2.0.0'",
        ),
        (
            bundle({"bot/formation.afs": AFS + "muxi_runtime: latest:gpu\n"}),
            'invalid muxi_runtime variant "gpu" in "latest:gpu": allowed variants are "cuda", "lean", "pytorch"',
        ),
        (bundle({"bot/formation.afs": AFS + "muxi_runtime: banana\n"}), None),
    ],
)
def test_a_bundle_that_is_no_good_is_refused_and_leaves_nothing(
    server: EmbeddedServer, content: bytes, message: str | None
) -> None:
    status, found = failure(deploy(server, content))
    assert status == 400
    assert message is None or found == message
    assert server.find("my-bot") is None
    assert deploy(server, bundle({"bot/formation.afs": AFS})).status == 201


def test_secrets_that_are_there_are_accepted(server: EmbeddedServer) -> None:
    files = {"bot/formation.afs": AFS + "key: ${{ secrets.OPENAI }}\n", "bot/secrets.enc": "x"}
    assert deploy(server, bundle(files)).status == 400
    assert deploy(server, bundle({**files, "bot/.key": "x"})).status == 201


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            {"Content-Type": "application/json"},
            "Invalid Content-Type. Expected application/gzip with a formation bundle (tar.gz)",
        ),
        (
            {"X-Formation-ID": ""},
            "Missing X-Formation-ID header. Provide the formation ID for early conflict detection.",
        ),
        ({"X-Formation-ID": "ab"}, "Invalid X-Formation-ID: formation ID must be 3-50 characters"),
        (
            {"X-Formation-ID": "My-Bot"},
            "Invalid X-Formation-ID: formation ID must contain only lowercase letters, numbers, and hyphens",
        ),
        ({"X-Formation-ID": "api"}, 'Invalid X-Formation-ID: formation ID "api" is reserved'),
    ],
)
def test_a_refusal_comes_before_the_body_is_read(server: EmbeddedServer, headers: dict[str, str], message: str) -> None:
    request = signed(server, "POST", "/rpc/formations")
    for name, value in {"Content-Type": "application/gzip", "X-Formation-ID": "my-bot", **headers}.items():
        request.headers[name] = value

    def unread() -> list[bytes]:
        raise AssertionError("the body was read")

    request.body = IterableBody(unread)
    response = MemoryTransport(server).send(request)
    assert failure(BufferedResponse(response.status, response.headers, response.read())) == (400, message)


def test_starting_takes_its_time_and_does_not_need_its_client(clock: ManualClock) -> None:
    server = EmbeddedServer(clock=clock, key_id=KEY, secret_key=SECRET, startup_seconds=30)
    headers = {"Content-Type": "application/gzip", "X-Formation-ID": "my-bot"}
    request = signed(server, "POST", "/rpc/formations", bundle({"bot/formation.afs": AFS}), headers)
    request.timeouts = Timeouts(total=10)
    with pytest.raises(TimeoutError):
        MemoryTransport(server).send(request)

    def found() -> dict[str, Any]:
        payload = json.loads(MemoryTransport(server).send(signed(server, "GET", "/rpc/formations/my-bot")).read())
        described: dict[str, Any] = payload["data"]
        return described

    assert (found()["status"], found()["healthy"]) == ("starting", None)
    starting = MemoryTransport(server).send(Request("GET", "http://memory/api/my-bot/v1/health"))
    assert starting.status == 503
    assert b"is not running (status: starting)" in starting.read()
    clock.advance(20)
    assert (found()["status"], found()["healthy"]) == ("running", True)


def test_a_formation_lives_in_the_time_of_its_server(clock: ManualClock) -> None:
    with pytest.raises(ConfigurationError, match=r"clock=server\.clock"):
        EmbeddedServer().add(EmbeddedFormation("other-time", clock=clock))
    EmbeddedServer().add(EmbeddedFormation())


def test_what_matters_to_html_is_escaped(server: EmbeddedServer) -> None:
    content = bundle({"bot/formation.afs": AFS.replace("'My Bot'", "A & B <ä>")})
    assert deploy(server, content).status == 201
    listed = MemoryTransport(server).send(signed(server, "GET", "/rpc/formations")).read()
    assert "A \\u0026 B \\u003cä\\u003e".encode() in listed
