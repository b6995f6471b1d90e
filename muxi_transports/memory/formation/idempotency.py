"""Idempotency keys: repeated calls with one key join one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Generator

from muxi_transports.memory.formation.router import Incoming
from muxi_transports.memory.formation.state.replays import Scope
from muxi_transports.memory.work import Work
from muxi_transports.memory.world import Answer, Pause

__all__ = ["run_once"]


def run_once(
    incoming: Incoming, steps: Callable[[str | None], Generator[Pause, None, Answer]]
) -> Generator[Pause, None, Answer]:
    """Run the work once for all calls with one key.

    A client that disconnects does not stop it.

    Args:
        incoming: the call.
        steps: the work; it is given the key, None where there is none.
    """
    formation = incoming.formation
    key = incoming.request.headers.get("X-Muxi-Idempotency-Key") or None
    with formation.lock:
        if key is None:
            work = Work(steps(None), formation.clock)
        else:
            scope = Scope(incoming.request.method, incoming.request.path, incoming.user, key)
            work = formation.replays.join(scope, lambda: steps(key))
    try:
        answer = yield from work.join()
    except GeneratorExit:
        formation.background.adopt(work)
        raise
    return answer
