"""The command line in this process: its arguments and input, and what it prints."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from muxi.cli import main


class Printed(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


#: Runs a command: its arguments, and its input.
Terminal = Callable[..., Printed]


def make_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Return a function that runs commands through pipes."""

    def run(*arguments: str, given: str | bytes = "") -> Printed:
        content = given.encode() if isinstance(given, str) else given
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
        capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return Printed(code, out, err)

    return run
