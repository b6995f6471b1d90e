"""A program that ends without closing its client: silence or one warning of ours, and never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SERVER = """
import asyncio, socket, threading
from muxi import AsyncFormationClient, FormationClient

listener = socket.create_server(("127.0.0.1", 0))
kept = []

def answer(sock):
    while head := sock.recv(65536):
        if b"/chat" in head:
            event = b'data: {"token": {"type": "content", "content": "Hello"}}\\n\\n'
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n"
                         b"Transfer-Encoding: chunked\\r\\n\\r\\n%x\\r\\n%b\\r\\n" % (len(event), event))
        else:
            sock.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n"
                         b'Content-Length: 34\\r\\n\\r\\n{"success": true, "data": {"a":1}}')

def serve():
    while True:
        sock, _ = listener.accept()
        kept.append(sock)
        threading.Thread(target=answer, args=(sock,), daemon=True).start()

threading.Thread(target=serve, daemon=True).start()
settings = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "client_key": "k", "admin_key": "a",
            "validate_responses": "off"}
"""

_ASYNC = """
async def main():
    {globals}
    client = AsyncFormationClient(**settings)
    await client.get_agents()
    stream = await client.chat_stream({{"message": "Hello!"}}, user_id="ada")
    event = await anext(stream)
    print(event["text"])

asyncio.run(main())
print("over")
"""

_SYNC = """
client = FormationClient(transport={transport!r}, **settings)
client.get_agents()
for event in (stream := client.chat_stream({{"message": "Hello!"}}, user_id="ada")):
    print(event["text"])
    break
print("over")
"""

_QUICK_START = """
async def main():
    async for event in AsyncFormationClient(**settings).chat_stream({{"message": "Hello!"}}, user_id="ada"):
        print(event["text"])
        break

asyncio.run(main())
print("over")
"""

PROGRAMS = {
    "async, all kept as globals": _ASYNC.format(globals="global client, stream, event"),
    "async, all locals": _ASYNC.format(globals="pass"),
    "async, a loop that is left": _QUICK_START.format(),
    "sync, requests": _SYNC.format(transport="requests"),
    "sync, urllib3": _SYNC.format(transport="urllib3"),
}


@pytest.mark.slow  # starts an interpreter
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_closes_nothing_ends_without_complaints(name: str) -> None:
    done = _run(name)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["Hello", "over"], "")


# What is kept to the very end is not collected, and not complained of.
@pytest.mark.slow  # each case starts an interpreter
@pytest.mark.parametrize("name", ["async, all locals", "async, a loop that is left"])
def test_where_such_warnings_are_shown_one_names_what_was_not_closed(name: str) -> None:
    done = _run(name, "-W", "default::ResourceWarning")
    assert done.stdout.split() == ["Hello", "over"]
    assert done.stderr.count("an AiohttpTransport was not closed; await its close(), or that of its client") == 1
    assert "Traceback" not in done.stderr
    assert "Unclosed" not in done.stderr


def _run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *options, "-c", _SERVER + PROGRAMS[name]]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
