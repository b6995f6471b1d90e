"""A line for each request."""

from __future__ import annotations

import os
import sys
import time
from urllib.parse import urlsplit

from muxi.clock import Clock
from muxi.transport import Request
from muxi_transports.memory.world import Answer, AnswerStream, Exchange, World, start_stream

__all__ = ["LoggedWorld"]


class LoggedWorld:
    """A world that prints when, method, path, status and milliseconds of each request, at the end of its answer.

    The query is left out: it may hold private data.

    Args:
        world: the world.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def clock(self) -> Clock:
        """The time of the world."""
        return self._world.clock

    def respond(self, request: Request) -> Exchange:
        """Answer one request (:class:`~muxi_transports.memory.World`)."""
        started = time.perf_counter()
        try:
            answer = yield from self._world.respond(request)
        except GeneratorExit:
            _print(request, "left", started)
            raise
        except Exception:
            _print(request, "500", started)
            raise
        if isinstance(answer.body, bytes):
            _print(request, str(answer.status), started)
            return answer
        return Answer(answer.status, answer.headers, start_stream(_log_stream(request, answer, answer.body, started)))


def _log_stream(request: Request, answer: Answer, stream: AnswerStream, started: float) -> AnswerStream:
    status = str(answer.status)
    try:
        yield b""
        yield from stream
    except GeneratorExit:
        status += " (the client left)"
        raise
    finally:
        # The stream may never have been begun by the one who reads this one.
        stream.close()
        _print(request, status, started)


def _print(request: Request, status: str, started: float) -> None:
    path = urlsplit(request.url).path or "/"
    shown = "".join(char if char.isprintable() else "?" for char in path)
    milliseconds = (time.perf_counter() - started) * 1000
    try:
        print(f"{time.strftime('%H:%M:%S')} {request.method} {shown} {status} {milliseconds:.0f} ms", flush=True)
    except OSError:
        # The reader of these lines is gone; the server goes on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
