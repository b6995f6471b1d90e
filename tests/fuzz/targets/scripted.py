"""Transports that answer every request with an answer that the fuzzer chose, and calls that look at what comes out."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator

from muxi import FormationClient, ManualClock, MuxiError, ServerClient
from muxi.transport import Headers, Request, Response, Transport

__all__ = ["Parts", "ScriptedTransport", "check_error", "formation", "only_errors", "server"]


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


def formation(transport: Transport) -> FormationClient:
    """A client whose waits cost no time."""
    return FormationClient(
        url="http://localhost", client_key="k", admin_key="a", max_retries=1, transport=transport, clock=ManualClock()
    )


def server(transport: Transport) -> ServerClient:
    """As :func:`formation`, for servers."""
    return ServerClient(
        url="http://localhost", key_id="k", secret_key="s", max_retries=1, transport=transport, clock=ManualClock()
    )


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


def check_error(error: MuxiError) -> None:
    """Show, copy and pickle an error."""
    text = str(error)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        if (type(other), str(other), other.code, other.status_code) != (
            type(error), text, error.code, error.status_code,
        ):  # fmt: skip
            raise AssertionError(f"{error!r} came back as {other!r}")
    repr(error)
    # What an error says is written to logs and terminals.
    text.encode()
