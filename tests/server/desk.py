"""The rules of ``server.md``, read from the document, and a desk that sends requests to an embedded server."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from muxi.clock import ManualClock
from muxi.transport import BytesBody, Headers, Request
from muxi_transports.memory import EmbeddedServer, MemoryTransport
from tests.conftest import WIRE
from tests.server.bench import archive

__all__ = ["AFS", "BOT", "SERVER_MD", "SIGNED", "Answered", "Desk", "bundle", "rows"]

#: A header that passes where any key signs; the time is that of a new clock.
SIGNED = "MUXI-HMAC key=any, timestamp=1800000000, signature=any"
BOT = "/rpc/formations/my-bot"
AFS = "id: my-bot\ndescription: A bot\nversion: '{}'\n"
SERVER_MD = (WIRE / "server.md").read_text("utf-8")


def rows(title: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    table = SERVER_MD.partition(title)[2].partition("| --- ")[2].partition("\n")[2]
    lines = table.split("\n")
    end = next(index for index, line in enumerate(lines) if not line.startswith("|"))
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines[:end]]


class Answered(NamedTuple):
    """An answer, read."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Desk:
    """Sends requests to a server that takes any signature."""

    def __init__(self, **settings: Any) -> None:
        self.server = EmbeddedServer(clock=ManualClock(), **settings)
        self.transport = MemoryTransport(self.server)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answered:
        sent = Headers({"Authorization": SIGNED, **{name.replace("_", "-"): value for name, value in headers.items()}})
        request = Request(method, f"http://memory{path}", sent, None if body is None else BytesBody(body))
        response = self.transport.send(request)
        received = {name.lower(): value for name, value in response.headers.items()}
        return Answered(response.status, received, response.read().decode("utf-8", "replace"))

    def deploy(self, version: str = "1.0.0", **headers: str) -> Answered:
        fixed = {"Content_Type": "application/gzip", "X_Formation_ID": "my-bot", "X_Formation_Version": version}
        return self.send("POST", "/rpc/formations", bundle(version), **fixed, **headers)

    def update(self, version: str = "2.0.0", **headers: str) -> Answered:
        return self.send("PUT", BOT, bundle(version), X_Formation_Version=version, **headers)

    def post(self, path: str, body: object, **headers: str) -> Answered:
        """Send JSON, or a text as it is."""
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        return self.send("POST", path, content, **headers)

    def draft(self, body: object, **headers: str) -> Answered:
        return self.post(f"{BOT}/draft/files", body, **headers)

    def edit(self, version: str, mode: str = "new") -> None:
        self.draft({"action": "init", "mode": mode})
        self.draft({"action": "write", "path": "formation.afs", "content": AFS.format(version)})

    def stream(self, route: str) -> Answered:
        """Do what a row of the table is about, step by step."""
        accept: dict[str, Any] = {"Accept": "text/event-stream"}
        if route == "deploy":
            return self.deploy(**accept)
        if route == "draft, new":
            self.edit("1.0.0")
            return self.draft({"action": "deploy"}, **accept)
        self.deploy()
        if route == "update":
            return self.update(**accept)
        if route == "draft, live":
            self.edit("2.0.0", "clone")
            return self.draft({"action": "deploy"}, **accept)
        if route == "rollback":
            self.update()
        if route == "start":
            self.send("POST", f"{BOT}/stop")
        return self.send("POST", f"{BOT}/{route}", **accept)


def bundle(version: str) -> bytes:
    return archive({"bot/formation.afs": AFS.format(version)})
