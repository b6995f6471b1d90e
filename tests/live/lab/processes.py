"""Processes of the lab: started with a log, waited for, and ended by their own handle."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["LabError", "Program", "answers", "free_port", "listens", "run_to_end"]

#: Seconds that a process has to end after it was asked to.
_GRACE = 15.0


class LabError(Exception):
    """The lab cannot be laid out or started; the message says what is missing."""


class Program:
    """A running program.

    Args:
        command: the program and its arguments.
        log: the file that gets what it prints.
        options: those of :class:`subprocess.Popen`.
    """

    def __init__(self, command: Sequence[str], log: Path, **options: Any) -> None:
        self.name = log.stem
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **options
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def stdin(self) -> Any:  # Any: typeshed knows no type for a pipe of bytes that may be None
        """The pipe to its standard input, if it was started with one."""
        return self._process.stdin

    def wait_until(self, condition: Callable[[], bool], timeout: float = 90.0) -> None:
        """Wait until a condition holds.

        Raises:
            LabError: the program has ended, or the timeout has passed; with the end of its log.
        """
        deadline = time.monotonic() + timeout
        while not condition():
            if self._process.poll() is not None:
                raise LabError(f"{self.name} ended with {self._process.returncode}:\n{self._tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} was not ready after {timeout:g} s:\n{self._tail()}")
            time.sleep(0.05)  # a foreign program: there is nothing to be notified by

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: with a signal, and by force if that does not help."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _tail(self) -> str:
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-25:])


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def listens(port: int) -> bool:
    """True if something accepts connections on a port of loopback."""
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def answers(command: Sequence[str]) -> bool:
    """True if a program ends without an error."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run_to_end(command: Sequence[str], what: str, environment: Mapping[str, str] | None = None, **options: Any) -> None:
    """Run a program to its end.

    Raises:
        LabError: it failed; the message has what it printed.
    """
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    if done.returncode:
        raise LabError(f"{what} failed:\n{done.stdout[-4000:]}")
