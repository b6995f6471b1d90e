"""Transports that answer every request with an answer that the fuzzer chose, and calls that look at what comes out."""

from __future__ import annotations

import copy
import pickle
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from muxi import FormationClient, ManualClock, MuxiError, ServerClient
from muxi.plugins import Retry, RetryBudget
from muxi.transport import Headers, Request, Response, Transport
from tests.fuzz.registry import is_drawn

__all__ = ["Parts", "ScriptedTransport", "as_received", "check_error", "formation", "one_of", "only_errors", "server"]


class Parts(Response):
    """An answer whose body comes in the given pieces."""

    def __init__(self, status: int, headers: Headers, pieces: list[bytes]) -> None:
        super().__init__(status, headers)
        self._pieces = pieces

    def chunks(self) -> Iterator[bytes]:
        yield from self._pieces

    def close(self) -> None:
        self._pieces = []


class ScriptedTransport(Transport):
    """Answers every request in the same way."""

    def __init__(self) -> None:
        self.answer: Callable[[Request], Response] = lambda request: Parts(200, Headers(), [])

    def send(self, request: Request) -> Response:
        return self.answer(request)


def _settings(transport: Transport) -> dict[str, Any]:
    """Waits cost no time, and no call is spared its repetition for lack of a budget."""
    return {
        "url": "http://localhost",
        "max_retries": 1,
        "transport": transport,
        "clock": ManualClock(),
        "plugins": [Retry(RetryBudget(capacity=1e12))],
    }


def formation(transport: Transport) -> FormationClient:
    """A client for a formation over this transport."""
    return FormationClient(client_key="k", admin_key="a", **_settings(transport))


def server(transport: Transport) -> ServerClient:
    """A client for a server over this transport."""
    return ServerClient(key_id="k", secret_key="s", **_settings(transport))


def as_received(value: bytes) -> str:
    """A header's value as transports hand it over: one line, UTF-8 if it can be."""
    for wrong in (b"\r", b"\n", b"\0"):
        value = value.replace(wrong, b" ")
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return value.decode("latin-1").strip()


def only_errors(*works: Callable[[], object]) -> None:
    """Do all this; errors of the SDK may come out, as long as they can be shown and carried.

    Raises:
        Exception: anything else that came out.
    """
    for work in works:
        try:
            work()
        except MuxiError as error:
            check_error(error)


def one_of(data: bytes, *works: Callable[[], object]) -> None:
    """Do one of these, which the input chooses, so that each input is quick; otherwise as :func:`only_errors`."""
    only_errors(works[zlib.crc32(data) % len(works)])


def check_error(error: MuxiError) -> None:
    """Show an error; copy and pickle it, of those with one text a part in a long run."""
    text = str(error)
    repr(error)
    # What an error says is written to logs and terminals.
    shown = text.encode()
    if not is_drawn(shown, 20):
        return
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  just made here
        if (type(other), str(other), other.code, other.status_code) != (
            type(error), text, error.code, error.status_code,
        ):  # fmt: skip
            raise AssertionError(f"{error!r} came back as {other!r}")
