"""Running a program with the trace of its calls on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from types import FrameType

__all__ = ["run_traced"]

#: Exit codes of a shell for a program that cannot be started.
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127


def run_traced(command: Sequence[str], path: str, *, bodies: bool) -> int:
    """Run a program whose clients write their calls to a trace file; so do the programs that it starts.

    Ctrl-C reaches the program by the terminal, and SIGTERM is passed on; the program decides what to do.

    Args:
        command: the program with its arguments.
        path: the trace file.
        bodies: whether bodies and texts are written.

    Returns:
        The program's exit code; 128 and the number of the signal that ended it; 126 or 127 if it cannot be started.
    """
    environment = {**os.environ, "MUXI_TRACE": os.path.abspath(path), "MUXI_TRACE_BODIES": "1" if bodies else "0"}
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: S603  the user's own command
    except FileNotFoundError:
        return _NOT_FOUND
    except OSError:
        return _NOT_EXECUTABLE

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, handler) for number, handler in _handlers(pass_on)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _handlers(pass_on: signal._HANDLER) -> list[tuple[signal.Signals, signal._HANDLER]]:
    return [(signal.SIGINT, signal.SIG_IGN), (signal.SIGTERM, pass_on)]
