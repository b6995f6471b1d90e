"""Counts the work of the hot paths, without a stopwatch; run by ``test_work.py`` in a process of its own.

Prints a JSON object: modules loaded, function calls (of Python and of C) and bytes allocated at the highest.
``python -m tests.performance.work --write`` keeps the counts of this Python as the new bounds.
"""

from __future__ import annotations

import json
import sys

_bare = set(sys.modules)

from muxi import FormationClient  # noqa: E402  counted: what this loads is the first figure

_imported = len(set(sys.modules) - _bare)

import gc  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
import tracemalloc  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from types import FrameType  # noqa: E402

BOUNDS = Path(__file__).parent / "bounds.json"
EVENTS = 200

_MEMORIES = json.dumps({"success": True, "data": {"memories": [], "count": 0}}).encode()
_TOKEN = b'data: {"token": {"type": "content", "content": "word "}}\n\n'
_END = b'data: {"token": {"type": "completed", "content": "", "status": "success"}}\n\nevent: done\ndata: {}\n\n'
_STREAM = _TOKEN * EVENTS + _END
#: By the beginning of the request: what a connection answers.
_ANSWERS = {
    b"GET": b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_MEMORIES) + _MEMORIES,
    b"POS": b"Content-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(_STREAM) + _STREAM,
}


def serve(listener: socket.socket) -> None:
    """Answer each request of one connection; the client sends none before it has its answer.

    Nothing is allocated for an answer: what this thread has in use at the same time would be counted too.
    """
    connection, _ = listener.accept()
    request = bytearray(65536)
    answers = {beginning[0]: b"HTTP/1.1 200 OK\r\n" + answer for beginning, answer in _ANSWERS.items()}
    with connection:
        while connection.recv_into(request):
            connection.sendall(answers[request[0]])


def count_calls(function: Callable[[], object]) -> int:
    """Function calls of one run, in this thread."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def count_bytes(function: Callable[[], object]) -> int:
    """Bytes of memory in use at the highest during one run, over what was in use before."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        function()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        gc.enable()


def count() -> dict[str, int]:
    """All counts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        before = set(sys.modules)
        client = FormationClient(url=f"http://127.0.0.1:{listener.getsockname()[1]}", client_key="k")

        def call() -> object:
            return client.get_memories("ada")

        def stream() -> object:
            return sum(1 for _ in client.chat_stream("Hello!", user_id="ada"))

        call()
        counts = {"modules of the import": _imported, "modules of the first call": len(set(sys.modules) - before)}
        stream()
        for _ in range(20):
            call()
        counts["calls of a unary call"] = count_calls(call)
        counts["calls of a stream of 200 events"] = count_calls(stream)
        counts["bytes of a unary call"] = count_bytes(call)
        counts["bytes of a stream of 200 events"] = count_bytes(stream)
        client.close()
    return counts


def version() -> str:
    """The Python whose counts these are."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


if __name__ == "__main__":
    counted = count()
    if "--write" in sys.argv:
        bounds = json.loads(BOUNDS.read_text()) if BOUNDS.exists() else {}
        BOUNDS.write_text(json.dumps({**bounds, version(): counted}, indent=2, sort_keys=True) + "\n")
    print(json.dumps(counted))
