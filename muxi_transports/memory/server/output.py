"""The output of a formation's process, and the streams that follow it."""

from __future__ import annotations

from collections import deque

from muxi_transports.memory.server.answers import go_json
from muxi_transports.memory.signal import Signal
from muxi_transports.memory.world import AnswerStream, Idle

__all__ = ["STREAMS", "Output"]

STREAMS = ("stdout", "stderr")


class Output:
    """Lines by stream, ``stdout`` and ``stderr``.

    Args:
        formation_id: whose.
    """

    def __init__(self, formation_id: str) -> None:
        self._formation_id = formation_id
        self._lines: dict[str, list[str]] = {stream: [] for stream in STREAMS}
        self._followers: list[_Follower] = []

    def write(self, text: str, stream: str) -> None:
        """Print a text, line by line."""
        lines = text.split("\n")
        self._lines[stream] += lines
        for follower in self._followers:
            if follower.stream == stream:
                follower.lines += lines
                follower.signal.set()

    def count(self, stream: str) -> int:
        """The number of lines."""
        return len(self._lines[stream])

    def tail(self, stream: str, count: int) -> list[str] | None:
        """The last lines; None where there are none."""
        return self._lines[stream][-count:] or None

    def follow(self, stream: str) -> AnswerStream:
        """Stream the lines printed from now on, as events."""
        follower = _Follower(stream)
        self._followers.append(follower)
        return self._stream_lines(follower)

    def end(self) -> None:
        """End all streams, after what they have still to say."""
        for follower in self._followers:
            follower.ended = True
            follower.signal.set()

    def _stream_lines(self, follower: _Follower) -> AnswerStream:
        try:
            yield b""
            yield _frame("connected", {"formation_id": self._formation_id})
            while True:
                follower.signal.clear()
                while follower.lines:
                    line = follower.lines.popleft()
                    yield _frame("log", {"formation_id": self._formation_id, "line": line})
                if follower.ended:
                    return
                yield Idle(follower.signal)
        finally:
            self._followers.remove(follower)


class _Follower:
    """One who follows a stream."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.lines: deque[str] = deque()
        self.signal = Signal()
        self.ended = False


def _frame(name: str, data: dict[str, str]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + go_json(data) + b"\n\n"
