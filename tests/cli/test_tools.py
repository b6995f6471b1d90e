"""The tools: ``doctor``, ``plugins``, ``transports``, ``webhooks``, ``cassette``, ``audit``, ``completion``, …"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient
from muxi.cli.checks import check_network
from muxi.cli.webhook_receiver import forward, read_webhook
from muxi.hooks import installed
from muxi.plugins import AuditTrail
from muxi.webhook import sign
from muxi_transports.memory import EmbeddedFormation, MemoryTransport, Served
from tests.cli.conftest import Running
from tests.cli.terminal import Terminal

WEBHOOK = b'{"request_id": "req_1", "status": "completed", "timestamp": 1, "formation_id": "bot", "response": []}'


def checks(done: Any) -> dict[str, dict[str, str]]:
    """The last check of each name."""
    return {check["name"]: check for check in json.loads(done.out)}


def test_the_doctor_finds_everything_well(terminal: Terminal, connected: Served) -> None:
    done = terminal("doctor", "--json")
    found = checks(done)
    assert done.code == 0, done.out
    assert {"distribution", "python", "plugins", "transports", "settings", "route", "name", "connection"} <= set(found)
    assert {found[name]["verdict"] for name in ("server", "formation", "key", "clock")} == {"ok"}
    assert found["address"]["verdict"] == "warning", "plain http on loopback"
    assert "_secret" not in done.out
    assert "fmc_cli" not in done.out
    lines = terminal("doctor").out
    assert "ok      settings: client_key = sha256:" in lines
    assert ", from MUXI_CLIENT_KEY" in lines


@pytest.mark.parametrize(
    ("variable", "value", "name", "found"),
    [
        ("MUXI_CLIENT_KEY", "fmc_wrong", "key", "client_key sha256:"),
        ("MUXI_SECRET_KEY", "muxi_sk_wrong", "key", "key_id muxi_pk_cli is refused"),
        ("MUXI_SERVER_URL", "http://127.0.0.1:9", "connection", "127.0.0.1:9: Connection refused"),
        ("MUXI_SERVER_URL", "http://no-such-host.invalid", "name", "no-such-host.invalid is not known"),
        ("MUXI_PROFILE", "nope", "settings", "there is no profile 'nope'"),
        ("MUXI_TRANSPORT", "nope", "transports", "MUXI_TRANSPORT=nope names none"),
    ],
)
def test_the_doctor_names_what_is_wrong_and_what_to_do(
    terminal: Terminal, connected: Served, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, name: str,
    found: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value)
    done = terminal("doctor", "--json")
    assert done.code == 1
    failed = [check for check in json.loads(done.out) if check["verdict"] == "failed" and check["name"] == name]
    assert any(found in check["found"] and check["remedy"] for check in failed), done.out
    assert "_wrong" not in done.out + done.err


@pytest.mark.parametrize("case", ["trusted", "ends soon", "unknown authority"])
def test_a_certificate_is_checked_to_its_end(case: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    if case != "unknown authority":
        authority.cert_pem.write_to_path("ca.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(Path("ca.pem").resolve()))
    ends = datetime.now(timezone.utc) + timedelta(days=3 if case == "ends soon" else 300)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", not_after=ends).configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://localhost:{listening.getsockname()[1]}"
        found = {check.name: check for check in check_network("server", url)}["certificate"]
        thread.join()
    assert (found.verdict, bool(found.remedy)) == {
        "trusted": ("ok", False),
        "ends soon": ("warning", True),
        "unknown authority": ("failed", True),
    }[case], found


def test_plugins_and_transports_are_listed(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muxi.registry._registered", {})  # what other tests have registered in this process
    rows = json.loads(terminal("plugins", "list", "-o", "json").out)
    on = [row["name"] for row in rows if row["state"] == "on"]
    assert on[-1] == "muxi.auth"
    assert {"muxi.retry", "muxi.log"} < set(on)
    assert any(row["state"] == "available: muxi.plugins.AuditTrail" for row in rows)
    assert "muxi_retry_delay" in terminal("plugins", "show", "muxi.retry", "-o", "json").out
    missing = terminal("plugins", "show", "muxi.rety")
    assert (missing.code, "did you mean 'muxi.retry'?" in missing.err) == (4, True)
    assert terminal("transports", "list", "-o", "name").out.split() == ["aiohttp", "memory", "requests", "urllib3"]
    route = json.loads(terminal("transports", "show", "requests", "--to", "http://127.0.0.1:1", "-o", "json").out)
    assert "directly" in route["route"]
    assert terminal("transports", "show", "carrier-pigeon").code == 4


class BrokenPoint:
    """An entry point whose plugin cannot be loaded."""

    name = "acme.broken"
    value = "acme:PLUGIN"
    dist = None

    def load(self) -> object:
        raise ImportError("no module named acme")


def test_a_plugin_that_does_not_load_is_reported_and_breaks_no_command(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "entry_points", lambda: (BrokenPoint(),))
    done = terminal("doctor", "--json")
    assert done.code == 1
    assert any(check["verdict"] == "failed" and "acme.broken" in check["found"] for check in json.loads(done.out))
    listed = terminal("plugins", "list", "-o", "json")
    assert listed.code == 0, listed.err
    assert "acme.broken" in listed.out


def test_a_webhook_is_signed_and_verified(terminal: Terminal, connected: Served) -> None:
    Path("hook.json").write_bytes(WEBHOOK)
    signature = terminal("webhooks", "sign", "hook.json").out.strip()
    verified = terminal("webhooks", "verify", "hook.json", "--signature", signature)
    assert verified.code == 0, verified.err
    assert json.loads(verified.out)["request_id"] == "req_1"
    Path("hook.json").write_bytes(WEBHOOK.replace(b"req_1", b"req_2"))
    refused = terminal("webhooks", "verify", "hook.json", "--signature", signature)
    assert (refused.code, refused.out) == (3, "")


def test_webhooks_need_a_key(terminal: Terminal) -> None:
    done = terminal("webhooks", "sign", given="{}")
    assert (done.code, "MUXI_ADMIN_KEY" in done.err) == (2, True)


def test_a_webhook_is_read_with_its_verdict() -> None:
    signature = sign(WEBHOOK, "fma_key", int(time.time()))
    assert read_webhook(WEBHOOK, signature, "fma_key")[0] == "genuine"
    assert read_webhook(WEBHOOK, signature, None)[0] == "not verified"
    verdict, event = read_webhook(WEBHOOK, "t=1,v1=00", "fma_key")
    assert verdict.startswith("refused: ")
    assert event is not None
    assert read_webhook(b"nonsense", None, "fma_key")[1] is None


class Receiver(BaseHTTPRequestHandler):
    """Receives what is sent on."""

    received: list[tuple[dict[str, str], bytes]] = []  # noqa: RUF012  of one test

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((dict(self.headers.items()), body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  as the base class has it


def test_webhooks_are_received_printed_and_sent_on(connected: Served) -> None:
    with HTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        to = f"http://127.0.0.1:{receiver.server_port}/hooks"
        arguments = ["-m", "muxi.cli", "webhooks", "listen", "--port", "0", "--forward-to", to]
        with subprocess.Popen(
            [sys.executable, *arguments], stdout=-1, stderr=-1, text=True, env={**os.environ}
        ) as running:
            assert running.stderr is not None
            assert running.stdout is not None
            url = running.stderr.readline().split(" at ")[1].split(",")[0]
            signature = sign(WEBHOOK, "fma_cli_key_0001", int(time.time()))
            request = urllib.request.Request(url, WEBHOOK, {"X-Muxi-Signature": signature})
            with urllib.request.urlopen(request, timeout=30) as answered:
                assert answered.status == 202
            line = running.stdout.readline()
            running.terminate()
        receiver.shutdown()
    assert "completed req_1 bot" in line
    assert "[genuine] -> 202" in line
    ((headers, body),) = Receiver.received
    assert (headers["X-Muxi-Signature"], body) == (signature, WEBHOOK)


def test_a_receiver_that_is_not_there_is_a_502(capsys: pytest.CaptureFixture[str]) -> None:
    assert forward("http://127.0.0.1:9/", b"{}", {}) == (502, "unreachable")


def test_a_cassette_is_listed_shown_and_scrubbed(
    terminal: Terminal, connected: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from muxi_transports.recorded import RecordedTransport

    with FormationClient(
        url=f"{connected.url}/api/bot", client_key="fmc_cli_key_0001", transport=RecordedTransport("tape.yaml")
    ) as client:
        client.chat("my name is Lovelace", user_id="ada")
    (row,) = json.loads(terminal("cassette", "ls", "tape.yaml", "-o", "json").out)
    assert (row["method"], row["status"], row["url"].endswith("/chat")) == ("POST", 200, True)
    shown = terminal("cassette", "show", "tape.yaml", "1").out
    assert "my name is Lovelace" in shown
    assert "\n200 OK\n" in shown
    assert terminal("cassette", "show", "tape.yaml", "2").code == 4
    assert terminal("cassette", "scrub", "tape.yaml", "--check").code == 0
    monkeypatch.setenv("CUSTOMER", "Lovelace")
    assert terminal("cassette", "scrub", "tape.yaml", "--secret", "CUSTOMER", "--check").code == 1
    assert terminal("cassette", "scrub", "tape.yaml", "--secret", "CUSTOMER").code == 0
    assert "Lovelace" not in Path("tape.yaml").read_text()
    assert terminal("cassette", "ls", "tape.yaml", "-o", "json").code == 0


def test_an_audit_trail_is_read_counted_and_verified(terminal: Terminal) -> None:
    with FormationClient(
        url="http://memory", client_key="any", transport=MemoryTransport(EmbeddedFormation()),
        plugins=[AuditTrail("trail.jsonl")],
    ) as client:  # fmt: skip
        client.health()
        client.health()
        with pytest.raises(Exception, match="REQUEST_NOT_FOUND"):
            client.get_request_status("req_x", user_id="ada")
    assert terminal("audit", "verify", "trail.jsonl").code == 0
    rows = {row["operation"]: row for row in json.loads(terminal("audit", "stats", "trail.jsonl", "-o", "json").out)}
    assert (rows["health"]["calls"], rows["health"]["failed"]) == (2, 0)
    assert rows["get_request_status"]["failed"] == 1
    lines = terminal("audit", "tail", "trail.jsonl", "-n", "2").out.splitlines()
    assert "finished  ada  get_request_status  NotFoundError" in lines[-1]
    assert json.loads(terminal("audit", "tail", "trail.jsonl", "-n", "1", "--json").out)["event"] == "finished"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_valid(terminal: Terminal, shell: str) -> None:
    script = terminal("completion", shell).out
    assert "_MUXI_CLIENT_COMPLETE" in script
    if program := shutil.which(shell):
        assert subprocess.run([program, "-n"], input=script, text=True, check=False).returncode == 0


def test_a_script_that_changes_is_served_anew(tmp_path: Path) -> None:
    script = tmp_path / "replies.yaml"
    script.write_text("otherwise: first\n")
    running = Running("--port", "0", "--script", str(script), "--reload", "--pace", "0")
    with FormationClient(url=running.url, client_key="any") as client:
        assert client.chat("hi")["message"]["content"] == "first"
        script.write_text("otherwise: the second\n")
        running.line_with("has started anew")
        assert client.chat("hi")["message"]["content"] == "the second"
        script.write_text("otherwise: [\n")
    code, err = running.end()
    assert code == 0
    assert err == "" or "stays as it was" in err


def test_reloading_needs_a_script(terminal: Terminal) -> None:
    assert terminal("serve", "--reload").code == 2
