"""Target: the event streams of servers, which tell how a deployment goes."""

from __future__ import annotations

import io
import tarfile
from functools import cache

from muxi.streaming.chat import reader_for
from muxi.streaming.deployments import DEPLOYMENT
from muxi.transport import Headers, Request, Response
from tests.fuzz.registry import goes_on, target
from tests.fuzz.targets.events import in_pieces, read_alone
from tests.fuzz.targets.scripted import Parts, ScriptedTransport, one_of, server

_TRANSPORT = ScriptedTransport()
_SERVER = server(_TRANSPORT)


def archive(formation_file: bytes, name: str = "bot/formation.afs") -> bytes:
    """A bundle with this formation file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(formation_file)
        tar.addfile(entry, io.BytesIO(formation_file))
    return file.getvalue()


@cache
def _bundle() -> bytes:
    return archive(b"id: bot\ndescription: a bot\nversion: 1.0.0\n")


def _streams() -> list[bytes]:
    steps = b'event: progress\ndata: {"stage": "validating", "message": "Checking"}\n\n'
    return [
        b"\0" + steps + b'event: complete\ndata: {"formation_id": "bot", "port": 8001, "status": "running"}\n\n',
        b"\0" + steps + b'event: error\ndata: {"error": "SpawnError", "message": "no", "stage": "spawning"}\n\n',
        b'\0{"success": false, "error": "DeployConflict", "message": "busy"}',
        b"\3" + b"data: a line\n\n: keepalive\n\n",
    ]


@target("deployments", _streams, b"event: ", b"data: ", b"complete", b"error", b"progress", b'"stage":', b'"code":')
def deployments(data: bytes) -> None:
    def respond(request: Request) -> Response:
        return Parts(200, Headers({"Content-Type": "text/event-stream"}), in_pieces(data))

    read_alone(reader_for(DEPLOYMENT), data)
    if not goes_on(data):
        return
    _TRANSPORT.answer = respond
    one_of(
        data,
        lambda: list(_SERVER.deploy_formation_stream(_bundle())),
        lambda: _SERVER.start_formation_stream("bot").result(),
        lambda: list(_SERVER.stream_formation_logs("bot")),
    )
