"""``muxi-client serve``: what is reached over HTTP, what it prints, and how it ends."""

from __future__ import annotations

import http.client
import io
import json
import signal
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest

from muxi import FormationClient, ServerClient
from muxi.cli import main
from muxi.cli.commands.serve.browsers import OpenToBrowsers
from muxi.cli.commands.serve.requests import LoggedWorld
from muxi.errors import AuthenticationError, TurnFailed
from muxi.transport import Headers, Request
from muxi_transports.memory import EmbeddedFormation, MemoryTransport
from tests.cli.conftest import Running

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGTERM to send")


def test_the_sdk_talks_to_it(shop: Running) -> None:
    with FormationClient(url=shop.url, client_key="fmc_secret", validate_responses="strict") as client:
        assert client.chat("hello", user_id="ada")["message"]["content"] == "Hi there, ada!"
        stream = client.chat_stream("Weather in Rome", user_id="ada")
        assert list(stream.text()) == ["Let me see. ", "Sunny in Rome."]
        with pytest.raises(TurnFailed, match="out of order"):
            client.chat_stream("boom", user_id="ada").result()
        answer: Any = client.chat("report", user_id="ada")["message"]
        assert (answer["content"], answer["artifacts"][0]["filename"]) == ("Here it is.", "report.csv")
        assert client.chat("anything", user_id="ada")["message"]["content"] == "Pardon?"
        assert [memory["content"] for memory in client.get_memories("ada")["memories"]] == ["Likes tea"]
        assert client.get_history("ada")["entries"][0]["summary"] == "A day."
        assert client.fire_trigger("alert", {"host": "db1"}, user_id="ada")["content"] == "Pardon?"
        assert client.health()["version"] == "2.0.0"
    with FormationClient(url=shop.url, client_key="wrong") as client, pytest.raises(AuthenticationError):
        client.chat("hello", user_id="ada")


def test_its_server_deploys_and_leads_to_the_formation(shop: Running) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        text = b"id: second\ndescription: Another one\n"
        member = tarfile.TarInfo("second/formation.afs")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    with ServerClient(url=shop.url, key_id="any", secret_key="any", validate_responses="strict") as server:
        with server.formation("shop", client_key="fmc_secret") as formation:
            assert formation.chat("hello", user_id="bob")["message"]["content"] == "Hi there, bob!"
        deployed = server.deploy_formation(content.getvalue())
        assert deployed["url"] == f"http://localhost:{shop.port}/api/second"
        assert {one["id"] for one in server.list_formations()["formations"]} == {"shop", "second"}
        server.delete_formation("second")


def ask(shop: Running, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=30)
    sent = {"X-Muxi-Client-Key": "fmc_secret", "X-Muxi-User-ID": "ada", "Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, response.headers


def test_a_line_for_each_request_has_no_secrets(shop: Running) -> None:
    assert ask(shop, "POST", "/v1/chat?hush=hushhush", {"message": "hello"})[0] == 200
    line = shop.line_with("POST /v1/chat")
    time, method, path, status, milliseconds, unit = line.split(" ")
    assert (len(time), method, path, status, unit) == (8, "POST", "/v1/chat", "200", "ms")
    assert milliseconds.isdigit()
    assert ask(shop, "GET", "/nope")[0] == 404
    shop.line_with("GET /nope 404")
    assert "hushhush" not in "".join(shop.seen)
    assert "fmc_secret" not in "".join(shop.seen)


@pytest.mark.parametrize("path", ["/v1/chat", "/api/shop/v1/chat", "/rpc/formations"])
def test_pages_of_other_origins_are_let_in(shop: Running, path: str) -> None:
    origin = "http://localhost:3000"
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "x-muxi-client-key"}
    status, headers = ask(shop, "OPTIONS", path, Origin=origin, **asked)
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == origin
    assert headers["Access-Control-Allow-Headers"] == "x-muxi-client-key"
    assert "POST" in headers["Access-Control-Allow-Methods"]
    _, headers = ask(shop, "POST", path, {"message": "hello"}, Origin=origin)
    assert headers.get_all("Access-Control-Allow-Origin") == [origin]


def test_it_says_how_to_reach_it(shop: Running) -> None:
    greeting = "\n".join(shop.seen[:12])
    assert f"Serving the formation 'shop' at {shop.url}, until Ctrl-C." in greeting
    assert f"curl -N {shop.url}/v1/chat" in greeting
    assert "$MUXI_CLIENT_KEY" in greeting
    assert f'muxi.FormationClient(url="{shop.url}")' in greeting
    assert f'muxi.ServerClient(url="{shop.url}", key_id="any", secret_key="any")' in greeting


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_with_streams_that_are_open(number: int) -> None:
    running = Running("--port", "0")
    with FormationClient(url=running.url, client_key="any", admin_key="any") as client:
        stream = client.stream_events("ada")
        code, err = running.end(number)
        assert list(stream) == []
    assert (code, err) == (0, "")
    assert running.seen[-1] == "Stopped."


@pytest.mark.slow
def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "muxi.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # nobody listens to it any more
    running = Running("--uds", str(path))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 200")
    assert main(["serve", "--uds", str(path)]) == 2
    assert running.end() == (0, "")
    assert not path.exists()
    assert any(f"--unix-socket '{path}'" in line for line in running.seen)


def test_a_port_in_use_is_told(shop: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", str(shop.port)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"muxi-client: cannot serve on 127.0.0.1:{shop.port}: the port is in use; "
        "choose another one with --port, or 0 for a free one\n"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--port", "http"], "Invalid value for '--port'"),
        (["--port", "70000"], "70000 is not in the range 0<=x<=65535"),
        (["--pace", "-1"], "seconds are a number that is not negative"),
        (["--pace", "nan"], "seconds are a number that is not negative"),
        (["--key-id", "x", "--server"], "--key-id and --secret-key go together"),
        (["--key-id", "x", "--secret-key", "y"], "give --server too"),
        (["--host", "256.256.256.256", "--port", "0"], "cannot serve on 256.256.256.256:0"),
        (["--script", "/no/such/file"], "cannot read the script /no/such/file: No such file or directory"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", *arguments]) == 2
    assert problem in capsys.readouterr().err


def test_missing_extras_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import sys

    script = tmp_path / "replies.yaml"
    script.write_text("otherwise: x\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert main(["serve", "--port", "0", "--script", str(script)]) == 1
    assert "pip install 'muxi-client[cli]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "muxi_transports.memory.listener", raising=False)
    assert main(["serve", "--port", "0"]) == 1
    assert "serving over HTTP needs uvicorn: pip install 'muxi-client[cli]'" in capsys.readouterr().err


def test_a_client_that_leaves_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    client = FormationClient(
        url="http://memory", client_key="any", transport=MemoryTransport(LoggedWorld(EmbeddedFormation()))
    )
    stream = client.chat_stream("one two three", user_id="ada")
    next(stream)
    stream.close()
    assert "POST /v1/chat 200 (the client left)" in capsys.readouterr().out
    client.close()


def test_who_is_no_browser_gets_the_platforms_headers() -> None:
    world = OpenToBrowsers(EmbeddedFormation())
    response = MemoryTransport(world).send(Request("GET", "http://memory/v1/health", Headers()))
    assert "access-control-allow-origin" not in response.headers
