"""A recorded request, sent to an embedded formation that has been brought to where the recorded one was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from muxi.clock import Clock, ManualClock
from muxi.transport import BytesBody, Headers, Request, Response
from muxi_transports.memory import Defect, EmbeddedFormation, MemoryTransport, Reply, Turn

__all__ = [
    "ADMIN",
    "CLIENT",
    "Prepare",
    "Setup",
    "ask",
    "both",
    "load",
    "make",
    "nothing",
    "replay",
    "replying",
    "setup",
]

CLIENT, ADMIN = "fmc_wirelab_client_0123456789", "fma_wirelab_admin_0123456789"

#: Brings a formation to where the recorded one was.
Prepare: TypeAlias = Callable[[EmbeddedFormation], None]


@dataclass(frozen=True)
class Setup:
    """What comes before a capture.

    Args:
        prepare: what has happened in the formation.
        imitate: the defects that were recorded.
        formation_id: the formation that was recorded.
        start: what the clock shows, where the capture depends on it; the tests' clock is later than the captures.
        then: what happens after the request, where it opens a stream of what happens.
    """

    prepare: Prepare
    imitate: frozenset[Defect] = frozenset()
    formation_id: str = "wire-lab"
    start: float | None = None
    then: Prepare | None = None


def nothing(formation: EmbeddedFormation) -> None:
    """Nothing has happened yet."""


def setup(given: Prepare | Setup) -> Setup:
    """A set-up, where often a function is enough."""
    return given if isinstance(given, Setup) else Setup(given)


def both(*prepare: Prepare) -> Prepare:
    """One thing after the other."""

    def run(formation: EmbeddedFormation) -> None:
        for step in prepare:
            step(formation)

    return run


def replying(agent: Callable[[Turn], Reply], agent_id: str = "assistant") -> Prepare:
    """The formation's agent replies like this."""
    return lambda formation: formation.agents.given.update({agent_id: agent})


def make(given: Prepare | Setup, clock: Clock) -> EmbeddedFormation:
    """The formation of a set-up."""
    wanted = setup(given)
    if wanted.start is not None:
        clock = ManualClock(wanted.start)
    formation = EmbeddedFormation(
        wanted.formation_id, client_key=CLIENT, admin_key=ADMIN, clock=clock, seed=1, imitate=wanted.imitate
    )
    wanted.prepare(formation)
    return formation


def load(wire: Path, name: str) -> dict[str, Any]:
    """A capture by name."""
    capture: dict[str, Any] = json.loads((wire / "captures" / "formation" / f"{name}.json").read_text("utf-8"))
    return capture


def replay(formation: EmbeddedFormation, request: dict[str, Any]) -> Response:
    """Send a recorded request."""
    # The recorder noted header values as latin-1, as the runtime reads them; they are sent as UTF-8.
    headers = Headers((name, value.encode("latin-1").decode()) for name, value in request["headers"].items())
    if request["body"] is not None:
        headers.setdefault("Content-Type", "application/json")
    body = None if request["body"] is None else BytesBody(request["body"].encode())
    sent = Request(request["method"], f"http://127.0.0.1:8001{request['path']}", headers, body)
    return MemoryTransport(formation).send(sent)


def ask(
    formation: EmbeddedFormation,
    method: str,
    path: str,
    body: object = None,
    *,
    user: str = "alice",
    admin: bool = False,
    headers: Iterable[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Ask a formation for something that has to go well, and give the data."""
    key = ("X-Muxi-Admin-Key", ADMIN) if admin else ("X-Muxi-Client-Key", CLIENT)
    sent = dict([key, ("X-Muxi-User-ID", user), *headers])
    content = None if body is None else json.dumps(body)
    response = replay(formation, {"method": method, "path": path, "headers": sent, "body": content})
    answer = json.loads(response.read())
    assert response.status < 300, answer
    data: dict[str, Any] = answer["data"]
    return data
