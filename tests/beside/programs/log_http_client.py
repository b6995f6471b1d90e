"""Beside the debug output of http.client, which is printed."""

import contextlib
import http.client
import io

from driving import staged


def observe() -> list[str]:
    """What was printed of requests and answers, without what differs between two programs."""
    lines = [line for line in printed.getvalue().splitlines() if line.startswith(("send:", "reply:", "header:"))]
    printed.seek(0)
    printed.truncate()
    return [line[:40] if line.startswith("send: b'") and " /v1/" in line else line for line in lines if kept(line)]


def kept(line: str) -> bool:
    return not line.startswith("send:") or " /v1/" in line


printed = io.StringIO()

with staged() as stage, contextlib.redirect_stdout(printed):
    stage.call_before()
    observe()
    http.client.HTTPConnection.debuglevel = 1
    stage.call("during", observe)
    http.client.HTTPConnection.debuglevel = 0
    stage.call("after", observe)
