"""A server client of either colour over a transport that answers what a test says, and remembers what was sent."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muxi import AsyncServerClient, ManualClock, ServerClient
from muxi.transport import AsyncResponse, AsyncTransport, Request, Response, Transport

KEY, SECRET = "muxi_pk_test", "muxi_sk_test"

AFS = 'id: my-bot\nversion: "1.2.0"\ndescription: |\n  A bot\n  for tests.\n'


@dataclass(frozen=True)
class Reply:
    """An answer: JSON unless it is bytes; several bytes are the pieces in which it arrives."""

    body: Any = field(default_factory=dict)
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def pieces(self) -> list[bytes]:
        if isinstance(self.body, bytes):
            return [self.body]
        return self.body if isinstance(self.body, list) else [json.dumps(self.body).encode() + b"\n"]

    def head(self) -> tuple[int, dict[str, str]]:
        return self.status, {"Content-Type": self.content_type, **self.headers}


def ok(**data: Any) -> Reply:
    """A result in the server's envelope."""
    return Reply({"success": True, "data": data})


def no(status: int, message: str, phrase: str = "Bad Request") -> Reply:
    """A refusal in the server's shape."""
    return Reply({"error": phrase, "message": message, "code": status}, status)


def events(*frames: tuple[str, Mapping[str, Any]]) -> Reply:
    """A stream, each frame a piece."""
    pieces = [f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in frames]
    return Reply(pieces, content_type="text/event-stream")


class Script:
    """Answers one after the other, and the requests that got them."""

    def __init__(self, *replies: Reply | BaseException) -> None:
        self.replies = list(replies)
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.closed = 0

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        self.bodies.append(b"".join(request.body.chunks()) if request.body else b"")
        reply = self.replies.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    @property
    def sent(self) -> str:
        """The last request, as method and target."""
        request = self.requests[-1]
        return f"{request.method} {request.url.removeprefix('http://localhost:7890')}"

    @property
    def body(self) -> Any:
        """The last body, as JSON; None where there was none."""
        return json.loads(self.bodies[-1]) if self.bodies[-1] else None

    def header(self, name: str) -> str | None:
        return self.requests[-1].headers.get(name)


class _Answer(Response):
    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status, list(reply.head()[1].items()))
        self._pieces = reply.pieces

    def chunks(self) -> Iterator[bytes]:
        yield from self._pieces

    def close(self) -> None:
        pass


class _AsyncAnswer(AsyncResponse):
    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status, list(reply.head()[1].items()))
        self._pieces = reply.pieces

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece

    async def close(self) -> None:
        pass


class ScriptedTransport(Transport):
    def __init__(self, script: Script) -> None:
        self.script = script

    def send(self, request: Request) -> Response:
        return _Answer(self.script.answer(request))

    def close(self) -> None:
        self.script.closed += 1


class ScriptedAsyncTransport(AsyncTransport):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def send(self, request: Request) -> AsyncResponse:
        return _AsyncAnswer(self.script.answer(request))

    async def close(self) -> None:
        self.script.closed += 1


Clients = Callable[[], ServerClient] | Callable[[], AsyncServerClient]


class Bench:
    """Runs a scenario with a client of one colour.

    Args:
        colour: ``sync`` or ``async``.
    """

    def __init__(self, colour: str) -> None:
        self.colour = colour
        self.clock = ManualClock()
        #: Of the clients that :meth:`run` makes.
        self.settings: dict[str, Any] = {}

    def client(self, transport: Any, **settings: Any) -> ServerClient | AsyncServerClient:
        """A client with the test key."""
        given = {"url": "http://localhost:7890", "key_id": KEY, "secret_key": SECRET, "clock": self.clock, **settings}
        kind = ServerClient if self.colour == "sync" else AsyncServerClient
        return kind(transport=transport, **given)

    def transport(self, script: Script) -> Transport | AsyncTransport:
        return ScriptedTransport(script) if self.colour == "sync" else ScriptedAsyncTransport(script)

    def run(self, script: Script, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method over a script; a stream is read to its end and its events are the result."""
        return self.use(self.client(self.transport(script), **self.settings), method, *args, **kwargs)

    def use(self, client: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a client, as :meth:`run`."""
        if self.colour == "sync":
            found = getattr(client, method)(*args, **kwargs)
            return list(found) if hasattr(found, "keepalives") else found

        async def wait() -> Any:
            found = getattr(client, method)(*args, **kwargs)
            return [event async for event in found] if hasattr(found, "keepalives") else await found

        return asyncio.run(wait())

    def result(self, script: Script, method: str, *args: Any, **kwargs: Any) -> Any:
        """The ``result()`` of a stream."""
        client: Any = self.client(self.transport(script))
        if self.colour == "sync":
            return getattr(client, method)(*args, **kwargs).result()

        async def wait() -> Any:
            return await (await getattr(client, method)(*args, **kwargs)).result()

        return asyncio.run(wait())


def folder(path: Path, **files: str | bytes) -> Path:
    """A folder with a formation file and others; ``__`` in a name is a slash, ``_`` a dot."""
    for name, content in {"formation_afs": AFS, **files}.items():
        file = path / name.replace("__", "/").replace("_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def archive(files: Mapping[str, str | bytes], *, compressed: str = "gz") -> bytes:
    """A tar of these files; a name that ends with a slash is a directory."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compressed}") as tar:  # type: ignore[call-overload]  # a mode at run time
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
