"""The frames of a chat stream, byte for byte as the runtime writes them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing

from muxi.clock import Clock
from muxi_transports.memory.formation.agents import Turn
from muxi_transports.memory.formation.envelope import compact
from muxi_transports.memory.formation.turns import TurnOutcome, TurnSteps, TurnToken
from muxi_transports.memory.world import Pause

__all__ = ["DONE", "KEEPALIVE", "KEEPALIVE_SECONDS", "early_error", "frame_tokens", "silence", "token", "ui"]

KEEPALIVE = b": keepalive\n\n"
DONE = b'event: done\ndata: {"finished":true}\n\n'
#: One keepalive per second of silence.
KEEPALIVE_SECONDS = 1.0
#: Seconds for which a turn that never completes holds the connection.
SILENCE_SECONDS = 600

_DUST = 1e-6


def frame_tokens(steps: TurnSteps, turn: Turn, clock: Clock) -> Generator[bytes | Pause, None, TurnOutcome]:
    """A turn as frames, with keepalives where it is silent."""
    silent = 0.0
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                outcome: TurnOutcome = end.value
                return outcome
            if isinstance(step, TurnToken):
                silent = 0.0
                yield token(step, turn, clock.time())
                continue
            remaining = step.seconds
            while remaining > _DUST:
                nap = min(remaining, KEEPALIVE_SECONDS - silent)
                yield Pause(nap)
                remaining -= nap
                silent += nap
                if silent > KEEPALIVE_SECONDS - _DUST:
                    silent = 0.0
                    yield KEEPALIVE


def silence() -> Iterable[bytes | Pause]:
    """The keepalives of a turn that never completes."""
    for _ in range(SILENCE_SECONDS):
        yield Pause(KEEPALIVE_SECONDS)
        yield KEEPALIVE


def token(token: TurnToken, turn: Turn, now: float) -> bytes:
    """The frame of a token."""
    fields: dict[str, object] = {
        "request_id": turn.request_id,
        "user_id": turn.user_id,
        "session_id": turn.session_id,
        "type": token.type,
        "content": token.content,
        "timestamp": now,
        **token.extras,
    }
    return b"data: " + compact({"token": fields}) + b"\n\n"


def ui(widgets: Iterable[Mapping[str, object]]) -> bytes:
    """The frame of the widgets; at most one, after ``completed``."""
    return b"event: ui\ndata: " + compact({"ui": list(widgets)}) + b"\n\n"


def early_error(message: str, kind: str) -> bytes:
    """The frame that ends a stream before its first token; no ``done`` follows."""
    return b"event: error\ndata: " + compact({"error": message[:200], "type": kind}) + b"\n\n"
